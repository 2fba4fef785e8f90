"""The three families give the published models' numbers: spectrogram to greedy ids."""

import pytest
import torch

LOGITS = dict(atol=2e-5, rtol=0)


def test_spectrogram(family):
    expected = family.vectors["spectrogram"]
    tolerance = 1e-5 * expected.max().item() if family.name == "tiny-whisper" else 1e-4
    torch.testing.assert_close(family.model.spectrogram(family.vectors["frames"]), expected, atol=tolerance, rtol=0)


def test_encoder_input_after_projection(family):
    if "encoder_input_features" not in family.vectors:
        pytest.skip("this family has no input projection")
    features = family.model.encoder_features(family.vectors["frames"]).transpose(1, 2)[:, ::8]
    torch.testing.assert_close(features, family.vectors["encoder_input_features"], **LOGITS)


def test_encoder(family):
    torch.testing.assert_close(family.encoded, family.vectors["encoder_out"], **LOGITS)


def test_conditioning_vectors(family):
    if not family.conditions:
        pytest.skip("this family hears no conditions")
    vectors = family.vectors
    found = family.model.condition_vectors(2, family.conditions)
    names = ("difficulty_embedding", "mapper_embedding", "song_position_embedding")
    for vector, name in zip(found, names, strict=True):
        torch.testing.assert_close(vector, vectors[name], **LOGITS)
    probe = family.model.mapper_embedder(vectors["mapper_probe_ids"])
    torch.testing.assert_close(probe, vectors["mapper_probe_embedding"], **LOGITS)


def test_input_embedding(family):
    table = family.model.decoder_embedder.weight
    rows = table[[0, 1, 2, 5, len(table) - 1]]
    assert torch.equal(rows, family.vectors["decoder_embedding_probe"])


def whole_pass(family, ids, mask=None, **extra):
    with torch.no_grad():
        return family.model(encoder_outputs=family.encoded, decoder_input_ids=ids, decoder_attention_mask=mask, **extra)


def test_logits_without_padding_are_causal(family):
    ids = family.vectors["ids_full"]
    expected = family.vectors["logits_full"]
    torch.testing.assert_close(whole_pass(family, ids).logits, expected, **LOGITS)
    torch.testing.assert_close(whole_pass(family, ids, torch.ones_like(ids)).logits, expected, **LOGITS)


def test_logits_with_left_padding(family):
    ids = family.vectors["ids_left"]
    real = ids != 0
    found = whole_pass(family, ids, real).logits
    torch.testing.assert_close(found[real], family.vectors["logits_left"][real], **LOGITS)


def test_logits_and_losses_with_right_padding(family):
    vectors = family.vectors
    ids, labels = vectors["ids_right"], vectors["labels"]
    real = ids != 0
    out = whole_pass(family, ids, real, labels=labels)
    torch.testing.assert_close(out.logits[real], vectors["logits_loss"][real], **LOGITS)
    torch.testing.assert_close(out.logits[1, :8], vectors["logits_right_row1"], **LOGITS)
    torch.testing.assert_close(out.loss, vectors["loss"], rtol=1e-5, atol=0)
    weighted = whole_pass(family, ids, labels=labels, sample_weights=vectors["sample_weights"])
    torch.testing.assert_close(weighted.loss, vectors["loss_sample_weighted"], rtol=1e-5, atol=0)


def test_label_smoothing_is_honoured(family, monkeypatch):
    monkeypatch.setattr(family.model.config, "label_smoothing", 0.2)
    loss = whole_pass(family, family.vectors["ids_right"], labels=family.vectors["labels"]).loss
    torch.testing.assert_close(loss, family.vectors["loss_label_smoothing_0p2"], rtol=1e-5, atol=0)


def test_loss_without_logits_is_the_same_loss(family):
    vectors = family.vectors
    given = dict(labels=vectors["labels"], sample_weights=vectors["sample_weights"])
    full = whole_pass(family, vectors["ids_right"], **given)
    short = whole_pass(family, vectors["ids_right"], **given, return_logits=False)
    assert short.logits is None
    torch.testing.assert_close(short.loss, full.loss, rtol=1e-6, atol=0)


@pytest.mark.parametrize("prompt", [1, 4, 7, 11])
@pytest.mark.parametrize("padded", [False, True])
def test_steps_equal_the_whole_pass_for_any_split(family, prompt, padded):
    name = "left" if padded else "full"
    ids, expected = family.vectors[f"ids_{name}"], family.vectors[f"logits_{name}"]
    real = ids != 0
    cache = family.model.new_cache(2, encoder_hidden=family.encoded)
    logits = [family.model.step(ids[:, :prompt], cache, key_mask=real[:, :prompt])]
    for i in range(prompt, ids.shape[1]):
        mask = None if real[:, i].all() else real[:, i : i + 1]
        logits.append(family.model.step(ids[:, i : i + 1], cache, key_mask=mask))
    found, seen = torch.stack(logits, 1), real[:, prompt - 1 :]
    torch.testing.assert_close(found[seen], expected[:, prompt - 1 :][seen], atol=1e-5, rtol=0)


def test_prompt_in_chunks_and_logits_of_every_position(family):
    ids, expected = family.vectors["ids_left"], family.vectors["logits_left"]
    real = ids != 0
    cache = family.model.new_cache(2, encoder_hidden=family.encoded)
    chunks = ((0, 3), (3, 8), (8, 12))
    parts = [family.model.step(ids[:, a:b], cache, key_mask=real[:, a:b], logits_all=True) for a, b in chunks]
    torch.testing.assert_close(torch.cat(parts, 1)[real], expected[real], **LOGITS)


def test_left_padded_row_equals_the_same_row_alone(family):
    ids = family.vectors["ids_left"]
    real = ids != 0
    cache = family.model.new_cache(2, encoder_hidden=family.encoded)
    padded = family.model.step(ids, cache, key_mask=real)[1]
    alone = family.model.new_cache(1, encoder_hidden=family.encoded[1:])
    torch.testing.assert_close(padded, family.model.step(ids[1:, real[1]], alone)[0], atol=1e-5, rtol=0)


def greedy(model, prompt, encoded, steps, stop=(2,), mix=None):
    """Greedy ids; a finished row is filled with 0 until all rows are done. `mix` merges doubled rows' logits."""
    rows = prompt.shape[0] if mix is None else prompt.shape[0] // 2
    cache = model.new_cache(prompt.shape[0], encoder_hidden=encoded)
    logits = model.step(prompt, cache, key_mask=prompt != 0)
    ids, done, first = prompt[-rows:], torch.zeros(rows, dtype=torch.bool), []
    for _ in range(steps):
        scores = logits if mix is None else mix(logits[:rows], logits[rows:])
        first.append(scores)
        token = scores.argmax(-1).masked_fill(done, 0)
        ids = torch.cat((ids, token[:, None]), 1)
        done |= torch.isin(token, torch.tensor(stop))
        if done.all():
            break
        logits = model.step(token.repeat(prompt.shape[0] // rows)[:, None], cache)
    return ids, torch.stack(first[:5], 1)


def test_greedy_ids(family):
    vectors = family.vectors
    ids, first = greedy(family.model, vectors["gen_prompt"], family.encoded, 40)
    assert torch.equal(ids, vectors["gen_ids"])
    torch.testing.assert_close(first, vectors["gen_logits_first5"], **LOGITS)


def test_greedy_ids_with_a_list_of_stop_ids(family):
    vectors = family.vectors
    ids, _ = greedy(family.model, vectors["gen_prompt"], family.encoded, 40, stop=vectors["eos_list"].tolist())
    assert torch.equal(ids, vectors["eos_gen_ids"])


def test_doubled_batch_shares_the_encoder_rows(family):
    """Recorded with guidance towards the negative prompt (scores = prompt + s (negative - prompt)); ours is the
    intended formula, which is the recorded one with the halves exchanged. The raw logits do not depend on it."""
    vectors, scale = family.vectors, 1.5
    prompt = torch.cat((vectors["cfg_negative_prompt"], vectors["gen_prompt"]))
    cache = family.model.new_cache(4, encoder_hidden=family.encoded)
    raw = family.model.step(prompt, cache, key_mask=prompt != 0)
    torch.testing.assert_close(raw, vectors["cfg_raw_logits_step0"], **LOGITS)
    negative, positive = raw[:2], raw[2:]
    intended = negative + scale * (positive - negative)
    exchanged = positive + scale * (negative - positive)
    torch.testing.assert_close(exchanged, vectors["cfg_scores_step0"], atol=5e-5, rtol=0)
    torch.testing.assert_close(intended + exchanged, negative + positive, atol=5e-5, rtol=0)
    ids, _ = greedy(family.model, prompt, family.encoded, 40, mix=lambda neg, pos: pos + scale * (neg - pos))
    assert torch.equal(ids, vectors["cfg_gen_ids"])
