"""The options of the data set builder, and which maps they choose."""

from __future__ import annotations

import os
import tempfile
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import ClassVar

from osuT5.errors import InputError
from osuT5.options import (
    Bool,
    Command,
    Int,
    Number,
    Options,
    PathText,
    contradiction,
    heading,
    ints,
    must_exist,
    required,
)

USAGE = """python -m osuT5.data.build osz_dir=FOLDER out=FOLDER [option=value ...]

Builds a data set from a folder of mapsets. Nothing is fetched, no account is needed. out becomes an MMRS data set:
metadata.parquet, data/<set folder>/ and text files that say what was left out and why. Started again, it goes on where
it was, however it ended, and adds the sets that are new; sets that changed, and all sets when the choice of maps has
changed, are read again.

Ids: sets and maps that state no online id get one from 1000000000 up, made of their content, the same everywhere. A
mapper's UserId is likewise made of the creator's name unless api_csv knows it: a class for training, not the web
site's id. Dates and what else only the web site knows stay empty without api_csv."""
STATUSES = {-2: "graveyard", -1: "wip", 0: "pending", 1: "ranked", 2: "approved", 3: "qualified", 4: "loved"}


@dataclass(frozen=True)
class Choice:
    """Which maps are taken, and what is made of them; a source is read again when this has changed."""

    ratings: bool
    gamemodes: tuple[int, ...]
    min_drain_s: float
    min_stars: float | None
    max_stars: float | None
    min_mapped: float

    def line(self) -> str:
        """The choice as text, to be compared with that of an earlier run."""
        return repr(astuple(self))


@contradiction("ratings", "min_stars", "max_stars", "gamemodes")
def choice_is_empty(ratings: bool, low: float | None, high: float | None, modes: tuple[int, ...]) -> list[str]:
    problems = []
    if not ratings and (low is not None or high is not None):
        problems.append("min_stars and max_stars need ratings=true")
    if low is not None and high is not None and low > high:
        problems.append(f"min_stars={low:g} is above max_stars={high:g}")
    if not modes:
        problems.append("gamemodes is empty: name at least one of 0 (osu!), 1 (taiko), 2 (catch), 3 (mania)")
    return problems


_sets = heading("Sets")
_choice = heading("Which maps")
_work = heading("Work")


class BuildOptions(Options):
    """Options of a build. Raises OptionErrors."""

    command: ClassVar[Command] = Command(
        tree="build",
        title="the data set builder",
        usage=USAGE,
        contradictions=(
            required("osz_dir", "the folder of .osz files or sets"),
            required("out", "the folder of the data set"),
            must_exist("osz_dir", "folder"),
            must_exist("api_csv", "file"),
            choice_is_empty,
        ),
        words={"input": "osz_dir", "songs": "osz_dir", "source": "osz_dir", "output": "out"},
    )

    osz_dir: PathText | None = _sets(".osz files, sets as folders (the game's Songs folder), or both, at any depth")
    out: PathText | None = _sets("folder of the data set")
    api_csv: PathText | None = _sets(
        "what only the web site knows (ranked and submitted dates, status, mapper's id, tags): one row a map with a "
        "column Id (or beatmap_id) and any columns of the table; with Checksum, maps of before 2012 are found too"
    )
    status: Int | None = _sets(
        "states the status of all other maps: -2 graveyard, -1 wip, 0 pending, 1 ranked, 2 approved, 3 qualified, 4 "
        "loved; null: unknown", ge=-2, le=4
    )  # fmt: skip
    ratings: Bool = _choice("star ratings at seven speeds; without them models learn no difficulty", True)
    gamemodes: ints(ge=0, le=3) = _choice("0 osu!, 1 taiko, 2 catch, 3 mania", (0, 1, 2, 3))
    min_drain_s: Number = _choice("seconds with objects at least, without breaks", 0.0, ge=0, le=7200)
    min_stars: Number | None = _choice("star rating at least", ge=0, le=1000)
    max_stars: Number | None = _choice("star rating at most", ge=0, le=1000)
    min_mapped: Number = _choice(
        "share of the song that a map lasts at least; above 0 every song is decoded whole", 0.0, ge=0, le=1
    )
    max_sets: Int | None = _choice("the data set gets no more sets than that", ge=1, le=10**9)
    workers: Int | None = _work("processes; null: one for each core", ge=1, le=256)
    retry_skipped: Bool = _work("read again what was skipped before", False)
    keep_free_gib: Number = _work("GiB of the disk that are left free", 1.0, ge=0, le=10**6)
    set_limit_s: Number = _work("seconds for one set", 300.0, ge=1, le=86400)

    @property
    def choice(self) -> Choice:
        modes = tuple(sorted(set(self.gamemodes)))
        return Choice(self.ratings, modes, self.min_drain_s, self.min_stars, self.max_stars, self.min_mapped)

    @property
    def source_folder(self) -> Path:
        return Path(self.osz_dir or "").expanduser()

    @property
    def out_folder(self) -> Path:
        return Path(self.out or "").expanduser()

    @property
    def csv_file(self) -> Path | None:
        return Path(self.api_csv).expanduser() if self.api_csv else None

    @property
    def processes(self) -> int:
        return self.workers or usable_cores()


def usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_folders(options: BuildOptions) -> None:
    """Raises InputError for folders that lie in each other."""
    source, out = options.source_folder, options.out_folder
    if out.exists() and not out.is_dir():
        raise InputError(f"out={out} is a file; name a folder")
    if out.resolve().is_relative_to(source.resolve()):
        raise InputError(f"out={out} lies in osz_dir={source}; choose a folder outside it")
    if source.resolve().is_relative_to(out.resolve()):
        raise InputError(f"osz_dir={source} lies in out={out}; choose another folder for the data set")


def prepare_out(out: Path) -> None:
    """Makes the folder. Raises InputError where nothing can be written."""
    try:
        (out / "data").mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise InputError(f"out={out}: cannot be written to ({error.strerror}); choose another folder") from error
