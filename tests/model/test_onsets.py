"""The head that hears onsets: what it is taught, what it is told, and that models without it are as they were."""

import pytest
import torch
from tiny_training import Clicks, tiny_profile

from osuT5.data.batches import collate, sound_of
from osuT5.errors import InputError
from osuT5.events import Vocabulary
from osuT5.model import Mapperatorinator, load_model, save_checkpoint
from osuT5.model.onsets import conditions_mean, onset_loss, onset_targets

MARKS, TIMES = (3, 4), (10, 110)


def test_targets_are_the_times_between_the_marks_of_the_map():
    labels = torch.tensor([[12, 3, 10, 7, 30, 7, 4, 50], [12, 13, 14, 2, -100, -100, -100, -100]])
    targets = onset_targets(labels, MARKS, TIMES, 64, 16.0)
    assert targets[0].nonzero().flatten().tolist() == [0, int(205 / 16)]
    assert (targets[1] == -1).all()  # no map is written there


def test_rows_without_a_map_cost_nothing():
    odds = torch.tensor([[2.0, -2.0], [5.0, 5.0]])
    targets = torch.tensor([[1.0, 0.0], [-1.0, -1.0]])
    alone = onset_loss(odds[:1], targets[:1])
    assert onset_loss(odds, targets) == pytest.approx(float(alone) / 2)


def test_what_stands_before_the_start_id_is_told():
    ids = torch.tensor([[0, 5, 6, 1, 7, 8]])
    embedded = torch.arange(6.0).view(1, 6, 1)
    assert conditions_mean(embedded, ids, start_id=1, pad_id=0).tolist() == [[1.5]]


def small_model(profile=None):
    torch.manual_seed(0)
    profile = profile or tiny_profile()
    vocabulary = Vocabulary.from_profile(profile)
    return Mapperatorinator.from_profile(profile, vocabulary)


def test_the_loss_is_that_of_the_tokens_and_of_the_onsets():
    model = small_model()
    batch = collate(Clicks(model.profile, model.vocabulary).windows(0, 0))
    output = model(**{**batch, "frames": sound_of(batch["frames"])})
    loss, tokens, onsets = (float(part.detach()) for part in (output.loss, output.token_loss, output.onset_loss))
    assert loss == pytest.approx(tokens + onsets)
    assert onsets > 0
    output.loss.backward()
    assert model.onset_head.told.weight.grad.abs().sum() > 0


def test_it_learns_where_the_clicks_are():
    model = small_model()
    windows = Clicks(model.profile, model.vocabulary).windows(0, 0)
    batch = collate(windows)
    batch["frames"] = sound_of(batch["frames"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        model(**batch).onset_loss.backward()
        optimizer.step()
    with torch.no_grad():
        odds = model.onset_logits(model.encode(batch["frames"]), batch["decoder_input_ids"])
    targets = onset_targets(
        batch["labels"],
        tuple(model.config.onset_marks),
        (model.config.rhythm_token_start, model.config.rhythm_token_end),
        odds.shape[1],
        model.onset_slice_ms,
    )
    assert odds[targets == 1].mean() > odds[targets == 0].mean() + 2


def test_a_saved_model_keeps_it(tmp_path):
    model = small_model().eval()
    save_checkpoint(model, tmp_path)
    loaded = load_model(tmp_path)
    frames, ids = torch.zeros(1, model.profile.window_samples), torch.tensor([[9, 1]])
    with torch.no_grad():
        found = loaded.onset_logits(loaded.encode(frames), ids)
        assert torch.equal(found, model.onset_logits(model.encode(frames), ids))


def test_models_without_it_say_nothing_of_it():
    plain = tiny_profile()
    model = small_model(plain.replace(model={k: v for k, v in plain.model.items() if k != "onset_head"}))
    assert not any(key.startswith("onset") for key in model.config.published())
    assert not any("onset" in name for name, _ in model.named_parameters())
    with pytest.raises(InputError, match="no onset head"):
        model.onset_logits(torch.zeros(1, 4, 32), torch.tensor([[1]]))
