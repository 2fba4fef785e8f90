"""The MMRS data set: a table of maps, and their files in one folder a set.

    <root>/metadata.parquet
    <root>/data/<set folder>/<.osu and audio files>
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from osuT5 import audio
from osuT5.data.catalogue import MapFacts, sets_of
from osuT5.data.sets import MapSet
from osuT5.errors import InputError

COLUMNS = (
    "BeatmapSetId", "Id", "BeatmapSetFolder", "BeatmapFile", "AudioFile", "ModeInt", "Ranked", "RankedDate",
    "SubmittedDate", "DifficultyRating", "StarRating", "UserId",
)  # fmt: skip
# Columns that older data sets lack.
OPTIONAL_COLUMNS = ("OmdbTags", "TopTagIds", "TopTagCounts")


def read_metadata(root: str | os.PathLike[str]) -> list[MapFacts]:
    """All maps of the data set, by set id and beatmap id.

    Raises:
        InputError: the table is missing, damaged or lacks a column; or pyarrow is not installed.
    """
    path = Path(root) / "metadata.parquet"
    try:
        import pyarrow as pa
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise InputError(f"reading {path} needs pyarrow: pip install 'mapperatorinator[train]'") from error
    try:
        known = parquet.read_schema(path).names
        missing = [name for name in COLUMNS if name not in known]
        if missing:
            raise InputError(f"{path} is no MMRS table: it lacks the columns {', '.join(missing)}")
        table = parquet.read_table(path, columns=[*COLUMNS, *(c for c in OPTIONAL_COLUMNS if c in known)])
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{path}: cannot be read as a table of maps: {error}") from error
    maps = [_facts(row, place) for place, row in enumerate(table.to_pylist())]
    return sorted(maps, key=lambda m: (m.set_id, m.beatmap_id))


def _facts(row: dict[str, Any], place: int) -> MapFacts:
    return MapFacts(
        set_id=row["BeatmapSetId"],
        beatmap_id=row["Id"],
        mode=row["ModeInt"],
        style=place,
        status=row["Ranked"],
        ranked_date=_date(row["RankedDate"]),
        submitted_date=_date(row["SubmittedDate"]),
        difficulty=row["DifficultyRating"],
        ratings=tuple(row["StarRating"] or ()),
        user_id=row["UserId"],
        omdb_tags=tuple(row.get("OmdbTags") or ()),
        tag_votes=tuple(zip(row.get("TopTagIds") or (), row.get("TopTagCounts") or (), strict=True)),
        folder=row["BeatmapSetFolder"],
        file=row["BeatmapFile"],
        audio_file=row["AudioFile"],
    )


def _date(value: Any) -> datetime | None:
    # nanosecond timestamps come as pandas objects where pandas is installed
    return value.to_pydatetime() if hasattr(value, "to_pydatetime") else value


def mmrs_sets(
    root: str | os.PathLike[str],
    maps: Sequence[MapFacts],
    *,
    sample_rate: int = 16000,
    resampler: str = "published",
    normalize: bool = True,
) -> list[MapSet]:
    """The sets of these maps, with their sound, which is that of a set's first map; files are read when asked for.

    Raises InputError: there is no folder of sets.
    """
    data = Path(root) / "data"
    if not data.is_dir():
        raise InputError(f"{data} is no folder: the sets of an MMRS data set lie there; check the path")

    def make(facts: list[MapFacts]) -> MapSet:
        folder = data / facts[0].folder
        sound = FileSound(folder / facts[0].audio_file, sample_rate, resampler, normalize)
        return MapSet(facts, [folder / m.file for m in facts], sound)

    return [make(facts) for facts in sets_of(maps)]


@dataclass(frozen=True)
class FileSound:
    """The sound of a set, decoded from its file whenever it is asked for."""

    path: Path
    sample_rate: int
    resampler: str
    normalize: bool

    def __call__(self, speed: float) -> np.ndarray:
        """Mono float32 samples. Raises AudioError."""
        with audio.open_audio(self.path) as stream:
            return audio.resample_for_model(
                stream, sample_rate=self.sample_rate, resampler=self.resampler, normalize=self.normalize, speed=speed
            )
