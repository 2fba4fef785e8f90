"""Compiled data sets: sound at the model's rate and parsed maps, in a few large files that are read by place.

    <folder>/index.json           what the data set is made of; written last: a folder that has it is whole
    <folder>/00000.safetensors    some sets: their sound, their maps as columns (`map_tables`) and their facts

Nothing in a shard depends on a model version: filters, class tables, templates and tokens come from the profile of a
run. The resampler is a property of the data set. Sound is kept as int16 of its peak, so a window of a normalised song
is read as it is; raw values come back as multiples of peak / 32767, which are the very samples where a 16-bit file
was not resampled.

Another playing speed is made from the stored samples (`change_speed_linear`). Decoding a file at that speed by the
"published" steps differs in that the stored samples were interpolated once before, at the model's rate.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from osuT5.audio import normalize_peak
from osuT5.beatmap import Beatmap
from osuT5.data.catalogue import MapFacts, sets_of
from osuT5.data.map_tables import restore
from osuT5.data.sets import MapSet
from osuT5.data.shard_writer import INDEX, NOTE
from osuT5.data.stored_sound import FULL_SCALE, change_speed_linear, from_flac
from osuT5.errors import InputError

FORMAT = 1
OPEN_SHARDS = 32  # files that a process keeps open
DATES = ("ranked_date", "submitted_date")
TUPLES = ("ratings", "omdb_tags")


@dataclass(frozen=True)
class Shards:
    """A compiled data set.

    Attributes:
        facts: of all maps, in the order of the data set it was made from.
        sample_rate, resampler: of the sound.
        identity: changes with the data set, for `SetSource(origin=...)`.
    """

    facts: list[MapFacts]
    sample_rate: int
    resampler: str
    identity: str
    places: dict[tuple[int, int], tuple[str, int, int]]  # (set id, beatmap id) -> file, set and map in it

    def sets(self, maps: Sequence[MapFacts], *, sample_rate: int = 16000, normalize: bool = True) -> list[MapSet]:
        """The sets of these maps, some of `facts`. Sound is int16 where it is normalised and not changed in speed.

        Raises InputError: the sound was compiled at another rate.
        """
        if sample_rate != self.sample_rate:
            raise InputError(
                f"the data set was compiled at {self.sample_rate} Hz, the profile hears {sample_rate} Hz; compile it "
                f"again with sample_rate={sample_rate}"
            )
        made = []
        for facts in sets_of(maps):
            places = [self.places[m.set_id, m.beatmap_id] for m in facts]
            path, number, _ = places[0]
            sound = StoredSound(path, number, sample_rate, normalize)
            made.append(MapSet(facts, [StoredMap(file, place) for file, _, place in places], sound))
        return made


@dataclass(frozen=True)
class StoredMap:
    """A map of a shard, read when it is called."""

    path: str
    number: int

    def __call__(self) -> Beatmap:
        shard = _open(self.path)
        return restore(shard.rows, *shard.bounds[self.number : self.number + 2].tolist())


@dataclass(frozen=True)
class StoredSound:
    """The sound of a set of a shard."""

    path: str
    number: int
    sample_rate: int
    normalize: bool

    def __call__(self, speed: float) -> np.ndarray:
        """Mono samples at a playing speed: int16 for sample * 32767, or float32. Raises AudioError."""
        shard = _open(self.path)
        first, end, _ = shard.sets[self.number].tolist()
        samples = shard.rows("sound", first, end)
        if samples.dtype == np.uint8:
            samples = from_flac(samples)
        if speed == 1.0 and self.normalize:
            return samples
        if speed != 1.0:
            samples = change_speed_linear(samples, speed, self.sample_rate)
        if self.normalize:
            return normalize_peak(samples)
        return samples.astype(np.float32, copy=False) * np.float32(shard.peaks[self.number] / FULL_SCALE)


class _Shard:
    """An open file; columns are read by rows, what all sets need is held."""

    def __init__(self, path: str):
        self.file = safe_open(path, framework="np")
        self._slices: dict[str, Any] = {}
        self.bounds, self.sets, self.peaks = (self.file.get_tensor(name) for name in ("bounds", "sets", "peaks"))

    def rows(self, name: str, first: int, end: int) -> np.ndarray:
        if name not in self._slices:
            self._slices[name] = self.file.get_slice(name)
        column = self._slices[name]
        if first == end:  # the library takes no empty slices
            return np.zeros((0, *column.get_shape()[1:]), dtype=np.int32)
        return column[first:end]

    def facts(self) -> list[MapFacts]:
        rows = json.loads(self.file.get_tensor("facts").tobytes())
        return [_from_json(row) for row in rows]


@lru_cache(maxsize=OPEN_SHARDS)
def _open(path: str) -> _Shard:
    """Raises InputError: the file is missing or damaged."""
    try:
        return _Shard(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: cannot be read as a shard ({error}); compile the data set again") from error


def read_note(path: str | Path) -> dict[str, Any]:
    """What the writer of a shard noted in its header. Raises InputError: it is missing or damaged."""
    return json.loads((_open(str(path)).file.metadata() or {}).get(NOTE, "{}"))


def read_index(folder: Path) -> dict[str, Any]:
    """{"format", "sample_rate", "resampler", "audio", "identity", "shards": [{"file", "sets", "maps", ...}], ...}.

    Raises InputError: the folder holds no data set, an unfinished one, or one of a newer version.
    """
    path = Path(folder) / INDEX
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        found = index["format"]
        _ = index["shards"], index["sample_rate"], index["resampler"], index["identity"]
    except FileNotFoundError as error:
        raise InputError(
            f"{folder} has no {INDEX}: it is no compiled data set, or an unfinished one; run "
            "python -m osuT5.data.compile again, it goes on where it stopped"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: cannot be read as the index of a compiled data set: {error!r}") from error
    if found != FORMAT:
        raise InputError(f"{path}: has format {found}, this version reads format {FORMAT}; compile the data set again")
    return index


def open_shards(folder: str | Path) -> Shards:
    """A compiled data set. Reads facts only; sound and maps are read when they are asked for.

    Raises InputError: as `read_index`, or a file is missing or damaged.
    """
    index = read_index(Path(folder))
    facts: list[MapFacts] = []
    places = {}
    for row in index["shards"]:
        path = str(Path(folder) / row["file"])
        shard = _open(path)
        own = shard.facts()
        first = 0
        for number, end in enumerate(shard.sets[:, 2].tolist()):
            for place in range(first, end):
                places[own[place].set_id, own[place].beatmap_id] = path, number, place
            first = end
        facts += own
    return Shards(facts, index["sample_rate"], index["resampler"], index["identity"], places)


def _from_json(row: dict[str, Any]) -> MapFacts:
    for name in DATES:
        if name in row:
            row[name] = datetime.fromisoformat(row[name])
    for name in TUPLES:
        if name in row:
            row[name] = tuple(row[name])
    if "tag_votes" in row:
        row["tag_votes"] = tuple(map(tuple, row["tag_votes"]))
    return MapFacts(**row)
