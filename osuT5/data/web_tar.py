"""An archive of the web data set: a tar file of rows, each `<key>.json` beside `<key>.opus` or another kind of sound.

It is read by place: facts when it is opened, texts and sound whenever they are asked for. The key is the member's name
up to the first dot, as WebDataset has it.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from osuT5.audio import open_audio, resample_for_model
from osuT5.beatmap import Beatmap, read
from osuT5.data.catalogue import MapFilter
from osuT5.data.sets import MapSet
from osuT5.data.web import web_set
from osuT5.errors import BeatmapError, InputError

JSON = "json"
HELD_ROWS = 2  # texts of rows that are kept while their maps are read one by one


@dataclass(frozen=True)
class Member:
    """A file inside an archive."""

    archive: str
    offset: int
    size: int

    def read(self) -> bytes:
        """Raises InputError: the archive cannot be read, or is shorter than it was."""
        try:
            with open(self.archive, "rb") as file:
                file.seek(self.offset)
                data = file.read(self.size)
        except OSError as error:
            raise InputError(f"{self.archive}: cannot be read ({error.strerror or error})") from error
        if len(data) < self.size:
            raise InputError(f"{self.archive}: is shorter than when it was opened; fetch it again")
        return data


@dataclass(frozen=True)
class RowSound:
    """Decodes the sound of a row: mono float32 samples in -1..1. Raises AudioError."""

    member: Member
    sample_rate: int
    resampler: str

    def __call__(self) -> np.ndarray:
        with open_audio(self.member.read()) as stream:
            samples = resample_for_model(
                stream, sample_rate=self.sample_rate, resampler=self.resampler, normalize=False
            )
        return samples


@dataclass(frozen=True)
class RowMap:
    """Reads a map of a row."""

    member: Member
    beatmap_id: int

    def __call__(self) -> Beatmap:
        """Raises BeatmapError, InputError."""
        for beatmap in _row(self.member).get("beatmaps") or ():
            if str(beatmap.get("beatmap_id")) == str(self.beatmap_id) and beatmap.get("content"):
                return read(beatmap["content"].encode())
        raise BeatmapError(f"{self.member.archive}: map {self.beatmap_id} is not where it was; fetch the archive again")


@lru_cache(maxsize=HELD_ROWS)
def _row(member: Member) -> dict[str, Any]:
    try:
        row = json.loads(member.read())
    except ValueError as error:
        raise InputError(f"{member.archive}: a row is no JSON ({error})") from error
    return row if isinstance(row, dict) else {}


def tar_sets(
    archive: Path,
    chosen: MapFilter | None = None,
    styles: Mapping[int, int] | None = None,
    sample_rate: int = 16000,
    resampler: str = "band_limited",
) -> list[MapSet]:
    """The sets of an archive of which a map passes the filter; rows without sound or maps are left out.

    Raises InputError: the archive cannot be read.
    """
    sets = []
    for key, members in _rows(archive):
        sound = next((m for kind, m in members.items() if kind != JSON), None)
        if JSON not in members or sound is None:
            continue
        row = {"__key__": key, "json": _row(members[JSON])}
        found = web_set(row, RowSound(sound, sample_rate, resampler), chosen, styles, sample_rate)
        if found is not None:
            texts = [RowMap(members[JSON], facts.beatmap_id) for facts in found.facts]
            sets.append(replace(found, maps=texts))
    return sets


def _rows(archive: Path) -> Iterator[tuple[str, dict[str, Member]]]:
    """Keys and their files by kind; the files of a key stand together."""
    key, members = None, {}
    try:
        with tarfile.open(archive, "r:") as tar:
            for info in tar:
                if not info.isreg():
                    continue
                folder, _, name = info.name.rpartition("/")
                stem, _, kind = name.partition(".")
                here = f"{folder}/{stem}"
                if here != key:
                    if members:
                        yield str(key), members
                    key, members = here, {}
                members[kind.lower()] = Member(str(archive), info.offset_data, info.size)
    except (OSError, tarfile.TarError) as error:
        raise InputError(f"{archive}: cannot be read as a tar archive of the web data set ({error})") from error
    if members:
        yield str(key), members
