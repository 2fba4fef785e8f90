"""Checkpoints of a run: everything that going on bit for bit needs, whole or not at all, and no pickle.

    <output_dir>/checkpoints/step_<N>/
        model.safetensors       trainable weights (of a LoRA run: the adapter)
        average.safetensors     their moving average, if there is one
        optimizer.safetensors   `<parameter>|<state>` tensors
        state.json              step, where every lane of the data stands, random states, scheme, numbers

A checkpoint is written beside its place and renamed once its files are on disk, so a kill at any moment leaves the one
before. Other parts of the run are functions of the step: rates, and the random numbers of the data.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from osuT5.data.stream import Cursor
from osuT5.errors import CheckpointError

FORMAT = 1
PARTIAL = ".partial"
STATE_FILE = "state.json"


@dataclass
class RunState:
    """What a checkpoint holds beside tensors.

    Attributes:
        step: optimiser steps done.
        cursors: where every lane of the training data stands.
        random: per rank, the states of torch's, numpy's and Python's generators.
        scheme: what must not change between start and resume: data, profile, vocabulary, optimiser.
        pending: losses and counts since the last line of the log.
        numbers: such as the number of updates of the average, the best evaluation loss.
    """

    step: int
    cursors: dict[int, Cursor]
    random: list[dict[str, Any]] = field(default_factory=list)
    scheme: dict[str, Any] = field(default_factory=dict)
    pending: dict[str, Any] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        cursors = {str(lane): asdict(cursor) for lane, cursor in sorted(self.cursors.items())}
        return {**asdict(self), "cursors": cursors, "format": FORMAT}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> RunState:
        values = dict(values)
        values.pop("format", None)
        values["cursors"] = {int(lane): Cursor(**cursor) for lane, cursor in values["cursors"].items()}
        return cls(**values)


class Checkpoints:
    """The checkpoints of one run, the newest `keep` of them. Only one process writes."""

    def __init__(self, folder: Path, keep: int = 2):
        self.folder, self.keep = folder, max(keep, 1)

    def all(self) -> list[Path]:
        """Finished ones, oldest first."""
        found = [p for p in self.folder.glob("step_*") if p.name.removeprefix("step_").isdigit()]
        return sorted(found, key=lambda p: int(p.name.removeprefix("step_")))

    def write(self, state: RunState, tensors: Mapping[str, Mapping[str, Tensor]]) -> Path:
        """Writes `step_<N>` and deletes what is older than the newest few.

        Args:
            tensors: file name without suffix -> tensors.
        Raises CheckpointError: the disk is full or not writable; what was there before is untouched.
        """
        target = self.folder / f"step_{state.step}"
        partial = self.folder / (target.name + PARTIAL)
        try:
            self.sweep()
            partial.mkdir(parents=True)
            for name, values in tensors.items():
                save_file(
                    {k: v.detach().contiguous().cpu() for k, v in values.items()}, partial / f"{name}.safetensors"
                )
            (partial / STATE_FILE).write_text(json.dumps(state.to_json()), encoding="utf-8")
            for path in partial.iterdir():
                _to_disk(path)
            if target.exists():  # of an earlier run that went further and was wound back
                shutil.rmtree(target)
            os.replace(partial, target)
            _to_disk(self.folder)
        except (OSError, SafetensorError) as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise CheckpointError(f"{target}: the checkpoint cannot be written: {error}") from error
        for old in self.all()[: -self.keep]:
            shutil.rmtree(old, ignore_errors=True)
        return target

    def sweep(self) -> None:
        """Removes what a killed process left behind."""
        for path in self.folder.glob(f"*{PARTIAL}"):
            shutil.rmtree(path)


def read_state(checkpoint: Path) -> RunState:
    """Raises CheckpointError."""
    path = checkpoint / STATE_FILE
    if not path.is_file():
        raise CheckpointError(
            f"{checkpoint}: this is no checkpoint of a run: it has no {STATE_FILE}; "
            "name a folder <output_dir>/checkpoints/step_N"
        )
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if values.get("format") != FORMAT:
            raise CheckpointError(
                f"{path}: format {values.get('format')!r} is not the one of this version ({FORMAT}); "
                "start anew from its weights with pretrained_path"
            )
        return RunState.from_json(values)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{path}: this is no checkpoint of a run: {error!r}") from error


def read_tensors(checkpoint: Path, name: str) -> dict[str, Tensor]:
    """Raises CheckpointError."""
    path = checkpoint / f"{name}.safetensors"
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from error


def optimizer_tensors(optimizer: torch.optim.Optimizer, names: Mapping[Tensor, str]) -> dict[str, Tensor]:
    """State of every parameter as `<name>|<key>`."""
    return {f"{names[p]}|{key}": value for p, state in optimizer.state.items() for key, value in state.items()}


def load_optimizer_tensors(
    optimizer: torch.optim.Optimizer, names: Mapping[Tensor, str], tensors: Mapping[str, Tensor]
) -> None:
    """Puts them back. Raises CheckpointError for state of parameters that are not trained here."""
    parameters = {name: p for p, name in names.items()}
    counted_beside = {p for g in optimizer.param_groups if g.get("fused") or g.get("capturable") for p in g["params"]}
    unknown = sorted({key.rsplit("|", 1)[0] for key in tensors} - set(parameters))
    if unknown:
        raise CheckpointError(f"the checkpoint has optimiser state of {unknown[0]}, which this run does not train")
    for key, value in tensors.items():
        name, kind = key.rsplit("|", 1)
        parameter = parameters[name]
        # a count of steps lies on the CPU unless the optimiser counts beside the weights
        beside = value.ndim > 0 or parameter in counted_beside
        optimizer.state[parameter][kind] = value.to(parameter.device) if beside else value


def random_state() -> dict[str, Any]:
    """Of this process, as JSON values."""
    python = random.getstate()
    kind, keys, position, has_gauss, gauss = np.random.get_state()
    state = {
        "torch": torch.get_rng_state().numpy().tobytes().hex(),
        "python": [python[0], list(python[1]), python[2]],
        "numpy": [kind, keys.tolist(), int(position), int(has_gauss), float(gauss)],
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state().numpy().tobytes().hex()
    return state


def restore_random_state(state: Mapping[str, Any]) -> None:
    torch.set_rng_state(_bytes(state["torch"]))
    version, inner, gauss = state["python"]
    random.setstate((version, tuple(inner), gauss))
    kind, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), position, has_gauss, cached))
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(_bytes(state["cuda"]))


def scheme_differences(run: Any, kept: Any, path: str = "") -> list[str]:
    """`key: run has x, checkpoint y` for everything that differs."""
    if isinstance(run, Mapping) and isinstance(kept, Mapping):
        found = []
        for key in sorted({*run, *kept}, key=str):
            inner = f"{path}.{key}" if path else str(key)
            found += scheme_differences(run.get(key), kept.get(key), inner)
        return found
    return [] if run == kept else [f"{path}: this run has {run!r}, the checkpoint {kept!r}"]


def _bytes(text: str) -> Tensor:
    return torch.from_numpy(np.frombuffer(bytes.fromhex(text), dtype=np.uint8).copy())


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
