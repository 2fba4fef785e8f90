"""Rotary settings that no published model uses, and local layers."""

import json

import numpy as np
import pytest
import torch

from osuT5.model import Mapperatorinator, MapperatorinatorConfig
from osuT5.model.weights import read_weights

CASES = {
    "rope_linear_enc2_dec4": dict(
        rope_type="linear", rope_encoder_scaling_factor=2.0, rope_decoder_scaling_factor=4.0
    ),
    "rope_dynamic_factor2_beyond_range": dict(
        rope_encoder_scaling_factor=2.0, rope_decoder_scaling_factor=2.0, max_source_positions=20
    ),
    "var_linear2": dict(rope_scaling={"rope_type": "linear", "factor": 2.0}),
    "var_theta500": dict(global_rope_theta=500),
    "var_local8_theta1000_every2": dict(global_attn_every_n_layers=2, local_attention=8, local_rope_theta=1000),
}


def variant(golden, case):
    folder = golden / "model" / ("tiny-ropewhisper" if case.startswith("rope") else "tiny-varwhisper")
    values = json.loads((folder / "config.json").read_text())
    values["backbone_config"].update(CASES[case])
    config = MapperatorinatorConfig(**values)
    model = Mapperatorinator(config).eval()
    model.load_state_dict(read_weights(folder, config))
    with np.load(folder / "vectors.npz") as arrays:
        vectors = {key: torch.from_numpy(np.array(value)) for key, value in arrays.items()}
    return model, vectors


@pytest.mark.parametrize("case", CASES)
def test_recorded_variants(case, golden):
    model, vectors = variant(golden, case)
    conditions = {key[5:]: value for key, value in vectors.items() if key.startswith("cond_")}
    encoded = model.encode(vectors["frames"], **conditions)
    with np.load(golden / "model" / "rope_variants.npz") as arrays:
        np.testing.assert_allclose(encoded[1, ::4], arrays[f"{case}_encoder_out_row1"], atol=2e-5, rtol=0)
        if f"{case}_logits_left_row0" not in arrays:
            return
        expected = arrays[f"{case}_logits_left_row0"]
    ids = vectors["ids_left"]
    cache = model.new_cache(2, encoder_hidden=encoded)
    stepped = model.step(ids, cache, key_mask=ids != 0, logits_all=True)
    with torch.no_grad():
        whole = model(encoder_outputs=encoded, decoder_input_ids=ids, decoder_attention_mask=ids != 0).logits
    for logits in (stepped, whole):
        np.testing.assert_allclose(logits[0, [0, 3, 6, 9]], expected, atol=2e-5, rtol=0)


def test_local_layers_are_causal_and_step_like_the_whole_pass(golden):
    model, vectors = variant(golden, "var_local8_theta1000_every2")
    encoded = model.encode(vectors["frames"])
    ids = torch.randint(3, 300, (2, 20), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole = model(encoder_outputs=encoded, decoder_input_ids=ids).logits
        changed = ids.clone()
        changed[:, -1] = 5
        ahead = model(encoder_outputs=encoded, decoder_input_ids=changed).logits
    torch.testing.assert_close(whole[:, :-1], ahead[:, :-1], atol=1e-5, rtol=0)
    cache = model.new_cache(2, encoder_hidden=encoded)
    model.step(ids[:, :8], cache)
    for i in range(8, 20):
        torch.testing.assert_close(model.step(ids[:, i : i + 1], cache), whole[:, i], atol=1e-5, rtol=0)
