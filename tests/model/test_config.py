"""config.json: early files, what is refused, and the published key tables."""

import gzip
import json

import pytest
import torch

from osuT5.errors import CheckpointError
from osuT5.events.profile import load_profile
from osuT5.events.vocabulary import Vocabulary
from osuT5.model import Mapperatorinator, MapperatorinatorConfig, load_model, state_dict_keys
from osuT5.model.weights import empty_model

VERSIONS = ("v28", "v29", "v30", "v31", "v32", "v32-mini")


def test_early_config_takes_the_values_that_were_in_force(golden):
    folder = golden / "model" / "early-config"
    config = MapperatorinatorConfig(**json.loads((folder / "config.json").read_text()))
    in_force = {**config.to_dict(), **config.generation_defaults()}
    for key, value in json.loads((folder / "effective_values.json").read_text()).items():
        if key != "dtype":
            assert in_force[key] == value, key


def test_early_config_gives_the_same_logits(golden, tmp_path, profile, family):
    if family.name != "tiny-whisper":
        pytest.skip("the early file belongs to tiny-whisper")
    for name in ("model.safetensors", "tokenizer.json"):
        (tmp_path / name).write_bytes((family.folder / name).read_bytes())
    (tmp_path / "config.json").write_text((golden / "model" / "early-config" / "config.json").read_text())
    early = load_model(tmp_path, profile=profile)
    assert torch.equal(early.encode(family.vectors["frames"]), family.encoded)


def test_stale_layer_counts_do_not_matter(family):
    assert len(family.model.transformer.model.encoder.layers) == len(family.model.transformer.model.decoder.layers) == 2
    assert family.model.config.num_hidden_layers == 2


def published_config(version, vocab_in, vocab_out, mappers):
    profile = load_profile(version)
    sizes = profile.model
    return MapperatorinatorConfig(
        backbone_model_name=sizes["backbone_model_name"],
        vocab_size=vocab_out,
        vocab_size_in=vocab_in,
        num_mappers=mappers,
        max_source_positions=profile.src_seq_len // 2,
        max_target_positions=profile.tgt_seq_len,
        spectrogram_implementation=profile.spectrogram["implementation"],
        n_mels=profile.spectrogram["n_mels"],
        pad_mode=profile.spectrogram["pad_mode"],
        **{k: v for k, v in sizes.items() if k.startswith("do_") or k.startswith("cond_") or k.startswith("project_")},
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_published_key_table(version, golden):
    text = gzip.decompress((golden / "model" / "state_dict_keys.json.gz").read_bytes())
    table = json.loads(text)["versions"][version]
    symbols = {"vocab_in": 9920, "vocab_out": 3988, "num_mappers+1": 3732}
    config = published_config(version, 9920, 3988, 3731)
    expected = {key: tuple(symbols.get(n, n) for n in shape) for key, shape, _, _ in table["entries"]}
    assert state_dict_keys(config) == expected
    model = empty_model(config)
    count = table["parameter_count"]
    total = count["constant"] + count["vocab_in"] * 9920 + count["vocab_out"] * 3988 + count["num_mappers"] * 3731
    dead = 3988 * config.hidden_size  # the decoder's unused embedding is not kept
    assert sum(p.numel() for p in model.parameters()) == total - dead
    assert [name for name, p in model.named_parameters() if not p.requires_grad] == table["frozen"]
    assert not list(model.buffers())


def test_unpublished_family_is_named(golden):
    values = json.loads((golden / "model" / "tiny-nwhisper" / "config.json").read_text())
    with pytest.raises(CheckpointError, match="nwhisper.*supported families: openai/whisper"):
        MapperatorinatorConfig(**values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(do_style_embed=True), "style embeddings"),
        (dict(input_raw_wave=True), "raw-wave"),
        (dict(do_difficulty_embed=False), "cond_size is 24, but 2 conditions need 16"),
        (dict(n_mels=21), "num_mel_bins is 44, but the encoder input has 45 channels"),
        (dict(vocab_size=999), "vocab_size is 999, but backbone_config says 325"),
        (dict(rhythm_token_start=9, rhythm_token_end=3), "9..3 are no range"),
    ],
)
def test_contradictions_are_named(change, message, golden):
    values = json.loads((golden / "model" / "tiny-ropewhisper" / "config.json").read_text())
    with pytest.raises(CheckpointError, match=message):
        MapperatorinatorConfig(**{**values, **change})


def test_unknown_keys_are_ignored(golden):
    values = json.loads((golden / "model" / "tiny-varwhisper" / "config.json").read_text())
    config = MapperatorinatorConfig(**values, a_key_of_the_future=3)
    assert not hasattr(config, "a_key_of_the_future")


def test_written_config_has_the_published_fields(family):
    stored = json.loads((family.folder / "config.json").read_text())
    written = family.model.config.published()
    informational = {"dtype", "transformers_version", "model_type"}
    assert set(written) | informational == set(stored) | informational
    stale = {"num_hidden_layers"}
    assert {k: written[k] for k in written if k not in stale} == {k: stored[k] for k in written if k not in stale}


def test_new_model_from_a_profile():
    profile = load_profile("mini")
    vocabulary = Vocabulary.from_profile(profile)
    with torch.device("meta"):
        model = Mapperatorinator.from_profile(profile, vocabulary)
    config = model.config
    assert (config.hidden_size, config.backbone.encoder_layers, config.backbone.decoder_layers) == (256, 4, 4)
    assert (config.vocab_size_in, config.vocab_size) == (vocabulary.vocab_size_in, vocabulary.vocab_size_out)
    assert (config.rhythm_token_start, config.rhythm_token_end) == (11, 11 + profile.max_time_step + 1)
    assert config.window_samples == profile.window_samples
    assert sum(p.numel() for p in model.parameters()) < 12e6
    with pytest.raises(CheckpointError, match="lacks model sizes: backbone_model_name"):
        Mapperatorinator.from_profile(profile.replace(model={}), vocabulary)
