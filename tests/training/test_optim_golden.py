"""Optimisers walk the recorded paths of the published training runs."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from osuT5.training.muon import newton_schulz
from osuT5.training.optimizers import goes_to_muon, make_optimizer, set_rates
from osuT5.training.options import OptimOptions

CASES = [
    "adamw",
    "adamw_wd",
    "adamwscale",
    "adamwscale_wd",
    "adafactor",
    "adafactor_wd",
    "muon",
    "muon_lr_change",
]


@pytest.fixture(scope="module")
def recorded(golden):
    folder = golden / "training" / "optim"
    with np.load(folder / "optim.npz") as arrays:
        vectors = {key: torch.from_numpy(np.array(arrays[key])) for key in arrays.files}
    return json.loads((folder / "optim.json").read_text()), vectors


def published(case: dict) -> OptimOptions:
    """The settings of a recorded case; its rate does not move unless the case says so."""
    return OptimOptions(
        name=case["name"],
        base_lr=case["base_lr"],
        base_lr_2=case["base_lr_2"],
        weight_decay=case["weight_decay"],
        warmup_steps=0,
        total_steps=10,
        sustain_steps=10,
        second_rate="decay_only",
        decay="published",
        orthogonalise="bfloat16",
    )


def parameters_of(vectors: dict) -> dict[str, nn.Parameter]:
    return {
        name.removeprefix("init/"): nn.Parameter(value.clone())
        for name, value in vectors.items()
        if name.startswith("init/")
    }


@pytest.mark.parametrize("name", CASES)
def test_path(recorded, name):
    cases, vectors = recorded
    case = cases[name]
    settings, parameters = published(case), parameters_of(vectors)
    optimizer = make_optimizer(parameters.items(), settings)
    for step in range(3):
        for parameter_name, p in parameters.items():
            gradient = vectors.get(f"grad{step}/{parameter_name}")
            p.grad = None if gradient is None else gradient.clone()
        if case["lrs"]:
            for group in optimizer.param_groups:
                group["lr"] = case["lrs"][step]
        optimizer.step()
        for parameter_name, p in parameters.items():
            by_muon = case["name"] == "muon" and case["use_muon"][parameter_name]
            torch.testing.assert_close(
                p.detach(),
                vectors[f"{name}/step{step}/{parameter_name}"],
                atol=1e-3 if by_muon else 1e-6,
                rtol=0,
                msg=lambda text, n=parameter_name, s=step: f"{n} after step {s}: {text}",
            )


@pytest.mark.parametrize("name", CASES)
def test_decay_and_state_by_parameter(recorded, name):
    """The published groups: what decays, and what is remembered of each parameter."""
    cases, vectors = recorded
    case = cases[name]
    parameters = parameters_of(vectors)
    optimizer = make_optimizer(parameters.items(), published(case))
    for parameter_name, p in parameters.items():
        p.grad = vectors.get(f"grad0/{parameter_name}")
    optimizer.step()
    remembered = {n: optimizer.state[p] for n, p in parameters.items() if optimizer.state.get(p)}
    expected = {n: set(s) - {"use_muon"} for n, s in case["state"].items() if set(s) - {"use_muon"}}
    assert {n: set(s) for n, s in remembered.items()} == expected
    for parameter_name, state in remembered.items():
        for key, shape in case["state"][parameter_name].items():
            if isinstance(shape, list):
                assert list(state[key].shape) == shape
    if case["name"] == "muon":
        routed = {n: int(goes_to_muon(n, p)) for n, p in parameters.items()}
        assert routed == case["use_muon"]
    else:
        names = {id(p): n for n, p in parameters.items()}
        found = [[names[id(p)] for p in g["params"]] for g in optimizer.param_groups]
        assert found == [g["params"] for g in case["groups"]]
        assert [g["weight_decay"] for g in optimizer.param_groups] == [g["weight_decay"] for g in case["groups"]]


@pytest.mark.parametrize("shape", ["tall", "wide", "square"])
@pytest.mark.parametrize("steps", [1, 6])
def test_orthogonalisation(recorded, shape, steps):
    _, vectors = recorded
    found = newton_schulz(vectors[f"ns_in/{shape}"], steps)
    torch.testing.assert_close(found.float(), vectors[f"ns_out{steps}/{shape}"], atol=2e-2, rtol=0)


def test_rates_of_a_step_reach_every_group(recorded):
    cases, vectors = recorded
    optimizer = make_optimizer(parameters_of(vectors).items(), published(cases["muon"]))
    assert {g["lr"] for g in optimizer.param_groups} == {0.004}
    falling = OptimOptions(
        name="muon", base_lr=0.004, warmup_steps=0, total_steps=10, lr_scheduler="linear", final_cosine=0.0
    )
    set_rates(optimizer, 6, falling)
    assert {g["lr"] for g in optimizer.param_groups} == {0.002}
