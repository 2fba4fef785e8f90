"""LoRA training: what is trainable, what is kept for resuming, and what comes out."""

import copy
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from osuT5.errors import CheckpointError, InputError, OptionErrors
from osuT5.events.profile import Profile
from osuT5.model import Mapperatorinator, load_model, save_checkpoint
from osuT5.model.lora import Adapter, merge_adapter, read_adapter
from osuT5.training.adapters import (
    adapter_state,
    add_adapter,
    attention_projections,
    load_adapter_state,
    merged,
    save_adapter,
)
from osuT5.training.options import LoraOptions, TrainOptions
from osuT5.training.run import open_run

GOLDEN = Path(__file__).parents[1] / "golden"
FAMILIES = {
    "tiny-whisper": ("k_proj", "out_proj", "q_proj", "v_proj"),
    "tiny-ropewhisper": ("k_proj", "out_proj", "q_proj", "v_proj"),
    "tiny-varwhisper": ("Wkv", "Wo", "Wq", "Wqkv"),
}
TINY = Profile(
    name="tiny",
    src_seq_len=64,
    tgt_seq_len=96,
    gamemodes=(0,),
    spectrogram={"sample_rate": 16000, "hop_length": 128},
    **dict.fromkeys(
        "add_out_context_types add_distances add_positions add_sv add_hitsounded_token add_song_length_token "
        "add_song_position_token add_timing_points add_mapper_token add_diff_token add_year_token add_cs_token "
        "add_descriptors add_kiai_special_token add_volumes".split(),
        False,
    ),
)
SMALL = LoraOptions(r=4, lora_alpha=8, lora_dropout=0.0)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def tiny(name="tiny-varwhisper") -> Mapperatorinator:
    return load_model(GOLDEN / "model" / name, profile=TINY)


def batch(name="tiny-varwhisper"):
    with np.load(GOLDEN / "model" / name / "vectors.npz") as arrays:
        inputs = {"frames": torch.from_numpy(np.array(arrays["frames"]))}
        for key in arrays.files:
            if key.startswith("cond_"):
                inputs[key[5:]] = torch.from_numpy(np.array(arrays[key]))
    ids = torch.arange(3, 27).repeat(2, 1)
    return {**inputs, "decoder_input_ids": ids, "labels": ids.roll(-1, 1)}


def logits(model, name="tiny-varwhisper"):
    model.eval()
    with torch.no_grad():
        return model(**batch(name)).logits


def train(model, steps, optimizer=None, first=0):
    """Some steps on the same batch, with dropout drawn anew for each step number."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = optimizer or torch.optim.AdamW(trainable, lr=0.01)
    model.train()
    for step in range(first, first + steps):
        torch.manual_seed(step)
        model(**batch()).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return optimizer


# ---- what is trainable


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("init", ["pissa", "default", "gaussian", True])
def test_a_fresh_adapter_changes_nothing_and_only_its_matrices_train(name, init):
    model = tiny(name)
    before = logits(model, name)
    count = sum(path.endswith(FAMILIES[name]) for path, _ in model.named_modules())
    same = add_adapter(model, LoraOptions(r=4, lora_alpha=8, init_lora_weights=init))
    assert same is model and isinstance(model, Mapperatorinator)
    torch.testing.assert_close(logits(model, name), before, atol=2e-5, rtol=0)
    trainable = {n: p for n, p in model.named_parameters() if p.requires_grad}
    assert all(".lora_A." in n or ".lora_B." in n for n in trainable)
    assert all(p.dtype == torch.float32 for p in trainable.values())
    adapted = {n.split(".lora_")[0].rsplit(".", 1)[-1] for n in trainable}
    assert adapted == set(FAMILIES[name]) == set(attention_projections(tiny(name)))
    assert len(trainable) == 2 * count > 0


def test_targets_are_ends_of_module_paths():
    model = add_adapter(tiny(), LoraOptions(r=2, lora_alpha=2, target_modules=["fc1", "cross_attn.Wq"]))
    names = {n.split(".lora_")[0] for n, p in model.named_parameters() if p.requires_grad}
    layers = [f"transformer.model.{side}.layers.{i}" for side in ("encoder", "decoder") for i in (0, 1)]
    assert names == {f"{layer}.fc1" for layer in layers} | {f"{layer}.cross_attn.Wq" for layer in layers[2:]}


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
def test_a_half_precision_base_stays_so_and_learns(dtype):
    model = load_model(GOLDEN / "model" / "tiny-varwhisper", profile=TINY, precision=dtype)
    kind = model.compute_dtype
    before = logits(model).float()
    add_adapter(model, SMALL)
    assert (logits(model).float() - before).abs().max() < 0.2  # the residual is rounded to the base's dtype
    first = model(**batch()).loss.item()
    train(model, 6)
    assert model(**batch()).loss.item() < first - 0.05
    base = model.transformer.model.decoder.layers[0].self_attn.Wo.base_layer.weight
    assert base.dtype == kind and not base.requires_grad
    with merged(model):
        assert model.transformer.model.decoder.layers[0].self_attn.Wo.weight.dtype == kind


def test_the_toy_of_the_published_trainer_in_every_step():
    folder = GOLDEN / "training" / "lora"
    settings = json.loads((folder / "lora.json").read_text())
    with np.load(folder / "lora.npz") as found:
        arrays = {key: torch.from_numpy(np.array(found[key])) for key in found.files}

    class Toy(nn.Module):
        def __init__(self):
            super().__init__()
            self.q_proj, self.out_proj, self.other = nn.Linear(6, 8), nn.Linear(8, 6, bias=False), nn.Linear(6, 6)
            self.adapter = None

        def forward(self, x):
            return self.other(self.out_proj(torch.tanh(self.q_proj(x))))

    for kind in ("pissa", "default"):
        toy = Toy().eval()
        toy.load_state_dict({k[5:]: v for k, v in arrays.items() if k.startswith("base/")})
        torch.testing.assert_close(toy(arrays["x"]), arrays["y_base"], atol=1e-5, rtol=0)
        add_adapter(toy, LoraOptions(**{**settings, "init_lora_weights": kind}))
        for name, adapted in toy.adapter.layers.items():
            key = f"{kind}/init/base_model.model.{name}"
            torch.testing.assert_close(adapted.base.weight, arrays[f"{key}.base_layer.weight"], atol=1e-5, rtol=0)
            if kind == "pissa":
                a, b = adapted.matrices
                golden = arrays[f"{key}.lora_B.default.weight"] @ arrays[f"{key}.lora_A.default.weight"]
                torch.testing.assert_close(b @ a, golden, atol=1e-5, rtol=0)
            with torch.no_grad():
                for matrix, label in zip(adapted.matrices, "AB", strict=True):
                    saved = arrays[f"{kind}/saved/base_model.model.{name}.lora_{label}.weight"]
                    matrix.copy_(saved)
        torch.testing.assert_close(toy(arrays["x"]), arrays[f"{kind}/y_trained"], atol=1e-5, rtol=0)
        with merged(toy):
            torch.testing.assert_close(toy(arrays["x"]), arrays[f"{kind}/y_merged"], atol=1e-5, rtol=0)
            for name, value in toy.state_dict().items():
                torch.testing.assert_close(value, arrays[f"{kind}/merged/{name}"], atol=1e-5, rtol=0)


# ---- settings


def test_all_wrong_settings_are_named_at_once():
    with pytest.raises(OptionErrors) as caught:
        TrainOptions(
            lora={
                "r": 0,
                "lora_alpha": -1,
                "lora_dropout": 1.0,
                "bias": "all",
                "init_lora_weights": "pisa",
                "target_modules": [],
            }
        )
    for option in ("lora.r=", "lora_alpha", "lora_dropout", "lora.bias", "did you mean 'pissa'", "target_modules is"):
        assert option in str(caught.value)
    assert len(caught.value.problems) == 6


@pytest.mark.parametrize("values", [dict(r=True), dict(r=2.5), dict(target_modules=[1])])
def test_settings_of_the_wrong_kind_are_refused(values):
    with pytest.raises(OptionErrors):
        TrainOptions(lora=values)
    with pytest.raises(OptionErrors, match="not a list of names"):
        TrainOptions(lora_metadata={"ckpt_subfolders": 5})


def test_sub_checkpoints_are_normalised():
    def folders(*given):
        run = open_run(TrainOptions(data={"path": "x"}, lora_metadata={"ckpt_subfolders": given}))
        return run.options.lora_metadata.ckpt_subfolders

    assert folders("/gamemode=0/", "", "gamemode=0") == ("gamemode=0", "")
    assert folders() == ()


def test_targets_that_match_nothing_are_named_with_what_there_is():
    with pytest.raises(
        OptionErrors, match=r"'q_proj' is no linear layer.*it has Wkv, Wo, Wq, Wqkv.*fc1.*proj_out"
    ) as caught:
        add_adapter(tiny(), LoraOptions(r=2, target_modules=["q_proj", "Wo", "conv1"]))
    assert len(caught.value.problems) == 2


def test_a_rank_above_the_matrix_is_refused_for_pissa_only():
    with pytest.raises(OptionErrors, match="use at most 32"):
        add_adapter(tiny(), LoraOptions(r=64))
    add_adapter(tiny(), LoraOptions(r=64, init_lora_weights="default"))


def test_a_second_adapter_and_a_missing_library_are_refused(monkeypatch):
    with pytest.raises(InputError, match="already has a LoRA"):
        add_adapter(add_adapter(tiny(), SMALL), SMALL)
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(InputError, match="needs peft"):
        add_adapter(tiny(), SMALL)
    with pytest.raises(InputError, match="has no LoRA"):
        adapter_state(tiny())


# ---- resuming


def bits(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def same_bits(one, other):
    assert one.keys() == other.keys()
    assert [k for k in one if not torch.equal(one[k], other[k])] == []


@pytest.mark.parametrize("init", ["pissa", "default"])
def test_a_resumed_run_goes_on_bit_for_bit(init):
    settings = LoraOptions(r=4, lora_alpha=8, lora_dropout=0.3, init_lora_weights=init)
    whole = add_adapter(tiny(), settings)
    optimizer = train(whole, 3)
    kept, moments = adapter_state(whole), copy.deepcopy(optimizer.state_dict())
    train(whole, 3, optimizer, first=3)
    size = sum(t.numel() for t in kept.values())
    assert size <= 2 * sum(p.numel() for p in whole.parameters() if p.requires_grad)
    torch.manual_seed(99)
    for resumed in (add_adapter(tiny(), settings), add_adapter(tiny(), settings, kept)):
        load_adapter_state(resumed, kept)
        again = torch.optim.AdamW([p for p in resumed.parameters() if p.requires_grad], lr=0.01)
        again.load_state_dict(copy.deepcopy(moments))
        train(resumed, 3, again, first=3)
        same_bits(bits(resumed), bits(whole))


def test_the_base_is_rebuilt_even_where_the_decomposition_comes_out_differently(monkeypatch):
    first = add_adapter(tiny(), SMALL)
    train(first, 2)
    real = torch.linalg.svd

    def elsewhere(matrix, **options):
        u, s, v = real(matrix, **options)
        return -u * (1 + 1e-6), s, -v

    monkeypatch.setattr(torch.linalg, "svd", elsewhere)
    second = add_adapter(tiny(), SMALL)
    name = "transformer.model.decoder.layers.0.self_attn.Wo.base_layer.weight"
    assert not torch.equal(bits(second)[name], bits(first)[name])
    load_adapter_state(second, adapter_state(first))
    same_bits(bits(second), bits(first))


@pytest.mark.parametrize(
    "other",
    [
        LoraOptions(r=2, lora_alpha=8),
        LoraOptions(r=4, lora_alpha=8, init_lora_weights="default"),
        LoraOptions(r=4, lora_alpha=8, target_modules=["Wo"]),
    ],
)
def test_a_state_of_other_settings_is_refused(other):
    state = adapter_state(add_adapter(tiny(), SMALL))
    model = add_adapter(tiny(), other)
    before = bits(model)
    with pytest.raises(CheckpointError, match="does not fit this run's lora settings"):
        load_adapter_state(model, state)
    same_bits(bits(model), before)


# ---- what comes out


def trained(init="pissa", subfolders=None):
    settings = LoraOptions(r=4, lora_alpha=6, lora_dropout=0.1, init_lora_weights=init)
    model = add_adapter(tiny(), settings, subfolders=subfolders)
    train(model, 4)
    return model


@pytest.mark.parametrize("init", ["pissa", "default"])
def test_the_saved_folder_merges_to_the_trained_model_here_and_in_peft(init, tmp_path):
    peft = pytest.importorskip("peft")
    model = trained(init)
    learned = logits(model)
    assert (learned - logits(tiny())).abs().max() > 0.1
    save_adapter(model, tmp_path / "lora")
    loaded = load_model(GOLDEN / "model" / "tiny-varwhisper", profile=TINY, lora_path=tmp_path / "lora")
    assert loaded.lora_merged and not loaded.notices
    torch.testing.assert_close(logits(loaded), learned, atol=3e-5, rtol=0)
    theirs = peft.PeftModel.from_pretrained(tiny(), str(tmp_path / "lora"))
    torch.testing.assert_close(logits(theirs), learned, atol=3e-5, rtol=0)


def test_the_saved_folder_is_a_standard_adapter_that_tells_its_base(tmp_path):
    model = trained(subfolders=["/gamemode=0/"])
    save_adapter(model, tmp_path, base_name="owner/model")
    adapter = read_adapter(tmp_path)
    assert not adapter.principal and adapter.config["r"] == 8 and adapter.config["lora_alpha"] == 12
    assert adapter.config["base_model_name_or_path"] == "owner/model"
    save_adapter(model, tmp_path)
    assert read_adapter(tmp_path).config["base_model_name_or_path"] == str(GOLDEN / "model" / "tiny-varwhisper")
    assert set(adapter.config["target_modules"]) == set(FAMILIES["tiny-varwhisper"])
    metadata = json.loads((tmp_path / "mapperatorinator_lora_metadata.json").read_text())
    assert metadata["ckpt_subfolders"] == ["gamemode=0"] and metadata["format_version"] == 1
    assert metadata["base"]["profile"] == "tiny" and metadata["base"]["family"] == "olibomby/varwhisper"
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
        "mapperatorinator_lora_metadata.json",
    ]


def test_a_folder_that_cannot_be_written_is_one_message(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="the LoRA cannot be written"):
        save_adapter(add_adapter(tiny(), SMALL), tmp_path / "file")


def test_merged_is_a_plain_model_that_steps_and_saves(tmp_path):
    model = trained()
    learned, before = logits(model), bits(model)
    plain = set(tiny().state_dict())
    with pytest.raises(InputError, match="merge it first"):
        model.new_cache(1)
    with pytest.raises(CheckpointError, match="merge it to save it"):
        save_checkpoint(model, tmp_path)
    model.train()
    with merged(model) as ready:
        assert ready is model and set(model.state_dict()) == plain
        torch.testing.assert_close(logits(model), learned, atol=3e-5, rtol=0)
        inputs = batch()
        cache = model.new_cache(2, 32, model.encode(inputs["frames"]))
        stepped = model.step(inputs["decoder_input_ids"], cache, logits_all=True)
        torch.testing.assert_close(stepped, learned, atol=1e-4, rtol=0)
        save_checkpoint(model, tmp_path / "model")
    assert model.training and all(part.training for part in model.modules())
    same_bits(bits(model), before)
    exported = load_model(tmp_path / "model")
    torch.testing.assert_close(logits(exported), learned, atol=3e-5, rtol=0)
    train(model, 1)
    with pytest.raises(InputError, match="merge it first"):
        model.new_cache(1)


def test_merged_gives_the_adapter_back_after_a_failure():
    model = trained()
    before = bits(model)
    with pytest.raises(ZeroDivisionError), merged(model):
        raise ZeroDivisionError
    same_bits(bits(model), before)
    plain = tiny()
    with merged(plain) as same:
        assert same is plain


@pytest.mark.parametrize("kind", ["plain", "pissa"])
def test_what_is_saved_equals_what_merging_the_trained_matrices_gives(kind, tmp_path):
    """The published adapters, loaded as trained matrices, saved by us: the same weights."""
    published = read_adapter(GOLDEN / "model" / f"lora-{kind}")
    init = "pissa" if kind == "pissa" else "default"
    model = add_adapter(tiny(), LoraOptions(r=4, lora_alpha=8, init_lora_weights=init))
    with torch.no_grad():
        for name, adapted in model.adapter.layers.items():
            for matrix, saved in zip(adapted.matrices, published.matrices[name], strict=True):
                matrix.copy_(saved)
    ours, theirs = tiny().state_dict(), tiny().state_dict()
    save_adapter(model, tmp_path)
    merge_adapter(ours, read_adapter(tmp_path))
    merge_adapter(theirs, Adapter(published.folder, published.config, published.matrices))
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], atol=1e-5, rtol=0)
