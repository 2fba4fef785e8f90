"""Tables that lie beside a data set: who mapped what, and descriptors by hand or by votes.

Mappers: a JSON object beatmap id → user id. Descriptors by hand: lines
`beatmap id,descriptor` without a header. Votes: a table whose first column is the beatmap id and every other one a tag.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from osuT5.errors import InputError


def read_mappers(path: str | os.PathLike[str]) -> dict[int, int]:
    """Beatmap id -> user id. Raises InputError."""
    try:
        return {int(k): int(v) for k, v in json.loads(Path(path).read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: cannot be read as a JSON object of beatmap ids and user ids: {error}") from error


def read_local_descriptors(path: str | os.PathLike[str]) -> tuple[dict[str, int], dict[int, list[int]]]:
    """Names by first appearance -> class, and each beatmap's classes in the order of the file. Raises InputError."""
    names: dict[str, int] = {}
    found: dict[int, list[int]] = {}
    try:
        with open(path, encoding="utf-8", newline="") as file:
            for row in csv.reader(file):
                if row:
                    place = names.setdefault(row[1], len(names))
                    found.setdefault(int(row[0]), []).append(place)
    except (OSError, ValueError, IndexError) as error:
        raise InputError(f"{path}: cannot be read as descriptors (lines of beatmap id,descriptor): {error}") from error
    return names, found


def read_votes(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """Rows of a table of votes, a `.csv` with header or a `.parquet` file. Raises InputError."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: there is no such table of votes (a .csv or .parquet file)")
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as parquet

        try:
            yield from parquet.read_table(path).to_pylist()
        except (OSError, pa.ArrowInvalid) as error:
            raise InputError(f"{path}: cannot be read as a table: {error}") from error
        return
    with open(path, encoding="utf-8", newline="") as file:
        try:
            for row in csv.DictReader(file):
                yield {name: float(value) if value else None for name, value in row.items()}
        except (ValueError, csv.Error) as error:
            raise InputError(f"{path}: cannot be read as votes: {error}") from error
