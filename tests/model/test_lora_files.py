"""LoRA folders: PiSSA adapters made standard, files that others can read, and what they tell of their base."""

import json
import math

import numpy as np
import pytest
import torch

from osuT5.errors import CheckpointError
from osuT5.model import load_model
from osuT5.model.lora import Adapter, find_adapter, merge_adapter, read_adapter
from osuT5.model.lora_files import adapter_config, base_identity, standard_adapter, write_adapter


def test_the_published_pissa_adapter_as_a_standard_one(golden, profile, tmp_path):
    base = load_model(golden / "model" / "tiny-varwhisper", profile=profile)
    adapter = read_adapter(golden / "model" / "lora-pissa")
    standard = standard_adapter(adapter, base.state_dict())
    assert standard.config["r"] == 8 and standard.config["lora_alpha"] == 16 and not standard.principal
    assert standard.scale("x", 8) == adapter.scale("x", 4)
    write_adapter(standard, tmp_path, ["", "gamemode=0"])
    model = load_model(golden / "model" / "tiny-varwhisper", profile=profile, lora_path=tmp_path)
    with np.load(golden / "model" / "lora_vectors.npz") as arrays:
        ids, expected = (torch.from_numpy(np.array(arrays[k])) for k in ("ids_left", "pissa_logits_merged"))
    with np.load(golden / "model" / "tiny-varwhisper" / "vectors.npz") as arrays:
        frames = torch.from_numpy(np.array(arrays["frames"]))
    real = ids != 0
    with torch.no_grad():
        logits = model(frames=frames, decoder_input_ids=ids, decoder_attention_mask=real).logits
    torch.testing.assert_close(logits[real], expected[real], atol=3e-5, rtol=0)


@pytest.mark.parametrize("rslora", [False, True])
def test_ranks_and_scales_of_single_modules_survive(rslora, tmp_path):
    torch.manual_seed(0)
    shapes = {"a.q_proj": (2, 3.0), "a.v_proj": (3, 5.0)}
    matrices = {name: (torch.randn(r, 6), torch.randn(8, r)) for name, (r, _) in shapes.items()}
    config = {
        **adapter_config(2, 3.0, ["q_proj", "v_proj"]),
        "init_lora_weights": "pissa",
        "use_rslora": rslora,
        "rank_pattern": {"v_proj": 3},
        "alpha_pattern": {"v_proj": 5.0},
    }
    adapter = Adapter(tmp_path, config, matrices)
    base = {f"{name}.weight": torch.randn(8, 6) for name in shapes}
    expected, found = dict(base), dict(base)
    merge_adapter(expected, adapter)
    write_adapter(standard_adapter(adapter, base), tmp_path, None)
    merge_adapter(found, read_adapter(tmp_path))
    for name, (r, alpha) in shapes.items():
        assert adapter.scale(name, r) == alpha / (math.sqrt(r) if rslora else r)
        torch.testing.assert_close(found[f"{name}.weight"], expected[f"{name}.weight"], atol=1e-5, rtol=0)


def test_a_standard_adapter_stays_itself(golden):
    adapter = read_adapter(golden / "model" / "lora-plain")
    assert standard_adapter(adapter, {}) is adapter
    assert find_adapter(golden / "model" / "lora-plain") == golden / "model" / "lora-plain"


def test_a_pissa_adapter_of_another_model_names_module_and_base(golden, profile):
    base = load_model(golden / "model" / "tiny-whisper", profile=profile).state_dict()
    with pytest.raises(CheckpointError, match=r"another model family \(tiny-varwhisper\)"):
        standard_adapter(read_adapter(golden / "model" / "lora-pissa"), base)


@pytest.mark.parametrize("init", ["olora", "corda", "loftq", "lora_ga"])
def test_adapters_relative_to_an_unknown_base_are_refused(init, golden, tmp_path):
    plain = read_adapter(golden / "model" / "lora-plain")
    write_adapter(Adapter(tmp_path, {**plain.config, "init_lora_weights": init}, plain.matrices), tmp_path, None)
    with pytest.raises(CheckpointError, match=f"init_lora_weights {init}"):
        read_adapter(tmp_path)


def test_a_lora_of_a_model_with_other_tokens_is_told(golden, profile, tmp_path):
    base = load_model(golden / "model" / "tiny-varwhisper", profile=profile)
    plain = read_adapter(golden / "model" / "lora-plain")
    own = base_identity(base.config, base.profile, base.vocabulary)
    for words, remarks in ((own["words"], 0), ("0123", 1)):
        write_adapter(plain, tmp_path, None, {**own, "profile": "other", "words": words})
        model = load_model(golden / "model" / "tiny-varwhisper", profile=profile, lora_path=tmp_path)
        assert model.lora_merged and len(model.notices) == remarks
    assert "trained on a model of profile 'other' with other tokens" in model.notices[0]


def test_the_identity_heeds_tokens_and_not_people(small_profile):
    from osuT5.events.vocabulary import Vocabulary
    from osuT5.model.profile_config import config_from_profile

    def words(profile, **people):
        vocabulary = Vocabulary.from_profile(profile, **people)
        return base_identity(config_from_profile(profile, vocabulary), profile, vocabulary)["words"]

    assert words(small_profile) == words(small_profile, mappers=[5, 6])
    assert words(small_profile) != words(small_profile.replace(add_volumes=not small_profile.add_volumes))


def test_files_are_as_peft_writes_them(golden, tmp_path):
    published = golden / "model" / "lora-plain"
    adapter = read_adapter(published)
    write_adapter(adapter, tmp_path, None)
    for name in ("mapperatorinator_lora_metadata.json", "adapter_config.json"):
        assert json.loads((tmp_path / name).read_text()) == json.loads((published / name).read_text())
    again = read_adapter(tmp_path)
    assert again.matrices.keys() == adapter.matrices.keys()
    for module, pair in again.matrices.items():
        assert all(torch.equal(a, b) for a, b in zip(pair, adapter.matrices[module], strict=True))
