"""What a data set says of its maps, which of them to take, and the classes that a new vocabulary gets from them.

The rows of MMRS and of the web data set are read into the same facts.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from osuT5.errors import InputError

RATED_SPEEDS = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)
MIN_WEIGHT, MAX_WEIGHT = 0.1, 10.0


@dataclass(frozen=True)
class MapFacts:
    """One beatmap of a data set. What is None the data set does not say.

    Attributes:
        style: class of the map in the style condition.
        status: -2 graveyard, -1 wip, 0 pending, 1 ranked, 2 approved, 3 qualified, 4 loved.
        difficulty: star rating that filters look at.
        ratings: stars at `RATED_SPEEDS`, empty where they have to be computed.
        user_id: of the mapper.
        omdb_tags: names; tag_votes: (tag id, votes) in the order of the data set.
        folder, file, audio_file: below the data folder of an MMRS data set.
        content: the .osu text, where the data set holds it itself.
    """

    set_id: int
    beatmap_id: int
    mode: int
    style: int
    status: int | None = None
    ranked_date: datetime | None = None
    submitted_date: datetime | None = None
    difficulty: float | None = None
    ratings: tuple[float, ...] = ()
    user_id: int | None = None
    omdb_tags: tuple[str, ...] = ()
    tag_votes: tuple[tuple[int, int], ...] = ()
    folder: str = ""
    file: str = ""
    audio_file: str = ""
    content: str = ""


@dataclass(frozen=True)
class MapFilter:
    """Which maps to take; None or empty: all. A map that lacks what a filter asks for is left out.

    Attributes:
        start, end: places [start, end) in the ascending list of all set ids.
        shares: [from, to) of the ascending list of the ids of the sets that pass, 0..1.
        subset_ids: these sets, in this order.
        min_year, max_year: of the ranked date, both included.
        min_difficulty, max_difficulty: stars, both included.
    """

    start: int | None = None
    end: int | None = None
    subset_ids: Sequence[int] = ()
    gamemodes: Sequence[int] = ()
    ranked_statuses: Sequence[int] = ()
    min_year: int | None = None
    max_year: int | None = None
    min_difficulty: float | None = None
    max_difficulty: float | None = None
    shares: tuple[float, float] | None = None

    def select(self, maps: Iterable[MapFacts]) -> list[MapFacts]:
        """The maps that pass, in the order given, or of `subset_ids`.

        Raises:
            InputError: `start` and `end` are no part of the data set.
        """
        maps = list(maps)
        if self.start is not None and self.end is not None:
            ids = sorted({m.set_id for m in maps})
            if not 0 <= self.start < self.end <= len(ids):
                raise InputError(
                    f"sets {self.start}..{self.end} are asked for, but the data set has {len(ids)}; "
                    f"choose 0 <= start < end <= {len(ids)}"
                )
            chosen = set(ids[self.start : self.end])
            maps = [m for m in maps if m.set_id in chosen]
        if self.subset_ids:
            place = {set_id: i for i, set_id in enumerate(self.subset_ids)}
            maps = sorted((m for m in maps if m.set_id in place), key=lambda m: place[m.set_id])
        maps = [m for m in maps if self._passes(m)]
        if self.shares is None:
            return maps
        ids = sorted({m.set_id for m in maps})
        places = [_place(share, len(ids)) for share in self.shares]
        chosen = set(ids[places[0] : places[1]])
        return [m for m in maps if m.set_id in chosen]

    def _passes(self, facts: MapFacts) -> bool:
        year = None if facts.ranked_date is None else facts.ranked_date.year
        # Ratings are stored as float32: so are the limits, lest 1.9 is less than 1.9.
        stars = None if facts.difficulty is None else np.float32(facts.difficulty)
        return (
            (not self.gamemodes or facts.mode in self.gamemodes)
            and (not self.ranked_statuses or facts.status in self.ranked_statuses)
            and (self.min_year is None or (year is not None and year >= self.min_year))
            and (self.max_year is None or (year is not None and year <= self.max_year))
            and (self.min_difficulty is None or (stars is not None and stars >= np.float32(self.min_difficulty)))
            and (self.max_difficulty is None or (stars is not None and stars <= np.float32(self.max_difficulty)))
        )


def _place(share: float, count: int) -> int:
    """Where a share of a list ends; between its ends so that both sides get something, where there is enough."""
    return round(share * count) if share in (0.0, 1.0) else min(max(round(share * count), 1), max(count - 1, 1))


def sets_of(maps: Iterable[MapFacts]) -> list[list[MapFacts]]:
    """The maps of each set, sets in the order of their first map."""
    sets: dict[int, list[MapFacts]] = {}
    for facts in maps:
        sets.setdefault(facts.set_id, []).append(facts)
    return list(sets.values())


@dataclass(frozen=True)
class ClassTables:
    """Mappers and descriptors of a training slice, as `Vocabulary.from_profile` takes them."""

    mappers: list[int]
    beatmap_mapper: dict[int, int]
    beatmap_styles: dict[int, int]
    descriptors: dict[str, int]
    num_descriptors: int
    beatmap_descriptors: dict[int, list[int]]


def class_tables(
    maps: Sequence[MapFacts],
    tags: Mapping[str, int] | None = None,
    beatmap_descriptors: Mapping[int, Sequence[int]] | None = None,
    min_votes: int = 1,
) -> ClassTables:
    """Mapper classes in the order of first appearance; descriptor classes likewise, or the ids of a tags file.

    Args:
        tags: name -> id of a tags file; descriptors are then the user tags with at least `min_votes`. Without it
            they are the OMDB tags.
        beatmap_descriptors: classes of each map from another source, instead of those of the data set.
    """
    mapped = {m.beatmap_id: m.user_id for m in maps if m.user_id is not None}
    if tags is None:
        names: dict[str, int] = {}
        for facts in maps:
            for name in facts.omdb_tags:
                names.setdefault(name, len(names))
        found = {m.beatmap_id: [names[n] for n in m.omdb_tags] for m in maps if m.omdb_tags}
        count = len(names)
    else:
        names = dict(tags)
        count = max(names.values(), default=-1) + 1
        voted = {m.beatmap_id: [i for i, votes in m.tag_votes if votes >= min_votes] for m in maps}
        found = {beatmap_id: ids for beatmap_id, ids in voted.items() if ids}
    if beatmap_descriptors is not None:
        found = {beatmap_id: list(ids) for beatmap_id, ids in beatmap_descriptors.items()}
    return ClassTables(
        mappers=list(dict.fromkeys(mapped.values())),
        beatmap_mapper=mapped,
        beatmap_styles={m.beatmap_id: m.style for m in maps},
        descriptors=names,
        num_descriptors=count,
        beatmap_descriptors=found,
    )


def read_tags(path: str | os.PathLike[str]) -> dict[str, int]:
    """Name -> id of a tags file; where a name stands twice its last id counts. Raises InputError."""
    try:
        rows = json.loads(Path(path).read_text(encoding="utf-8"))["tags"]
        return {str(row["name"]): int(row["id"]) for row in rows}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: cannot be read as a list of tags: {error}") from error


def descriptors_by_votes(
    rows: Iterable[Mapping[str, Any]], tags: Mapping[str, int], min_votes: int
) -> dict[int, list[int]]:
    """Descriptor classes of maps from a table of votes, most votes first.

    Args:
        rows: the first column is the beatmap id, every other one the votes for the tag that names it.
        tags: name -> class; a name that is not in it becomes the unknown class (the highest class + 1).
    """
    unknown = max(tags.values(), default=-1) + 1
    found: dict[int, list[int]] = {}
    for row in rows:
        (_, beatmap_id), *votes = row.items()
        kept = [(int(count), name) for name, count in votes if count is not None and count >= min_votes]
        kept.sort(key=lambda pair: -pair[0])
        if kept:
            found[int(beatmap_id)] = [tags.get(name, unknown) for _, name in kept]
    return found


def read_weights(path: str | os.PathLike[str]) -> dict[int, float]:
    """Weights of maps in the loss from lines `beatmap id,weight`: clipped to 0.1..10, then divided by their mean.

    Maps that are not in the file weigh 1. Raises InputError.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = [(int(row[0]), float(row[1])) for row in csv.reader(file) if row]
    except (OSError, ValueError, IndexError) as error:
        raise InputError(f"{path}: cannot be read as weights (lines of beatmap id,weight): {error}") from error
    clipped = {beatmap_id: min(max(weight, MIN_WEIGHT), MAX_WEIGHT) for beatmap_id, weight in rows}
    mean = sum(clipped.values()) / len(clipped) if clipped else 1.0
    return {beatmap_id: weight / mean for beatmap_id, weight in clipped.items()}


def rating_at(ratings: Sequence[float], speed: float) -> float:
    """Star rating at a playing speed: straight between the rated speeds, level beyond them."""
    return float(np.interp(speed, RATED_SPEEDS, ratings))
