"""Where a run's numbers go besides its own log file: TensorBoard or Weights & Biases, on request.

Both are extras and are imported only when asked for. A tracker that cannot start says so before training begins; one
that fails later is reported once and then left alone, because a run is worth more than its curves.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from osuT5.errors import InputError, suggestion

logger = logging.getLogger(__name__)
PROJECT, JOB_TYPE = "osuT5", "training"  # as the published runs are filed


class Tracker(Protocol):
    """What the training loop may tell a tracker; no call ever raises."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Numbers of one step, such as {"train/loss": 2.1}."""

    def image(self, name: str, path: Path, step: int) -> None:
        """A picture in a file that Pillow can read."""

    def close(self) -> None:
        """Writes what is pending."""


def open_tracker(
    kind: str | None,
    folder: Path,
    run_name: str,
    mode: str = "online",
    config: Mapping[str, Any] | None = None,
) -> Tracker:
    """A tracker for one run.

    Args:
        kind: None, "tensorboard" or "wandb".
        folder: of the run; files of the tracker lie in it.
        run_name: shown by the tracker.
        mode: of wandb: online, offline or disabled.
        config: the run's configuration, kept with it.

    Raises:
        InputError: an unknown kind, the package is not installed, or it cannot start.
    """
    if kind is None:
        return Guarded({})
    if kind not in KINDS:
        raise InputError(f"tracker {kind!r} is unknown{suggestion(kind, KINDS)}; use null, {' or '.join(KINDS)}")
    try:
        return Guarded(KINDS[kind](Path(folder), run_name, mode, dict(config or {})))
    except ImportError as error:
        raise InputError(
            f"the tracker {kind} is not installed ({error}); "
            f"run pip install {kind} in this environment, or leave the tracker out"
        ) from error
    except Exception as error:  # accounts, networks and files fail in the tracker's own exceptions
        raise InputError(f"the tracker {kind} cannot start: {error}") from error


Calls = dict[str, Callable[..., None]]


class Guarded:
    """Passes calls on until one fails. The failure is logged once; later calls do nothing.

    Args:
        calls: {"log" | "image" | "close": function}; empty for no tracker.
    """

    def __init__(self, calls: Calls):
        self._calls = calls

    def log(self, values: Mapping[str, float], step: int) -> None:
        self._call("log", dict(values), step)

    def image(self, name: str, path: Path, step: int) -> None:
        self._call("image", name, Path(path), step)

    def close(self) -> None:
        self._call("close")
        self._calls = {}

    def _call(self, what: str, *arguments: Any) -> None:
        if what not in self._calls:
            return
        try:
            self._calls[what](*arguments)
        except Exception as error:  # whatever a tracker runs into, training goes on
            logger.warning("the tracker failed and is left out from here on: %s", error)
            self._calls = {}


def _tensorboard(folder: Path, run_name: str, mode: str, config: dict[str, Any]) -> Calls:
    import numpy as np
    from PIL import Image
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder / "tensorboard" / run_name))
    text = json.dumps(config, indent=2, default=str, ensure_ascii=False)
    writer.add_text("config", "    " + text.replace("\n", "\n    "))  # Markdown shows indented text as it stands

    def log(values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, step)

    def image(name: str, path: Path, step: int) -> None:
        with Image.open(path) as picture:
            writer.add_image(name, np.asarray(picture.convert("RGB")), step, dataformats="HWC")

    return {"log": log, "image": image, "close": writer.close}


def _wandb(folder: Path, run_name: str, mode: str, config: dict[str, Any]) -> Calls:
    import wandb

    run = wandb.init(
        project=PROJECT, job_type=JOB_TYPE, name=run_name, dir=str(folder), mode=mode, config=config, save_code=False
    )

    def log(values: dict[str, float], step: int) -> None:
        run.log(values, step=step)

    def image(name: str, path: Path, step: int) -> None:
        run.log({name: wandb.Image(str(path))}, step=step)

    return {"log": log, "image": image, "close": run.finish}


KINDS: dict[str, Callable[[Path, str, str, dict[str, Any]], Calls]] = {"tensorboard": _tensorboard, "wandb": _wandb}
