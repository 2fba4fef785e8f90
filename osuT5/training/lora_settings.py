"""The `lora` section of a training configuration, checked. Facts: the published LoRA recipes and peft's names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from osuT5.errors import OptionErrors, suggestion
from osuT5.model.lora import normalise_subfolders

# how B and A begin: with no effect, or with the largest singular directions of the weight, taken out of it
_PLAIN_INITS = {"true": True, "default": True, "gaussian": "gaussian"}
_PRINCIPAL_INIT = re.compile(r"pissa(_niter_[1-9]\d*)?")


@dataclass(frozen=True)
class LoraSettings:
    """How a LoRA is made and saved.

    Attributes:
        r: rank. lora_alpha: the change of a weight is lora_alpha / r * B A.
        target_modules: names of linear layers (ends of module paths); None = the attention projections.
        lora_dropout: share of the adapter's inputs that are dropped in training.
        bias: only "none": no file format here carries trained biases.
        init_lora_weights: true or "default", "gaussian", "pissa", or "pissa_niter_<n>" (faster, randomised).
        ckpt_subfolders: sub-checkpoints the saved LoRA may be used with ("" = root); None = any.
    """

    r: int = 64
    lora_alpha: float = 128
    target_modules: tuple[str, ...] | None = None
    lora_dropout: float = 0.05
    bias: str = "none"
    init_lora_weights: bool | str = "pissa"
    ckpt_subfolders: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        problems = []
        if not _is_number(self.r, int) or self.r < 1:
            problems.append(f"lora.r is {self.r!r}; it is the rank, a whole number from 1")
        if not _is_number(self.lora_alpha, (int, float)) or not self.lora_alpha > 0:
            problems.append(f"lora.lora_alpha is {self.lora_alpha!r}; it must be a number above 0")
        if not _is_number(self.lora_dropout, (int, float)) or not 0 <= self.lora_dropout < 1:
            problems.append(f"lora.lora_dropout is {self.lora_dropout!r}; it must be in [0, 1)")
        if self.bias != "none":
            problems.append(f"lora.bias is {self.bias!r}; only 'none' can be saved and merged here")
        init = str(self.init_lora_weights).lower()
        if init not in _PLAIN_INITS and not _PRINCIPAL_INIT.fullmatch(init):
            known = ["default", "gaussian", "pissa", "pissa_niter_4"]
            problems.append(
                f"lora.init_lora_weights is {self.init_lora_weights!r}{suggestion(init, known)}; "
                "use true, default, gaussian, pissa or pissa_niter_<steps>"
            )
        targets = _names(self.target_modules, "lora.target_modules", problems)
        if targets == ():
            problems.append("lora.target_modules is empty; leave it null for the attention projections")
        folders = _names(self.ckpt_subfolders, "lora_metadata.ckpt_subfolders", problems)
        if problems:
            raise OptionErrors(problems)
        object.__setattr__(self, "target_modules", targets)
        object.__setattr__(
            self, "ckpt_subfolders", None if folders is None else tuple(normalise_subfolders(list(folders)))
        )

    @property
    def initial_weights(self) -> bool | str:
        """`init_lora_weights` as peft takes it."""
        init = str(self.init_lora_weights).lower()
        return _PLAIN_INITS.get(init, init)

    @property
    def principal(self) -> bool:
        """True when the adapter starts from a part of the base (PiSSA)."""
        return str(self.initial_weights).startswith("pissa")


def _is_number(value: Any, kinds: type | tuple[type, ...]) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


def _names(values: Any, option: str, problems: list[str]) -> tuple[str, ...] | None:
    if values is None:
        return None
    values = (values,) if isinstance(values, str) else values
    if not isinstance(values, Sequence) or not all(isinstance(v, str) for v in values):
        problems.append(f"{option} is {values!r}; it must be a list of names, or null")
        return None
    return tuple(dict.fromkeys(values))
