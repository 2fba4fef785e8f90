"""LoRA adapters: plain and PiSSA merges, patterns, refusals, and which checkpoints an adapter fits."""

import json
import math
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from osuT5.errors import CheckpointError
from osuT5.model import load_model
from osuT5.model.lora import (
    Adapter,
    compatibility,
    merge_adapter,
    normalise_subfolders,
    principal_part,
    read_adapter,
    read_restriction,
    write_restriction,
)

PROBE = "transformer.model.decoder.layers.1.cross_attn.Wkv.weight"


@pytest.fixture(scope="module")
def vectors(golden):
    with np.load(golden / "model" / "lora_vectors.npz") as arrays:
        return {key: torch.from_numpy(np.array(arrays[key])) for key in arrays.files}


@pytest.mark.parametrize("kind", ["plain", "pissa"])
def test_merged_models(kind, golden, vectors, profile):
    base = golden / "model" / "tiny-varwhisper"
    model = load_model(base, profile=profile, lora_path=golden / "model" / f"lora-{kind}")
    assert model.lora_merged and not model.notices
    merged = model.state_dict()[PROBE]
    torch.testing.assert_close(merged, vectors[f"{kind}_merged_probe_weight"], atol=1e-5, rtol=0)
    with np.load(base / "vectors.npz") as arrays:
        frames = torch.from_numpy(arrays["frames"])
    ids = vectors["ids_left"]
    real = ids != 0
    with torch.no_grad():
        logits = model(frames=frames, decoder_input_ids=ids, decoder_attention_mask=real).logits
    torch.testing.assert_close(logits[real], vectors[f"{kind}_logits_merged"][real], atol=3e-5, rtol=0)
    assert (logits - vectors["base_logits"])[real].abs().max() > 0.1


def test_principal_part_of_the_probe_matrix(golden, vectors):
    weight = load_file(golden / "model" / "tiny-varwhisper" / "model.safetensors")[PROBE]
    part = principal_part(weight, 4)
    torch.testing.assert_close(part, vectors["pissa_probe_init_BA_scaled"], atol=1e-5, rtol=0)
    torch.testing.assert_close(weight - part, vectors["pissa_probe_residual_weight"], atol=1e-5, rtol=0)
    torch.testing.assert_close(
        torch.linalg.svdvals(weight), vectors["pissa_probe_singular_values"], atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize("kind", ["default", "pissa"])
def test_toy_algebra(kind, golden, tmp_path):
    folder = golden / "training" / "lora"
    settings = json.loads((folder / "lora.json").read_text())
    with np.load(folder / "lora.npz") as arrays:
        arrays = {key: torch.from_numpy(np.array(arrays[key])) for key in arrays.files}
    prefix = f"{kind}/saved/"
    saved = {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}
    save_file(saved, tmp_path / "adapter_model.safetensors")
    config = {**settings, "peft_type": "LORA", "init_lora_weights": "pissa" if kind == "pissa" else True}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    state = {k.removeprefix("base/"): v for k, v in arrays.items() if k.startswith("base/")}
    merge_adapter(state, read_adapter(tmp_path))
    for name, value in state.items():
        torch.testing.assert_close(value, arrays[f"{kind}/merged/{name}"], atol=1e-5, rtol=0)


def toy(config, rank=2):
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(rank, 6, generator=generator), torch.randn(8, rank, generator=generator)
    return Adapter("toy", config, {"model.layers.0.q_proj": (a, b)}), b @ a


@pytest.mark.parametrize(
    ("config", "scale"),
    [
        (dict(lora_alpha=8), 4.0),
        (dict(lora_alpha=8, use_rslora=True), 8 / math.sqrt(2)),
        (dict(lora_alpha=8, alpha_pattern={"q_proj": 2}), 1.0),
        (dict(lora_alpha=8, alpha_pattern={r"layers\.0\.q_proj": 6, "q_proj": 2}), 3.0),
        (dict(lora_alpha=8, alpha_pattern={"proj": 2, "v_proj": 6}), 4.0),
    ],
)
def test_scales(config, scale):
    adapter, product = toy(config)
    state = {"model.layers.0.q_proj.weight": torch.zeros(8, 6)}
    merge_adapter(state, adapter)
    torch.testing.assert_close(state["model.layers.0.q_proj.weight"], scale * product)


def test_half_weights_are_merged_in_float32():
    adapter, product = toy(dict(lora_alpha=2))
    base = torch.ones(8, 6, dtype=torch.float16)
    state = {"model.layers.0.q_proj.weight": base}
    merge_adapter(state, adapter)
    assert state["model.layers.0.q_proj.weight"].dtype == torch.float32
    torch.testing.assert_close(state["model.layers.0.q_proj.weight"], 1 + product)


def test_merging_agrees_with_peft(tmp_path):
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)
    base = torch.nn.Sequential()
    for name in ("q_proj", "v_proj"):
        base.add_module(name, torch.nn.Linear(8, 8))
    before = {name: value.clone() for name, value in base.state_dict().items()}
    wrapped = peft.get_peft_model(
        base,
        peft.LoraConfig(
            r=2,
            lora_alpha=3,
            target_modules=["q_proj", "v_proj"],
            rank_pattern={"v_proj": 4},
            alpha_pattern={"v_proj": 5},
            use_rslora=True,
            init_lora_weights=False,
        ),
    )
    wrapped.save_pretrained(tmp_path)
    merge_adapter(before, read_adapter(tmp_path))
    for name, value in wrapped.merge_and_unload().state_dict().items():
        torch.testing.assert_close(before[name], value)


def adapter_copy(golden, tmp_path, **changes):
    folder = tmp_path / "adapter"
    shutil.copytree(golden / "model" / "lora-plain", folder)
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return folder


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(use_dora=True), "DoRA"),
        (dict(bias="all"), "trained biases"),
        (dict(modules_to_save=["proj_out"]), "whole modules"),
        (dict(peft_type="IA3"), "IA3 adapters are not supported"),
        (dict(r=8), "has rank 4, but adapter_config.json says 8"),
    ],
)
def test_adapters_of_another_kind_are_refused(changes, message, golden, tmp_path):
    with pytest.raises(CheckpointError, match=message):
        read_adapter(adapter_copy(golden, tmp_path, **changes))


def test_an_adapter_for_another_family_is_refused(golden, profile):
    with pytest.raises(CheckpointError, match="made for another model family"):
        load_model(golden / "model" / "tiny-whisper", profile=profile, lora_path=golden / "model" / "lora-plain")
    with pytest.raises(CheckpointError, match="no such LoRA folder"):
        load_model(golden / "model" / "tiny-whisper", profile=profile, lora_path=golden / "nothing")


def test_randomised_decomposition_is_reported(golden, tmp_path):
    adapter = read_adapter(adapter_copy(golden, tmp_path, init_lora_weights="pissa_niter_4"))
    assert adapter.principal and "randomised" in adapter.notices[0]


def test_an_incompatible_adapter_is_skipped_with_its_reason(golden, tmp_path, profile):
    folder = adapter_copy(golden, tmp_path)
    write_restriction(folder, ["gamemode=3"])
    base = golden / "model" / "tiny-varwhisper"
    model = load_model(base, profile=profile, lora_path=folder)
    assert not model.lora_merged
    assert "made for 'gamemode=3', and the root checkpoint is loaded" in model.notices[0]
    assert torch.equal(model.state_dict()[PROBE], load_file(base / "model.safetensors")[PROBE])


def test_compatibility_rules(golden, tmp_path):
    cases = json.loads((golden / "model" / "checkpoint_paths.json").read_text())["lora_compat"]
    for i, case in enumerate(cases):
        folder = tmp_path / f"m{i}"
        folder.mkdir()
        if case["metadata_file"] is not None:
            (folder / "mapperatorinator_lora_metadata.json").write_text(case["metadata_file"])
        used, message = compatibility(folder, case["loaded_subfolder"])
        assert (used, message is not None) == (case["used"], case["message"]), case
        parsed = case["parsed_subfolders"]
        assert read_restriction(folder)[0] == (None if parsed == "no metadata" else parsed), case
    cases = json.loads((golden / "training" / "lora" / "metadata_cases.json").read_text())["allowed"]
    for i, case in enumerate(cases):
        folder = tmp_path / f"t{i}"
        folder.mkdir()
        if case["metadata_file"] != "<missing>":
            (folder / "mapperatorinator_lora_metadata.json").write_text(case["metadata_file"])
        assert compatibility(folder, case["checkpoint_subfolder"])[0] == case["loaded"], case


def test_metadata_file(golden, tmp_path):
    for case in json.loads((golden / "training" / "lora" / "metadata_cases.json").read_text())["normalise"]:
        if case["in"] is not None:
            assert normalise_subfolders(case["in"]) == case["out"]
        write_restriction(tmp_path, case["in"])
        text = (tmp_path / "mapperatorinator_lora_metadata.json").read_text()
        assert text == json.dumps(case["file"], indent=2, sort_keys=True) + "\n"
        assert read_restriction(tmp_path) == (case["out"], None)
