"""What an optimiser and its schedule are told: one frozen, validated dataclass.

Facts: the published training recipes. Three named options part those recipes (`compat`) from ours (`improved`):

- `second_rate`: as published `decay_only`: Muon's inner AdamW steps at `base_lr`, `base_lr_2` only scales its decay.
  Ours is `used`: it steps at `base_lr_2`.
- `decay`: as published `published`: the AdamW kinds spare parameters by pieces of their names; Muon decays whatever its
  inner AdamW steps, norms and biases too, and never its matrices. Ours is `matrices`: matrices decay, and norms,
  biases and embeddings do not, with every optimiser.
- `orthogonalise`: as published `bfloat16`: Muon orthogonalises its matrices in it, and its rounding makes the last bits
  of a gradient visible, which depend on how a batch was shared out. Ours is `float32`: two processes agree with one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from osuT5.errors import OptionErrors, suggestion

OPTIMIZERS = ("adamw", "adamwscale", "adafactor", "muon")
SCHEDULES = ("cosine", "linear")
SECOND_RATES = ("used", "decay_only")
DECAYS = ("matrices", "published")
ORTHOGONALISE = ("float32", "bfloat16")

# betas of AdamW, and of the AdamW inside Muon; Adafactor's decay follows from the step
DEFAULT_BETAS = {"adamw": (0.9, 0.999), "adamwscale": (0.9, 0.999), "muon": (0.9, 0.95)}

_CHOICES = {
    "name": OPTIMIZERS,
    "lr_scheduler": SCHEDULES,
    "second_rate": SECOND_RATES,
    "decay": DECAYS,
    "orthogonalise": ORTHOGONALISE,
}
# field -> (lowest value, whether the lowest value itself is allowed)
_FLOORS = {
    "base_lr": (0, False),
    "base_lr_2": (0, False),
    "batch_size": (1, True),
    "total_steps": (1, True),
    "warmup_steps": (0, True),
    "sustain_steps": (0, True),
    "decay_steps": (0, True),
    "final_cosine": (0, True),
    "weight_decay": (0, True),
    "grad_acc": (1, True),
    "grad_clip": (0, True),
    "ema_decay": (0, True),
}
_COUNTS = ("batch_size", "total_steps", "warmup_steps", "sustain_steps", "decay_steps", "grad_acc")


@dataclass(frozen=True)
class OptimSettings:
    """The section `optim` of a training configuration.

    Attributes:
        name: adamw, adamwscale, adafactor or muon.
        base_lr: peak rate of the first parameter group.
        base_lr_2: of the AdamW inside Muon; see `second_rate`.
        batch_size: windows of one optimiser step on one process.
        total_steps: optimiser steps of the run; the first is 1.
        warmup_steps: linear from half the rate.
        sustain_steps: at the full rate, after the warm-up.
        decay_steps: instead of `sustain_steps`: the last steps of the run, in which the rate falls.
        lr_scheduler: how it falls: cosine or linear.
        final_cosine: the rate at the end for `base_lr`; other base rates end in proportion.
        weight_decay: decoupled; times the rate of the step.
        grad_acc: micro-batches in a step; must divide `batch_size`.
        grad_clip: largest global L2 norm of the gradient; 0 = no clipping.
        ema_decay: of the moving average of the weights; 0 = none.
        betas: of the AdamW kinds; None = the published ones.
        second_rate, decay, orthogonalise: see the module.

    Raises:
        OptionErrors: on construction, naming every field that is wrong.
    """

    name: str = "adamwscale"
    base_lr: float = 1e-2
    base_lr_2: float = 3e-4
    batch_size: int = 128
    total_steps: int = 65536
    warmup_steps: int = 10000
    sustain_steps: int = 0
    decay_steps: int | None = None
    lr_scheduler: str = "cosine"
    final_cosine: float = 1e-5
    weight_decay: float = 0.0
    grad_acc: int = 8
    grad_clip: float = 1.0
    ema_decay: float = 0.0
    betas: tuple[float, float] | None = None
    second_rate: str = "used"
    decay: str = "matrices"
    orthogonalise: str = "float32"

    def __post_init__(self) -> None:
        problems = self._problems()
        if problems:
            raise OptionErrors(problems)
        if self.betas is not None:
            object.__setattr__(self, "betas", (float(self.betas[0]), float(self.betas[1])))

    @property
    def micro_batch(self) -> int:
        """Windows that go through the model at once."""
        return self.batch_size // self.grad_acc

    @property
    def sustained_steps(self) -> int:
        """Steps at the full rate, after `decay_steps` had its say."""
        if self.decay_steps is None:
            return self.sustain_steps
        return self.total_steps - self.warmup_steps - self.decay_steps

    @property
    def falling_steps(self) -> int:
        """Steps in which the rate falls."""
        return self.total_steps - self.warmup_steps - self.sustained_steps

    def _problems(self) -> list[str]:
        problems = []
        for field, choices in _CHOICES.items():
            value = getattr(self, field)
            if value not in choices:
                hint = suggestion(str(value), choices)
                problems.append(f"optim.{field} {value!r} is unknown{hint}; use one of {', '.join(choices)}")
        sentences = {field: _wrong_number(field, getattr(self, field)) for field in _FLOORS}
        wrong = {field for field, sentence in sentences.items() if sentence}
        problems += [sentence for sentence in sentences.values() if sentence]
        if not wrong & {"total_steps", "warmup_steps", "sustain_steps", "decay_steps"}:
            problems += self._length_problems()
        if not wrong & {"batch_size", "grad_acc"} and self.batch_size % self.grad_acc:
            problems.append(
                f"optim.batch_size {self.batch_size} cannot be split into optim.grad_acc {self.grad_acc} equal parts; "
                "choose a grad_acc that divides it"
            )
        if "ema_decay" not in wrong and self.ema_decay >= 1:
            problems.append(f"optim.ema_decay {self.ema_decay} would never move; use a value from 0 (off) to below 1")
        if self.betas is not None and not _are_betas(self.betas):
            problems.append(f"optim.betas {self.betas!r} must be two numbers from 0 to below 1, such as [0.9, 0.999]")
        return problems

    def _length_problems(self) -> list[str]:
        last, steps = "sustain_steps", self.sustain_steps
        if self.decay_steps is not None:
            last, steps = ("decay_steps", self.decay_steps)
        if self.warmup_steps + steps <= self.total_steps:
            return []
        return [
            f"optim.total_steps {self.total_steps} is less than warmup_steps {self.warmup_steps} + {last} {steps}; "
            "shorten them or train longer"
        ]


def _wrong_number(field: str, value: Any) -> str | None:
    """A sentence about a value that this field cannot have, or None."""
    if value is None and field == "decay_steps":
        return None
    whole = field in _COUNTS
    kind = "a whole number" if whole else "a number"
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or not math.isfinite(value):
        return f"optim.{field} must be {kind}, not {value!r}"
    floor, included = _FLOORS[field]
    if value < floor or (value == floor and not included):
        return f"optim.{field} must be {'at least' if included else 'more than'} {floor}, not {value!r}"
    return None


def _are_betas(values: Any) -> bool:
    try:
        first, second = values
        return 0 <= float(first) < 1 and 0 <= float(second) < 1
    except (TypeError, ValueError):
        return False
