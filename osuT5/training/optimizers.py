"""From named parameters to one optimiser: which parameter is stepped how, at what rate, and whether it decays.

Facts: the published recipes' rules by name and shape. Every group carries `base`, its own peak rate, from which
`set_rates` computes the rate of a step. Frozen parameters are never handed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from osuT5.errors import InputError
from osuT5.training.adamwscale import AdamWScale
from osuT5.training.muon import Muon
from osuT5.training.options import OptimOptions
from osuT5.training.schedules import learning_rate

__all__ = ["learning_rate", "make_optimizer", "set_rates"]

# pieces of names that the published recipes keep from decaying, wherever they occur in a name
PUBLISHED_NO_DECAY = ("bias", "LayerNorm", "layernorm", "layer_norm", "ln")
# pieces of lower-cased names that Muon leaves to its inner AdamW
INNER_NAMES = ("embed", "proj_out")
# matrices with more rows are tables of a vocabulary
MUON_ROWS = 10000

# betas of AdamW, and of the AdamW inside Muon; Adafactor's decay follows from the step
DEFAULT_BETAS = {"adamw": (0.9, 0.999), "adamwscale": (0.9, 0.999), "muon": (0.9, 0.95)}

Named = tuple[str, nn.Parameter]


def make_optimizer(named_parameters: Iterable[Named], settings: OptimOptions) -> torch.optim.Optimizer:
    """One optimiser over all trainable parameters, its rates set for step 1. Every state value is a tensor.

    Raises:
        InputError: nothing can be trained.
    """
    named = [(name, p) for name, p in named_parameters if p.requires_grad]
    if not named:
        raise InputError("no parameter of the model can be trained: all are frozen; check the lora settings")
    groups = [g for g in BUILDERS[settings.name][0](named, settings) if g["params"]]
    optimizer = BUILDERS[settings.name][1](groups, settings)
    set_rates(optimizer, 1, settings)
    return optimizer


def set_rates(optimizer: torch.optim.Optimizer, step: int, settings: OptimOptions) -> None:
    """Gives every group its rate for optimiser step `step` (1 is the first)."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(step, group["base"], settings)


def decays(name: str, parameter: nn.Parameter, settings: OptimOptions) -> bool:
    """Whether weight decay touches a parameter of the AdamW kinds."""
    return DECAY_RULES[settings.decay](name, parameter)


def _not_named_otherwise(name: str, _: nn.Parameter) -> bool:
    return not any(piece in name for piece in PUBLISHED_NO_DECAY)


def _is_matrix(name: str, parameter: nn.Parameter) -> bool:
    """Neither norm nor bias nor embedding."""
    return parameter.ndim >= 2 and "embed" not in name.lower()


DECAY_RULES = {"published": _not_named_otherwise, "matrices": _is_matrix}


def goes_to_muon(name: str, parameter: nn.Parameter) -> bool:
    """Whether Muon itself steps a parameter, rather than its inner AdamW."""
    inner = any(piece in name.lower() for piece in INNER_NAMES)
    return not inner and parameter.ndim > 1 and parameter.shape[0] < MUON_ROWS


def _groups_by_decay(named: list[Named], settings: OptimOptions) -> list[dict[str, Any]]:
    """A decaying and a plain group, as all but Muon have them."""
    chosen: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for name, p in named:
        chosen[decays(name, p, settings)].append(p)
    return [
        {"params": chosen[True], "base": settings.base_lr, "weight_decay": settings.weight_decay},
        {"params": chosen[False], "base": settings.base_lr, "weight_decay": 0.0},
    ]


def _groups_of_muon(named: list[Named], settings: OptimOptions) -> list[dict[str, Any]]:
    """Muon's matrices, then the inner AdamW's decaying and plain parameters."""
    published = settings.decay == "published"
    chosen: dict[str, list[nn.Parameter]] = {"matrices": [], "decaying": [], "plain": []}
    for name, p in named:
        if goes_to_muon(name, p):
            chosen["matrices"].append(p)
        else:
            chosen["decaying" if published or _is_matrix(name, p) else "plain"].append(p)
    inner = {"base": settings.base_lr_2, "matrices": False, "betas": settings.betas or DEFAULT_BETAS["muon"]}
    decay = settings.weight_decay
    if settings.second_rate == "decay_only":
        inner["base"] = settings.base_lr
        decay *= settings.base_lr_2 / settings.base_lr
    return [
        {
            "params": chosen["matrices"],
            "base": settings.base_lr,
            "matrices": True,
            "dtype": getattr(torch, settings.orthogonalise),
            "weight_decay": 0.0 if published else settings.weight_decay,
        },
        {"params": chosen["decaying"], "weight_decay": decay, **inner},
        {"params": chosen["plain"], "weight_decay": 0.0, **inner},
    ]


def _adamw(groups: list[dict[str, Any]], settings: OptimOptions) -> torch.optim.Optimizer:
    betas = settings.betas or DEFAULT_BETAS["adamw"]
    return torch.optim.AdamW(groups, lr=settings.base_lr, betas=betas, eps=1e-8, fused=True)


def _adamwscale(groups: list[dict[str, Any]], settings: OptimOptions) -> torch.optim.Optimizer:
    betas = settings.betas or DEFAULT_BETAS["adamwscale"]
    return AdamWScale([{**group, "betas": betas} for group in groups])


def _adafactor(groups: list[dict[str, Any]], settings: OptimOptions) -> torch.optim.Optimizer:
    return torch.optim.Adafactor(groups, lr=settings.base_lr, weight_decay=0.0)


def _muon(groups: list[dict[str, Any]], _: OptimOptions) -> torch.optim.Optimizer:
    return Muon(groups)


GroupMaker = Callable[[list[Named], OptimOptions], list[dict[str, Any]]]
Maker = Callable[[list[dict[str, Any]], OptimOptions], torch.optim.Optimizer]
BUILDERS: dict[str, tuple[GroupMaker, Maker]] = {
    "adamw": (_groups_by_decay, _adamw),
    "adamwscale": (_groups_by_decay, _adamwscale),
    "adafactor": (_groups_by_decay, _adafactor),
    "muon": (_groups_of_muon, _muon),
}
