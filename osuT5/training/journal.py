"""What a run tells: `log.jsonl` always, a tracker on request, and lines with the time that is left on the console."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from osuT5.training.attribution import MODE_NAMES

Say = Callable[[str], None]


class Tracker(Protocol):
    def log(self, values: dict[str, float], step: int) -> None: ...
    def image(self, name: str, path: Path, step: int) -> None: ...
    def close(self) -> None: ...


class Journal:
    """Lines of `log.jsonl`, each with `step`; training lines carry `loss` too.

    A run that is wound back to an earlier checkpoint drops the lines after it, so that a step has one line.
    """

    def __init__(self, path: Path, say: Say, tracker: Tracker, total_steps: int):
        self.path, self.say, self.tracker, self.total_steps = path, say, tracker, total_steps
        self.began, self.first_step = time.monotonic(), 0

    def begin(self, step: int) -> None:
        """The run goes on after `step`."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.began, self.first_step = time.monotonic(), step
        if not self.path.exists():
            return
        kept = [line for line in self.path.read_text(encoding="utf-8").splitlines() if _step_of(line) <= step]
        partial = self.path.with_name(self.path.name + ".partial")
        partial.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
        os.replace(partial, self.path)

    def training(self, step: int, values: dict[str, Any]) -> None:
        self._write({"step": step, **values})
        self.tracker.log({f"train/{k}": v for k, v in values.items()}, step)
        numbers = f"loss {values['loss']:.4f}  lr {values['lr']:.2e}  {values['windows_per_second']:.1f} windows/s"
        self.say(f"step {step}/{self.total_steps}  {numbers}  epoch {values['epoch']:.2f}  {self._left(step)}")

    def evaluation(self, step: int, values: dict[str, Any]) -> None:
        self._write({"step": step, **values})
        self.tracker.log(values, step)
        shown = {k: v for k, v in values.items() if not set(k.split("/")) & set(MODE_NAMES)}  # the rest is in the log
        self.say(f"step {step}  " + "  ".join(f"{k} {v:.4g}" for k, v in shown.items()))

    def picture(self, step: int, name: str, path: Path) -> None:
        self.tracker.image(name, path, step)
        self.say(f"step {step}  picture of the {name}: {path}")

    def seconds_per_step(self, step: int) -> float:
        return (time.monotonic() - self.began) / max(step - self.first_step, 1)

    def _left(self, step: int) -> str:
        seconds = int((self.total_steps - step) * self.seconds_per_step(step))
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02} left"

    def _write(self, row: dict[str, Any]) -> None:
        with open(self.path, "a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")


def _step_of(line: str) -> float:
    """A line that a kill cut short belongs to no step that is kept."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):
        return float("inf")
