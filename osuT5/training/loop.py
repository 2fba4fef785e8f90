"""The training loop, read top to bottom: batches → loss → optimiser step → log, evaluate, keep.

One step takes `grad_acc` micro-batches on each of the processes. Every label counts the same wherever it was read, so
two processes, or two micro-batches, give what one large batch gives. All processes save together; going on from a
checkpoint repeats the steps bit for bit on a CPU.
"""

from __future__ import annotations

import contextlib
import gc
import math
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor

from osuT5.data.batches import Batch, sound_of
from osuT5.data.loader import Loader
from osuT5.data.samples import IGNORED
from osuT5.data.stream import Cursor
from osuT5.errors import CheckpointError, MapperatorinatorError
from osuT5.model import Mapperatorinator, save_checkpoint
from osuT5.training.adapters import adapter_state, load_adapter_state, merged, save_adapter
from osuT5.training.averaging import WeightAverage
from osuT5.training.checkpoints import (
    Checkpoints,
    RunState,
    load_optimizer_tensors,
    optimizer_tensors,
    random_state,
    read_state,
    read_tensors,
    restore_random_state,
    scheme_differences,
)
from osuT5.training.evaluator import evaluate
from osuT5.training.journal import Journal
from osuT5.training.optimizers import learning_rate, make_optimizer, set_rates
from osuT5.training.options import TrainOptions
from osuT5.training.processes import peak_memory
from osuT5.training.profiler import StepProfiler

EOS_ID = 2  # in every vocabulary

# Makes the evaluation batches of this process, or draws a sample map: (plain model, a batch, step, folder) -> pictures.
EvaluationBatches = Callable[[], Iterable[Batch]]
DrawSample = Callable[[Mapperatorinator, Batch | None, int, Path], dict[str, Path]]


class StepResult(NamedTuple):
    """Of one optimiser step over all processes: mean loss, labels, windows, gradient norm."""

    loss: float
    labels: int
    windows: int
    norm: float


class Trainer:
    """One run in one folder: `log.jsonl`, `checkpoints/`, `model` (and `lora`), the newest export.

    Args:
        model: on the CPU, with its adapter if it has one.
        scheme: what a resumed run must find unchanged.
        accelerator: knows device, precision and the other processes.
    """

    def __init__(
        self,
        model: Mapperatorinator,
        options: TrainOptions,
        folder: Path,
        accelerator: Accelerator,
        journal: Journal,
        scheme: dict[str, Any],
    ):
        self.options, self.optim, self.folder = options, options.optim, folder
        self.accelerator, self.journal, self.scheme = accelerator, journal, scheme
        self.model = model.to(accelerator.device)
        trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.names = {p: name for name, p in trained.items()}
        self.optimizer = accelerator.prepare_optimizer(make_optimizer(trained.items(), self.optim))
        self.average = WeightAverage(trained, self.optim.ema_decay)
        # prepared last: what is saved and exported is the plain model
        self.wrapped = accelerator.prepare_model(torch.compile(model, dynamic=True) if options.compile else model)
        self.checkpoints = Checkpoints(folder / "checkpoints", options.checkpoint.local_total_limit)
        self.step = self.resumed_at = 0
        self.since = time.monotonic()
        self.cursors: dict[int, Cursor] = {}
        self.pending: list[StepResult] = []

    # ---- running

    @property
    def finished(self) -> bool:
        """No step is left."""
        return self.step >= self.optim.total_steps

    def fit(self, loader: Loader, evaluation: EvaluationBatches | None = None, draw: DrawSample | None = None) -> None:
        """Trains up to `total_steps`. The loader must begin at `self.cursors`.

        Raises MapperatorinatorError: the loss is no number any more; the checkpoints of the steps before are kept.
        """
        if self.finished:  # what was exported may be older than the last checkpoint, if a kill came between the two
            if self.accelerator.is_main_process:
                self.export()
            return
        batches = iter(loader)
        if self.accelerator.is_main_process:
            self.journal.begin(self.step)
        self.wrapped.train()
        saved = None
        self.since = time.monotonic()
        with StepProfiler(self.options.profile, self.folder / "profile") as profiler:
            while not self.finished:
                self.pending.append(self._step(batches))
                self.cursors = loader.cursors
                if self.step == 1 or self.finished or self.step % self.options.logging.every_steps == 0:
                    self._log(loader.epoch)
                if evaluation and self.step % self.options.eval.every_steps == 0:
                    self._evaluate(evaluation, draw)
                if self.step % self.options.checkpoint.every_steps == 0:
                    self.save()
                    saved = self.step
                if profiler.step():
                    break
        if saved != self.step:
            self.save()

    def leave(self) -> None:
        """Takes leave of the other processes; nothing can be trained afterwards."""
        if self.accelerator.num_processes == 1:
            return
        # The wrapper goes first: if it were the last to hold the group of processes, that would be ended under Python's
        # lock, while its own threads may be waiting for the lock (one run in ten never came to its end).
        self.wrapped = self.model
        self.accelerator.free_memory()
        gc.collect()
        self.accelerator.end_training()

    def _step(self, batches: Iterator[Batch]) -> StepResult:
        """One optimiser step over `grad_acc` micro-batches of every process."""
        micro = [next(batches) for _ in range(self.optim.grad_acc)]
        if self.step < self.options.data.empty_from_step:
            micro = [_without_empty(b) for b in micro]
        counts = torch.tensor(
            [sum(_labels(b) for b in micro), sum(len(b["labels"]) for b in micro)],
            dtype=torch.float64,
            device=self.accelerator.device,
        )
        labels, windows = self._sum(counts).tolist()
        lost = torch.zeros((), device=self.accelerator.device)
        for number, batch in enumerate(micro, start=1):
            with contextlib.nullcontext() if number == len(micro) else self.accelerator.no_sync(self.wrapped):
                loss = self._loss(batch, max(labels, 1), windows)
                # gradients of processes are averaged, but they are shares of one sum
                self.accelerator.backward(loss * self.accelerator.num_processes)
            lost += loss.detach()
        loss, norm = float(self._sum(lost)), self._clip()
        # a scaler leaves out steps that overflow by itself
        if not math.isfinite(loss) and self.accelerator.scaler is None:
            raise MapperatorinatorError(
                f"the loss of step {self.step + 1} is {loss}, so the training has failed; lower optim.base_lr and "
                "optim.base_lr_2, or lengthen optim.warmup_steps, and start another output_dir"
            )
        self.step += 1
        set_rates(self.optimizer, self.step, self.optim)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.average.update()
        return StepResult(loss, int(labels), int(windows), norm)

    def _loss(self, batch: Batch, labels: float, windows: float) -> Tensor:
        """This micro-batch's share in the loss of the step: tokens by the labels of all, onsets by the windows."""
        output = self.wrapped(**self._to_device(batch), return_logits=False)
        loss = output.token_loss * (_labels(batch) / labels)
        if output.onset_loss is not None:
            loss = loss + output.onset_loss * (len(batch["labels"]) / windows)
        return loss

    def _clip(self) -> float:
        limit = self.optim.grad_clip if self.optim.grad_clip > 0 else float("inf")
        return float(self.accelerator.clip_grad_norm_(list(self.names), limit))

    def _sum(self, value: Tensor) -> Tensor:
        return self.accelerator.reduce(value, reduction="sum")

    def _to_device(self, batch: Batch) -> Batch:
        moved = {k: v.to(self.accelerator.device, non_blocking=True) for k, v in batch.items()}
        return {**moved, "frames": sound_of(moved["frames"])}

    # ---- telling

    def _log(self, epoch: float) -> None:
        results, self.pending = self.pending, []
        # lines of a resumed run tell the speed of the steps since then
        steps = min(len(results), self.step - self.resumed_at)
        seconds, self.since = (time.monotonic() - self.since) / steps, time.monotonic()
        if not self.accelerator.is_main_process:
            return
        values = {
            "loss": sum(r.loss for r in results) / len(results),
            "lr": learning_rate(self.step, self.optim.base_lr, self.optim),
            "epoch": epoch,
            "labels": sum(r.labels for r in results),
            "windows": sum(r.windows for r in results),
            "seconds_per_step": round(seconds, 4),
            "windows_per_second": round(results[-1].windows / max(seconds, 1e-9), 2),
        }
        if (memory := peak_memory(self.accelerator.device)) is not None:
            values["peak_memory_mb"] = memory
        if self.options.logging.grad_l2:
            values["grad_l2"] = sum(r.norm for r in results) / len(results)
        if self.options.logging.weights_l2:
            values["weights_l2"] = float(torch.sqrt(sum(p.detach().float().square().sum() for p in self.names)))
        self.journal.training(self.step, values)

    def _evaluate(self, evaluation: EvaluationBatches, draw: DrawSample | None) -> None:
        """Metrics of the averaged weights, all processes together; then the main one writes and draws a map."""
        shown: list[Batch] = []

        def batches() -> Iterator[Batch]:
            for batch in evaluation():
                if not shown:
                    shown.append(batch)
                yield {**batch, "frames": sound_of(batch["frames"])}

        with self.average.in_place():
            report = evaluate(self.model, batches(), mixed_precision=self.options.mixed_precision)
            if self.accelerator.is_main_process:
                self.journal.evaluation(self.step, report["metrics"])
                if draw is not None:
                    with merged(self.model) as plain:
                        pictures = draw(plain.eval(), shown[0] if shown else None, self.step, self.folder / "samples")
                        for name, path in pictures.items():
                            self.journal.picture(self.step, name, path)
        self.wrapped.train()
        self.accelerator.wait_for_everyone()
        self.since = time.monotonic()

    # ---- keeping

    def save(self) -> None:
        """Writes a checkpoint and the export; every process must call it."""
        cursors = dict(pair for part in gather_object([list(self.cursors.items())]) for pair in part)
        states = gather_object([random_state()])
        if self.accelerator.is_main_process:
            state = RunState(
                self.step,
                cursors,
                states,
                self.scheme,
                {"results": [list(r) for r in self.pending]},
                {"average_updates": self.average.updates},
            )
            self.checkpoints.write(state, self._tensors())
            self.export()
        self.accelerator.wait_for_everyone()

    def _tensors(self) -> dict[str, dict[str, Tensor]]:
        weights = adapter_state(self.model) if self.model.adapter is not None else dict(self.model.state_dict())
        tensors = {"model": weights, "optimizer": optimizer_tensors(self._plain_optimizer, self.names)}
        if self.average.weights:
            tensors["average"] = self.average.weights
        return tensors

    @property
    def _plain_optimizer(self) -> torch.optim.Optimizer:
        return getattr(self.optimizer, "optimizer", self.optimizer)

    def export(self) -> None:
        """`model`: a checkpoint folder that inference loads; of a LoRA run `lora`, an adapter for its base."""
        with self.average.in_place():
            if self.model.adapter is not None:
                save_adapter(self.model, self.folder / "lora")
            else:
                save_checkpoint(self.model, self.folder / "model", dtype=torch.float16)

    def resume(self, checkpoint: Path | None = None) -> bool:
        """Goes on from a checkpoint, by default the newest of the folder. Returns whether there was one.

        Raises:
            CheckpointError: it belongs to another model or other data; everything that differs is named.
        """
        found = checkpoint or next(reversed(self.checkpoints.all()), None)
        if found is None:
            return False
        state = read_state(found)
        differing = scheme_differences(self.scheme, state.scheme)
        if differing:
            raise CheckpointError(
                f"{found} cannot be gone on from, because the run has changed: {'; '.join(differing)}. "
                "Set it back, or start another output_dir with pretrained_path"
            )
        weights = read_tensors(found, "model")
        if self.model.adapter is not None:
            load_adapter_state(self.model, weights)
        else:
            self._load_weights(weights, found)
        load_optimizer_tensors(self._plain_optimizer, self.names, read_tensors(found, "optimizer"))
        if self.average.weights:
            self.average.load(read_tensors(found, "average"), int(state.numbers["average_updates"]))
        self.step = self.resumed_at = state.step
        self.cursors = state.cursors
        self.pending = [StepResult(*r) for r in state.pending["results"]]
        if self.accelerator.process_index < len(state.random):
            restore_random_state(state.random[self.accelerator.process_index])
        return True

    def _load_weights(self, weights: dict[str, Tensor], found: Path) -> None:
        try:
            self.model.load_state_dict(weights)
        except RuntimeError as error:
            raise CheckpointError(f"{found} belongs to another model; choose another output_dir: {error}") from error


def _without_empty(batch: Batch) -> Batch:
    """Windows in which nothing happens but the end get no labels."""
    labels = batch["labels"]
    empty = ((labels == IGNORED) | (labels == EOS_ID)).all(1, keepdim=True)
    return {**batch, "labels": labels.masked_fill(empty, IGNORED)}


def _labels(batch: Batch) -> int:
    return int((batch["labels"] != IGNORED).sum())
