"""What only the game's web site knows of maps, from a table that the user has: `api_csv=`.

One row a map, with a column `Id` (or `beatmap_id`) and any columns of the MMRS table by their names. Where it has
`Checksum` too, maps whose file says no id (those of before 2012) are found by the MD5 of their file.
"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from osuT5.data.building.columns import COLUMNS, parse_cell
from osuT5.errors import InputError

_KEYS = {"id": "Id", "beatmap_id": "Id", "beatmapid": "Id", "beatmapset_id": "BeatmapSetId"}
_MAX_CELL = 1 << 20


@dataclass(frozen=True)
class OnlineFacts:
    """Attributes:
    by_id: beatmap id -> column -> value; columns without a value are missing.
    by_checksum: MD5 of a .osu -> beatmap id.
    ignored: columns of the table that no data set has.
    """

    by_id: dict[int, dict[str, Any]] = field(default_factory=dict)
    by_checksum: dict[str, int] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()

    def ids_of(self, checksum: str) -> tuple[int | None, int] | None:
        """(set id or None, beatmap id) of a file."""
        beatmap_id = self.by_checksum.get(checksum)
        return None if beatmap_id is None else (self.by_id[beatmap_id].get("BeatmapSetId"), beatmap_id)


def read_online(path: str | os.PathLike[str]) -> OnlineFacts:
    """Reads the table.

    Raises InputError naming the line and column of the first cell that is no value of its column, or a file that is
    no such table.
    """
    csv.field_size_limit(min(_MAX_CELL, sys.maxsize))
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return _collect(path, csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"api_csv={path}: cannot be read as a table: {error}") from error


def _collect(path: str | os.PathLike[str], lines: Iterator[list[str]]) -> OnlineFacts:
    header = [name.strip() for name in next(lines, [])]
    known = {name.lower(): name for name in COLUMNS} | _KEYS
    columns = [known.get(name.lower()) for name in header]
    if "Id" not in columns:
        raise InputError(f"api_csv={path}: has no column Id (or beatmap_id); its first line must name the columns")
    facts = OnlineFacts(ignored=tuple(n for n, column in zip(header, columns, strict=True) if column is None))
    for number, cells in enumerate(lines, 2):
        row = {}
        for column, cell in zip(columns, cells, strict=False):
            if column is None:
                continue
            try:
                value = parse_cell(COLUMNS[column], cell)
            except ValueError as error:
                raise InputError(f"api_csv={path}, line {number}, column {column}: {error}") from error
            if value is not None:
                row[column] = value
        if "Id" in row:
            facts.by_id[row["Id"]] = row
            if "Checksum" in row:
                facts.by_checksum[row["Checksum"].lower()] = row["Id"]
    return facts
