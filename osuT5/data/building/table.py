"""metadata.parquet and the text files beside it, each there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from osuT5.data.building.columns import OF_THE_FILES, schema
from osuT5.data.building.online import OnlineFacts
from osuT5.data.building.settings import STATUSES
from osuT5.errors import InputError

if TYPE_CHECKING:
    import pyarrow

TABLE = "metadata.parquet"
_ROWS_PER_GROUP = 4096


def need_pyarrow() -> None:
    """Raises InputError where it is not installed."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise InputError("building a data set needs pyarrow: pip install 'mapperatorinator[train]'") from error


def other_rows(path: Path, own_folders: set[str]) -> pyarrow.Table:
    """The rows of a table that is there already and of which the builder's journal knows nothing: they are kept.

    Raises InputError for a file that is no such table.
    """
    import pyarrow as pa
    import pyarrow.parquet as parquet

    columns = schema()
    if not path.exists():
        return columns.empty_table()
    try:
        table = parquet.read_table(path)
        kept = [folder not in own_folders for folder in table["BeatmapSetFolder"].to_pylist()]
        table = table.filter(pa.array(kept, pa.bool_()))
        arrays = [
            table[f.name].cast(f.type) if f.name in table.column_names else pa.nulls(len(table), f.type)
            for f in columns
        ]
        return pa.table(arrays, schema=columns)
    except (OSError, KeyError, pa.ArrowException) as error:
        raise InputError(f"{path}: is no MMRS table ({error}); move it away, or choose another out=") from error


def full_row(row: Mapping[str, Any], online: OnlineFacts, status: int | None) -> dict[str, Any]:
    """The row of the files with what is known of the map beyond them."""
    stated = {} if status is None else {"Ranked": status, "Status": STATUSES[status]}
    known = online.by_id.get(row["Id"], {})
    return {**row, **stated, **{column: value for column, value in known.items() if column not in OF_THE_FILES}}


def write_table(path: Path, kept: pyarrow.Table, rows: Iterable[Mapping[str, Any]]) -> int:
    """Writes the kept rows, then the others; returns how many there are."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    columns, count = schema(), len(kept)
    temporary = path.with_name(f".{path.name}.writing")
    with parquet.ParquetWriter(temporary, columns) as writer:
        writer.write_table(kept)
        for group in _groups(rows):
            count += len(group)
            writer.write_table(pa.Table.from_pylist(group, schema=columns))
    os.replace(temporary, path)
    return count


def _groups(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    for row in rows:
        group.append(dict(row))
        if len(group) == _ROWS_PER_GROUP:
            yield group
            group = []
    if group:
        yield group


def write_lines(path: Path, lines: Iterable[tuple[str, str]]) -> None:
    """`name: reason`, one a line."""
    temporary = path.with_name(f".{path.name}.writing")
    with open(temporary, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        for name, reason in lines:
            file.write(" ".join(f"{name}: {reason}".splitlines()) + "\n")
    os.replace(temporary, path)
