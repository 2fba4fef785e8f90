"""The options of the builder, checked all at once. What each means: `python -m osuT5.data.build --help`."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from osuT5.errors import InputError, OptionErrors

MODES = (0, 1, 2, 3)
STATUSES = {-2: "graveyard", -1: "wip", 0: "pending", 1: "ranked", 2: "approved", 3: "qualified", 4: "loved"}


@dataclass(frozen=True)
class Choice:
    """Which maps are taken, and what is made of them; a source is read again when this has changed.

    Attributes:
        min_drain_s: seconds with objects, without breaks.
        min_mapped: share of the sound, 0..1, that the map lasts; above 0 every song is decoded whole.
    """

    ratings: bool = True
    gamemodes: tuple[int, ...] = MODES
    min_drain_s: float = 0.0
    min_stars: float | None = None
    max_stars: float | None = None
    min_mapped: float = 0.0

    def line(self) -> str:
        """The choice as text, to be compared with that of an earlier run."""
        return repr(dataclasses.astuple(self))


@dataclass(frozen=True)
class BuildSettings:
    """Attributes:
    status: stated of all maps that `api_csv` says nothing of.
    max_sets: sets that the data set has at most.
    keep_free_gib: space on the disk that is never used.
    set_limit_s: seconds that one source may take.
    """

    osz_dir: Path
    out: Path
    choice: Choice = Choice()
    workers: int = 1
    api_csv: Path | None = None
    status: int | None = None
    max_sets: int | None = None
    retry_skipped: bool = False
    keep_free_gib: float = 1.0
    set_limit_s: float = 300.0


def settings_from(config: Mapping[str, Any]) -> BuildSettings:
    """Raises OptionErrors naming everything that is wrong."""
    problems: list[str] = []

    def number(key: str, low: float, high: float, kind: type = float, optional: bool = True) -> Any:
        value = config[key]
        if value is None and optional:
            return None
        whole = kind is float or (isinstance(value, int) or isinstance(value, float) and value == int(value))
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high or not whole:
            kinds = "a whole number" if kind is int else "a number"
            problems.append(f"{key}={value} must be {kinds} from {low:g} to {high:g}")
            return low
        return kind(value)

    def truth(key: str) -> bool:
        if not isinstance(config[key], bool):
            problems.append(f"{key}={config[key]} must be true or false")
        return bool(config[key])

    modes = config["gamemodes"]
    modes = tuple(modes) if isinstance(modes, (list, tuple)) else (modes,)
    if not modes or any(mode not in MODES or isinstance(mode, bool) for mode in modes):
        problems.append(f"gamemodes={config['gamemodes']} must be a list of 0 (std), 1 (taiko), 2 (catch), 3 (mania)")
    choice = Choice(
        ratings=truth("ratings"),
        gamemodes=tuple(sorted(set(modes), key=str)),
        min_drain_s=number("min_drain_s", 0, 7200, optional=False),
        min_stars=number("min_stars", 0, 1000),
        max_stars=number("max_stars", 0, 1000),
        min_mapped=number("min_mapped", 0, 1, optional=False),
    )
    if not choice.ratings and (choice.min_stars is not None or choice.max_stars is not None):
        problems.append("min_stars and max_stars need ratings=true")
    if choice.min_stars is not None and choice.max_stars is not None and choice.min_stars > choice.max_stars:
        problems.append(f"min_stars={choice.min_stars:g} is above max_stars={choice.max_stars:g}")
    if config["status"] is not None and (isinstance(config["status"], bool) or config["status"] not in STATUSES):
        stated = ", ".join(f"{value} {name}" for value, name in STATUSES.items())
        problems.append(f"status={config['status']} is none of {stated}")
    workers = number("workers", 1, 256, int)
    settings = BuildSettings(
        osz_dir=_folder("osz_dir", config["osz_dir"], problems),
        out=_folder("out", config["out"], problems),
        choice=choice,
        workers=workers or usable_cores(),
        api_csv=Path(str(config["api_csv"])).expanduser() if config["api_csv"] else None,
        status=config["status"],
        max_sets=number("max_sets", 1, 10**9, int),
        retry_skipped=truth("retry_skipped"),
        keep_free_gib=number("keep_free_gib", 0, 10**6, optional=False),
        set_limit_s=number("set_limit_s", 1, 86400, optional=False),
    )
    _check_folders(settings, problems)
    if settings.api_csv is not None and not settings.api_csv.is_file():
        problems.append(f"api_csv={settings.api_csv} does not exist; name a .csv file, or leave it out")
    if problems:
        raise OptionErrors(problems)
    return settings


def usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _folder(key: str, value: Any, problems: list[str]) -> Path:
    if value in (None, ""):
        problems.append(f"{key}= is missing; name the folder")
        return Path()
    return Path(str(value)).expanduser()


def _check_folders(settings: BuildSettings, problems: list[str]) -> None:
    if problems:
        return
    source, out = settings.osz_dir, settings.out
    if not source.is_dir():
        problems.append(f"osz_dir={source} is not a folder; name the one that holds .osz files or sets")
        return
    if out.exists() and not out.is_dir():
        problems.append(f"out={out} is a file; name a folder")
        return
    real_source, real_out = source.resolve(), out.resolve()
    if real_out.is_relative_to(real_source):
        problems.append(f"out={out} lies in osz_dir={source}; choose a folder outside it")
    elif real_source.is_relative_to(real_out):
        problems.append(f"osz_dir={source} lies in out={out}; choose another folder for the data set")


def prepare_out(out: Path) -> None:
    """Makes the folder. Raises InputError where nothing can be written."""
    try:
        (out / "data").mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise InputError(f"out={out}: cannot be written to ({error.strerror}); choose another folder") from error
