"""Checkpoint folders: every form is read, every fault is named, and what is saved reads back."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from osuT5.errors import CheckpointError, InputError
from osuT5.events.profile import load_profile
from osuT5.model import Mapperatorinator, load_model, save_checkpoint
from osuT5.model.profile_match import detect_profile
from osuT5.model.weights import empty_model

VERSIONS = ("v28", "v30", "v31", "v32")


@pytest.mark.parametrize("version", VERSIONS)
def test_published_form_loads_with_its_profile(version, published_form):
    folder, profile = published_form(version)
    model = load_model(folder, profile=profile)
    assert model.profile is profile and not model.training
    assert model.vocabulary.vocab_size_out == model.config.vocab_size
    assert model.dtype == torch.float32
    assert model.source.folder == folder and model.source.subfolder == ""


@pytest.mark.parametrize("version", VERSIONS)
def test_saved_checkpoint_reads_back(version, published_form, tmp_path):
    folder, profile = published_form(version)
    model = load_model(folder, profile=profile)
    save_checkpoint(model, tmp_path / "saved")
    names = {path.name for path in (tmp_path / "saved").iterdir()}
    assert names == {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "profile.json"}
    again = load_model(tmp_path / "saved")
    assert again.profile == profile
    for (name, a), (_, b) in zip(model.state_dict().items(), again.state_dict().items(), strict=True):
        assert torch.equal(a, b), name
    for name in ("config.json", "generation_config.json"):
        stored, written = (json.loads((f / name).read_text()) for f in (folder, tmp_path / "saved"))
        ignored = {"transformers_version", "num_hidden_layers", "_from_model_config"}
        assert {k: v for k, v in written.items() if k not in ignored} == {
            k: v for k, v in stored.items() if k not in ignored
        }
    assert json.loads((tmp_path / "saved" / "tokenizer.json").read_text()) == json.loads(
        (folder / "tokenizer.json").read_text()
    )


def test_half_size_checkpoint_holds_overflowing_tensors_whole(published_form, tmp_path):
    folder, profile = published_form("v32")
    model = load_model(folder, profile=profile)
    with torch.no_grad():
        model.decoder_embedder.weight[0, 0] = 1e6
    save_checkpoint(model, tmp_path / "half", dtype=torch.float16)
    stored = load_file(tmp_path / "half" / "model.safetensors")
    assert stored.pop("decoder_embedder.weight").dtype == torch.float32
    assert {tensor.dtype for tensor in stored.values()} == {torch.float16}
    assert load_model(tmp_path / "half").decoder_embedder.weight[0, 0] == 1e6


def test_the_librarys_own_loading_and_saving_work(published_form, tmp_path):
    folder, profile = published_form("v28")
    model = load_model(folder, profile=profile)
    theirs = Mapperatorinator.from_pretrained(folder)
    for (name, a), (_, b) in zip(model.state_dict().items(), theirs.state_dict().items(), strict=True):
        assert torch.equal(a, b), name
    _ = model.cached_decoder  # gathered weights share memory with the published ones
    model.save_pretrained(tmp_path / "theirs")
    assert Mapperatorinator.from_pretrained(tmp_path / "theirs").config.published() == model.config.published()


def test_shards_and_pickled_state_dicts(family, tmp_path, profile):
    state = load_file(family.folder / "model.safetensors")
    names = list(state)
    for kind in ("shards", "bin"):
        folder = tmp_path / kind
        shutil.copytree(family.folder, folder, ignore=shutil.ignore_patterns("model.safetensors", "vectors.npz"))
        if kind == "bin":
            torch.save(state, folder / "pytorch_model.bin")
        else:
            files = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
            for file, keys in files.items():
                save_file({k: state[k] for k in keys}, folder / file)
            index = {"weight_map": {key: file for file, keys in files.items() for key in keys}}
            (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        model = load_model(folder, profile=profile)
        assert torch.equal(model.encode(family.vectors["frames"], **family.conditions), family.encoded)


class Malicious:
    def __reduce__(self):
        return print, ("this must not run",)


def test_pickles_with_code_are_refused(family, tmp_path, profile, capsys):
    shutil.copytree(family.folder, tmp_path / "m", ignore=shutil.ignore_patterns("*.safetensors", "*.npz"))
    torch.save({"a": Malicious()}, tmp_path / "m" / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="more than tensors"):
        load_model(tmp_path / "m", profile=profile)
    assert "must not run" not in capsys.readouterr().out


def test_an_index_cannot_reach_outside_its_folder(family, tmp_path, profile):
    shutil.copytree(family.folder, tmp_path / "m", ignore=shutil.ignore_patterns("*.safetensors", "*.npz"))
    (tmp_path / "m" / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../other.safetensors"}}')
    with pytest.raises(CheckpointError, match="outside its folder"):
        load_model(tmp_path / "m", profile=profile)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "config.json").unlink(), "config.json is missing"),
        (lambda f: (f / "config.json").write_text("{"), "config.json: cannot be read"),
        (lambda f: (f / "config.json").write_text("{}"), "model_type is None"),
        (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json"),
        (lambda f: (f / "model.safetensors").unlink(), "no weights found"),
        (lambda f: (f / "model.safetensors").write_bytes(b"nonsense"), "cannot be read as weights"),
    ],
)
def test_incomplete_folders_are_named(spoil, message, published_form):
    folder, profile = published_form("v32")
    spoil(folder)
    with pytest.raises(CheckpointError, match=message):
        load_model(folder, profile=profile)


def test_training_state_is_recognised(tmp_path):
    for name in ("pytorch_model.bin", "custom_checkpoint_0.pkl"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(CheckpointError, match="training state: convert it"):
        load_model(tmp_path)


def test_missing_unknown_and_misshapen_weights_are_named(published_form):
    folder, profile = published_form("v32")
    state = load_file(folder / "model.safetensors")
    state["stranger"] = state.pop("transformer.proj_out.weight")
    state["decoder_embedder.weight"] = torch.zeros(3, 3)
    save_file(state, folder / "model.safetensors")
    with pytest.raises(CheckpointError) as error:
        load_model(folder, profile=profile)
    message = str(error.value)
    assert "missing: transformer.proj_out.weight" in message and "unknown: stranger" in message
    assert "decoder_embedder.weight is (3, 3), not (3745, 32)" in message


def test_profile_is_detected_from_config(edit_json, published_form):
    folder, _ = published_form("v32")
    with pytest.raises(CheckpointError, match="name one of v28"):
        load_model(folder)
    for name in ("v28", "v29", "v30", "v31", "v32", "v32-mini"):
        profile = load_profile(name)
        config = type("Config", (), {})()
        config.backbone_model_name = profile.model["backbone_model_name"]
        config.max_source_positions, config.max_target_positions = profile.src_seq_len // 2, profile.tgt_seq_len
        config.hidden_size = profile.model["d_model"]
        assert detect_profile(config).name == name


def test_profile_beside_the_weights_wins(published_form):
    folder, profile = published_form("v32")
    (folder / "profile.json").write_text(json.dumps(profile.replace(name="mine").to_dict()))
    assert load_model(folder, profile="v28").profile.name == "mine"


def test_a_profile_that_does_not_fit_is_named_with_the_folder(published_form):
    folder, profile = published_form("v32")
    with pytest.raises(CheckpointError) as error:
        load_model(folder, profile="v31")
    message = str(error.value)
    assert str(folder) in message and "'v31'" in message
    assert "time shifts are 0..613" in message and "needs 3276" in message
    assert "lacks the event types" in message and "pos_x" in message
    with pytest.raises(CheckpointError, match="hop 128 at 16000 Hz"):
        load_model(folder, profile=profile.replace(spectrogram={**profile.spectrogram, "hop_length": 256}))


@pytest.mark.parametrize("precision", ["bf16", "fp16", "amp"])
def test_low_precision_stays_close(family, profile, precision):
    model = load_model(family.folder, profile=profile, precision=precision)
    assert model.transformer.proj_out.weight.dtype == {
        "bf16": torch.bfloat16,
        "fp16": torch.float16,
        "amp": torch.float32,
    }[precision]
    ids, expected = family.vectors["ids_left"], family.vectors["logits_left"]
    encoded = model.encode(family.vectors["frames"], **family.conditions)
    cache = model.new_cache(2, encoder_hidden=encoded)
    parts = [model.step(ids[:, :6], cache, ids[:, :6] != 0, True)]
    parts += [model.step(ids[:, i : i + 1], cache, logits_all=True) for i in range(6, 12)]
    logits, real = torch.cat(parts, 1), ids != 0
    assert logits.dtype == torch.float32
    limit = {"bf16": 0.12, "fp16": 0.02, "amp": 0.12}[precision]
    assert (logits - expected)[real].abs().max() < limit
    if precision != "amp":  # the same numbers would mean that the option does nothing
        assert (logits - expected)[real].abs().max() > 1e-4


def test_conditioning_stays_in_float32(published_form):
    folder, profile = published_form("v30")
    model = load_model(folder, profile=profile, precision="bf16")
    assert model.difficulty_embedder.basis_centers.dtype == torch.float32
    assert model.mapper_embedder.embedding.weight.dtype == torch.float32


def test_every_attention_option_gives_the_same_numbers(family, profile):
    for choice in ("auto", "sdpa", "eager", "flash_attention_2"):
        model = load_model(family.folder, profile=profile, attn_implementation=choice)
        assert torch.equal(model.encode(family.vectors["frames"], **family.conditions), family.encoded)


def test_unknown_options_are_named(published_form):
    folder, profile = published_form("v32")
    with pytest.raises(InputError, match="precision 'int8' is unknown; use one of fp32"):
        load_model(folder, precision="int8", profile=profile)
    with pytest.raises(InputError, match="attn_implementation 'magic'"):
        load_model(folder, attn_implementation="magic", profile=profile)
    with pytest.raises(InputError, match="device 'toaster' cannot be used"):
        load_model(folder, device="toaster", profile=profile)


def test_dead_weights_are_not_kept(family):
    stored = load_file(family.folder / "model.safetensors")
    kept = set(family.model.state_dict())
    assert {k for k in stored if k not in kept} == {
        k for k in stored if k.startswith("spectrogram.") or k == "loss_fn.weight" or "embed_tokens" in k
    }


def test_saving_needs_vocabulary_and_profile(family, tmp_path):
    with pytest.raises(CheckpointError, match="carries none"):
        save_checkpoint(empty_model(family.model.config), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_loaded_model_can_be_trained_further(family, profile):
    model = load_model(family.folder, profile=profile).train()
    given = dict(decoder_input_ids=family.vectors["ids_right"], labels=family.vectors["labels"])
    model(frames=family.vectors["frames"], **given, **family.conditions).loss.backward()
    frozen = {"transformer.model.encoder.embed_positions.weight"}
    assert {name for name, p in model.named_parameters() if p.grad is None} <= frozen
