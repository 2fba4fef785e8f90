"""The training loop, read top to bottom: batches → loss → optimiser → log, evaluate, keep.

It stops and resumes at will: a checkpoint holds weights, their average, the optimiser's state and how many items of
the data stream were used; everything is written to a temporary folder and renamed. The log is a JSONL file whose
lines carry `step` and `loss`.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from osuT5.errors import CheckpointError
from osuT5.model import Mapperatorinator, save_checkpoint
from osuT5.training.averaging import WeightAverage
from osuT5.training.schedules import learning_rate

Batch = dict[str, Tensor]
STATE_FILE = "training_state.pt"


@dataclass(frozen=True)
class LoopSettings:
    """Steps, rates and intervals of a run."""

    total_steps: int = 10000
    optimizer: str = "muon"
    base_lr: float = 2e-2
    other_lr: float = 1e-3
    warmup_steps: int = 500
    decay_steps: int = 3000
    weight_decay: float = 0.05
    beta2: float = 0.98
    grad_clip: float = 1.0
    grad_acc: int = 1
    ema_decay: float = 0.999
    mixed_precision: str = "bf16"
    log_every: int = 10
    eval_every: int = 1000
    checkpoint_every: int = 500
    keep_checkpoints: int = 2


def make_optimizers(model: nn.Module, settings: LoopSettings) -> list[torch.optim.Optimizer]:
    """AdamW for everything, or Muon for the matrices inside the layers and AdamW for the rest.

    Each group remembers its own base rate as `base`; norms, biases and embeddings do not decay.
    """
    inner, plain, other = [], [], []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if parameter.ndim < 2 or "embed" in name:
            other.append(parameter)
        elif settings.optimizer == "muon" and parameter.ndim == 2 and not name.endswith("proj_out.weight"):
            inner.append(parameter)
        else:
            plain.append(parameter)
    adam_lr = settings.other_lr if settings.optimizer == "muon" else settings.base_lr
    groups = [
        {"params": plain, "weight_decay": settings.weight_decay, "base": adam_lr},
        {"params": other, "weight_decay": 0.0, "base": adam_lr},
    ]
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(groups, lr=adam_lr, betas=(0.9, settings.beta2), fused=True)
    ]
    if inner:
        muon = torch.optim.Muon(
            [{"params": inner, "base": settings.base_lr}], lr=settings.base_lr, weight_decay=settings.weight_decay
        )
        optimizers.append(muon)
    return optimizers


@dataclass
class Trainer:
    """One run in one folder: `log.jsonl`, `checkpoints/step_N`, `model` (the exported average)."""

    model: Mapperatorinator
    settings: LoopSettings
    folder: Path
    device: torch.device
    report: Callable[[str], None]

    def __post_init__(self) -> None:
        self.model.to(self.device)
        self.optimizers = make_optimizers(self.model, self.settings)
        self.average = WeightAverage(self.model, self.settings.ema_decay)
        self.step = 0
        self.items_used = 0

    # ---- running

    def fit(self, batches: Iterator[Batch], evaluate: Callable[[], Iterable[Batch]] | None = None) -> None:
        """Trains up to `total_steps`. `batches` must begin after `items_used` items of the stream."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.model.train()
        began, losses, tokens = time.monotonic(), [], 0
        first_step = self.step
        with open(self.folder / "log.jsonl", "a", encoding="utf-8") as log:
            while self.step < self.settings.total_steps:
                loss, count, norm = self._step(batches)
                losses.append(loss)
                tokens += count
                if self.step % self.settings.log_every == 0:
                    row = self._row(losses, tokens, norm, time.monotonic() - began)
                    _write_row(log, row)
                    left = (
                        (self.settings.total_steps - self.step) * (time.monotonic() - began) / (self.step - first_step)
                    )
                    self.report(f"step {self.step} loss {row['loss']:.4f} lr {row['lr']:.2e} eta {left / 60:.0f} min")
                    losses, tokens = [], 0
                if evaluate and self.step % self.settings.eval_every == 0:
                    row = {"step": self.step, **self.measure(evaluate())}
                    _write_row(log, row)
                    self.report(f"step {self.step} evaluation {row}")
                if self.step % self.settings.checkpoint_every == 0:
                    self.save()
        self.save()

    def _step(self, batches: Iterator[Batch]) -> tuple[float, int, float]:
        """One optimiser step. Micro-batches weigh by their labels, so accumulation equals one large batch."""
        micro = [next(batches) for _ in range(self.settings.grad_acc)]
        total = sum(int((b["labels"] != -100).sum()) for b in micro)
        lost = 0.0
        for batch in micro:
            self.items_used = max(self.items_used, int(batch.pop("item").max()))
            share = int((batch["labels"] != -100).sum()) / max(total, 1)
            with self._autocast():
                loss = self.model(**self._to_device(batch), return_logits=False).loss * share
            loss.backward()
            lost += float(loss.detach())
        norm = float(nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.grad_clip))
        self.step += 1
        rate = self._rate(self.step)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * group["base"]
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.average.update(self.model)
        return lost, total, norm

    @torch.no_grad()
    def measure(self, batches: Iterable[Batch]) -> dict[str, float]:
        """Loss and share of right tokens of the averaged weights."""
        self.average.swap(self.model)
        self.model.eval()
        lost, right, count = 0.0, 0, 0
        for batch in batches:
            batch.pop("item", None)
            with self._autocast():
                output = self.model(**self._to_device(batch))
            labels = batch["labels"].to(self.device)
            known = labels != -100
            lost += float(output.loss) * int(known.sum())
            right += int((output.logits.argmax(-1) == labels)[known].sum())
            count += int(known.sum())
        self.average.swap(self.model)
        self.model.train()
        return {"eval_loss": lost / max(count, 1), "eval_accuracy": right / max(count, 1)}

    def _rate(self, step: int) -> float:
        """Share of the base rate."""
        s = self.settings
        return learning_rate(step, base=1.0, warmup=s.warmup_steps, total=s.total_steps, decay=s.decay_steps)

    def _autocast(self) -> torch.autocast:
        dtypes = {"bf16": torch.bfloat16, "fp16": torch.float16}
        wanted = dtypes.get(self.settings.mixed_precision)
        return torch.autocast(self.device.type, wanted or torch.bfloat16, enabled=wanted is not None)

    def _to_device(self, batch: Batch) -> Batch:
        return {k: v.to(self.device, non_blocking=True) for k, v in batch.items()}

    def _row(self, losses: list[float], tokens: int, norm: float, seconds: float) -> dict[str, Any]:
        return {
            "step": self.step,
            "loss": sum(losses) / len(losses),
            "lr": self._rate(self.step) * self.settings.base_lr,
            "grad_norm": norm,
            "tokens": tokens,
            "items": self.items_used,
            "seconds": round(seconds, 1),
        }

    # ---- keeping

    def save(self) -> None:
        """Writes `checkpoints/step_N` and the exported average in `model`; both appear whole or not at all."""
        target = self.folder / "checkpoints" / f"step_{self.step}"
        state = {
            "step": self.step,
            "items_used": self.items_used,
            "model": self.model.state_dict(),
            "optimizers": [o.state_dict() for o in self.optimizers],
            "average": self.average.weights,
            "average_updates": self.average.updates,
        }
        partial = target.with_name(target.name + ".partial")
        partial.mkdir(parents=True, exist_ok=True)
        torch.save(state, partial / STATE_FILE)
        if target.exists():
            shutil.rmtree(target)
        os.replace(partial, target)
        for old in self._checkpoints()[: -self.settings.keep_checkpoints]:
            shutil.rmtree(old)
        self.average.swap(self.model)
        save_checkpoint(self.model, self.folder / "model", dtype=torch.float16)
        self.average.swap(self.model)

    def _checkpoints(self) -> list[Path]:
        found = (self.folder / "checkpoints").glob("step_*")
        return sorted((p for p in found if p.suffix != ".partial"), key=lambda p: int(p.name.removeprefix("step_")))

    def resume(self) -> bool:
        """Continues from the newest checkpoint of the folder, if there is one.

        Raises:
            CheckpointError: the checkpoint belongs to another model.
        """
        found = self._checkpoints()
        if not found:
            return False
        state = torch.load(found[-1] / STATE_FILE, map_location=self.device, weights_only=True)
        try:
            self.model.load_state_dict(state["model"])
        except RuntimeError as error:
            raise CheckpointError(
                f"{found[-1]} belongs to another model; choose another output_dir: {error}"
            ) from error
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self.average.weights = {k: v.to(self.device) for k, v in state["average"].items()}
        self.average.updates = state["average_updates"]
        self.step, self.items_used = state["step"], state["items_used"]
        return True


def _write_row(log: Any, row: dict[str, Any]) -> None:
    log.write(json.dumps(row) + "\n")
    log.flush()
