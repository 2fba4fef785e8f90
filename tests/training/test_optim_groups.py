"""Which parameter is stepped how: our recipe beside the published one."""

import pytest
import torch
from torch import nn

from osuT5.errors import InputError
from osuT5.training.muon import newton_schulz
from osuT5.training.optimizers import make_optimizer, set_rates
from osuT5.training.options import OptimOptions

NAMES = ("layer.weight", "layer.bias", "final_layer_norm.weight", "decoder_embedder.weight", "proj_out.weight")
SHAPES = ((6, 4), (6,), (4,), (9, 4), (9, 4))
OPTIMIZERS = ("adamw", "adamwscale", "adafactor", "muon")


def settings_of(name="muon", **values) -> OptimOptions:
    fixed = {"base_lr": 0.01, "base_lr_2": 0.002, "warmup_steps": 0, "total_steps": 20, "batch_size": 1, "grad_acc": 1}
    improved = {"second_rate": "used", "decay": "matrices", "orthogonalise": "float32"}
    return OptimOptions(name=name, **{**fixed, **improved, **values})


def parameters_of(seed: int = 0) -> dict[str, nn.Parameter]:
    generator = torch.Generator().manual_seed(seed)
    return {n: nn.Parameter(torch.randn(s, generator=generator)) for n, s in zip(NAMES, SHAPES, strict=True)}


def give_gradients(parameters, seed: int) -> None:
    generator = torch.Generator().manual_seed(1000 + seed)
    for p in parameters.values():
        p.grad = torch.randn(p.shape, generator=generator)


def decaying(parameters, settings) -> dict[str, float]:
    """How far one step without gradient pulls each parameter to zero, in parts of its rate."""
    optimizer = make_optimizer(parameters.items(), settings)
    before = {n: p.detach().clone() for n, p in parameters.items()}
    for p in parameters.values():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    return {n: round(float((1 - p.detach() / before[n]).mean() / 0.01), 4) for n, p in parameters.items()}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_matrices_decay_and_nothing_else(name):
    found = decaying(parameters_of(), settings_of(name, weight_decay=0.5, second_rate="decay_only", base_lr_2=0.01))
    assert found == {n: 0.5 if n in ("layer.weight", "proj_out.weight") else 0.0 for n in NAMES}


def test_published_muon_decays_all_but_its_matrices_by_the_second_rate():
    found = decaying(parameters_of(), settings_of(weight_decay=0.5, second_rate="decay_only", decay="published"))
    assert found == {n: 0.0 if n == "layer.weight" else 0.1 for n in NAMES}


def test_second_rate_is_used_for_the_inner_parameters():
    one, two = parameters_of(), parameters_of()
    used = make_optimizer(one.items(), settings_of())
    ignored = make_optimizer(two.items(), settings_of(second_rate="decay_only"))
    before = parameters_of()
    for parameters, optimizer in ((one, used), (two, ignored)):
        give_gradients(parameters, 0)
        optimizer.step()
    for name in NAMES:
        moved, published = one[name] - before[name], two[name] - before[name]
        ratio = 1.0 if name == "layer.weight" else 0.2
        torch.testing.assert_close(moved, published * ratio, atol=1e-6, rtol=1e-4)


def test_rates_of_both_groups_follow_one_schedule():
    settings = settings_of(lr_scheduler="linear", final_cosine=0.0)
    optimizer = make_optimizer(parameters_of().items(), settings)
    set_rates(optimizer, 11, settings)
    assert sorted({round(g["lr"], 9) for g in optimizer.param_groups}) == [0.001, 0.005]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_frozen_parameters_are_not_handed_over(name):
    parameters = parameters_of()
    parameters["layer.weight"].requires_grad_(False)
    optimizer = make_optimizer(parameters.items(), settings_of(name))
    handed = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert handed == {id(p) for n, p in parameters.items() if n != "layer.weight"}


def test_nothing_to_train_is_an_error():
    parameters = parameters_of()
    for p in parameters.values():
        p.requires_grad_(False)
    with pytest.raises(InputError, match="frozen"):
        make_optimizer(parameters.items(), settings_of())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_run_resumes_to_the_same_bits_from_tensors_alone(name):
    """All state is tensors, and the state of step 2 with the settings is all that step 3 needs."""
    settings = settings_of(name, weight_decay=0.1)
    straight = parameters_of()
    optimizer = make_optimizer(straight.items(), settings)
    for step in range(1, 4):
        if step == 3:
            kept = {n: p.detach().clone() for n, p in straight.items()}
            state = {i: {k: v.clone() for k, v in s.items()} for i, s in optimizer.state_dict()["state"].items()}
        give_gradients(straight, step)
        set_rates(optimizer, step, settings)
        optimizer.step()
    assert all(isinstance(v, torch.Tensor) for s in state.values() for v in s.values())
    resumed = {n: nn.Parameter(value) for n, value in kept.items()}
    second = make_optimizer(resumed.items(), settings)
    second.load_state_dict({"state": state, "param_groups": second.state_dict()["param_groups"]})
    give_gradients(resumed, 3)
    set_rates(second, 3, settings)
    second.step()
    for n in NAMES:
        assert torch.equal(resumed[n], straight[n]), n


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_gets_better(name):
    """A small network learns a fixed map with every optimiser."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))
    given = torch.randn(64, 4)
    wanted = torch.randn(64, 4) * 0.1 + given @ torch.randn(4, 4)
    settings = settings_of(name, total_steps=60, lr_scheduler="linear", base_lr=0.05, base_lr_2=0.05)
    optimizer = make_optimizer(network.named_parameters(), settings)
    losses = []
    for step in range(1, 61):
        loss = nn.functional.mse_loss(network(given), wanted[:, :3])
        losses.append(float(loss.detach()))
        loss.backward()
        set_rates(optimizer, step, settings)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize("shape", [(32, 32), (16, 64), (64, 16)])
def test_orthogonalisation_brings_singular_values_near_one(shape):
    found = newton_schulz(torch.randn(3, *shape, generator=torch.Generator().manual_seed(1)))
    values = torch.linalg.svdvals(found.float())
    assert found.shape == (3, *shape)
    assert 0.3 < values.min() and values.max() < 1.4


def test_a_matrix_does_not_depend_on_what_is_stacked_with_it():
    stack = torch.randn(5, 24, 40, generator=torch.Generator().manual_seed(2))
    together = newton_schulz(stack)
    for alone, found in zip(stack, together, strict=True):
        torch.testing.assert_close(newton_schulz(alone), found, atol=2e-2, rtol=0)
