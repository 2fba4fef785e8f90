"""What became of every source so far: a file of lines that only grows, so that a build goes on after any end.

One JSON object a line. The last line of a source counts; a line that a kill cut off is dropped. A set counts once its
line is there, and the line is written once the set's folder is in its place.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from osuT5.data.building.sources import Source
from osuT5.errors import InputError


@dataclass
class Entry:
    """One source.

    Attributes:
        stamp: of the source; choice: `Choice.line()`; both as they were when it was read.
        rows: one list a set, of rows without empty columns.
        issues: what was left out; skipped: why there is no set, else None.
    """

    source: str
    stamp: tuple[int, int]
    choice: str
    rows: list[list[dict[str, Any]]] = field(default_factory=list)
    issues: list[str] = field(default_factory=list)
    skipped: str | None = None

    def folders(self) -> list[str]:
        return [rows[0]["BeatmapSetFolder"] for rows in self.rows]


@dataclass
class _Known:
    """What is kept in memory of an entry; the rest is read from the file when it is needed."""

    offset: int
    stamp: tuple[int, int]
    choice: str
    folders: list[str]
    skipped: bool


class Journal:
    """Attributes:
    folders: of all sets that ever were in the journal.
    """

    def __init__(self, path: Path):
        """Raises InputError for a file that is no journal."""
        self.path = path
        self.folders: set[str] = set()
        self._known: dict[str, _Known] = {}
        end = 0
        try:
            if path.exists():
                with path.open("rb") as file:
                    for line in file:
                        if not line.endswith(b"\n"):
                            break
                        self._learn(_parse(line), end)
                        end += len(line)
            self._file = path.open("ab")
            self._file.truncate(end)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path}: is damaged ({error!r}); move it away: the sets are then read again, and found to be there"
            ) from error

    def close(self) -> None:
        self._file.close()

    def add(self, entry: Entry) -> None:
        offset = self._file.seek(0, os.SEEK_END)
        self._file.write(json.dumps(vars(entry), separators=(",", ":")).encode("ascii") + b"\n")
        self._file.flush()
        self._learn(entry, offset)

    def settled(self, source: Source, choice: str, retry_skipped: bool) -> bool:
        """Whether the source was read as it is now, for what is wanted now, and its sets are still in the journal."""
        known = self._known.get(source.path)
        if known is None or known.stamp != source.stamp or known.choice != choice:
            return False
        return not (known.skipped and retry_skipped)

    def folders_of(self, source: str) -> list[str]:
        return self._known[source].folders if source in self._known else []

    def forget(self, source: str) -> None:
        """Until it is added again."""
        self._known.pop(source, None)

    def lost(self, data: Path) -> list[str]:
        """The sources of which a set's folder is gone."""
        there = {entry.name for entry in os.scandir(data) if entry.is_dir(follow_symlinks=False)}
        return [source for source, known in self._known.items() if not there.issuperset(known.folders)]

    def entries(self) -> Iterator[Entry]:
        """The last entry of each source, in the order in which they were written."""
        offsets = sorted(known.offset for known in self._known.values())
        with self.path.open("rb") as file:
            for offset in offsets:
                file.seek(offset)
                yield _parse(file.readline())

    def _learn(self, entry: Entry, offset: int) -> None:
        self.folders.update(entry.folders())
        self._known[entry.source] = _Known(
            offset, entry.stamp, entry.choice, entry.folders(), entry.skipped is not None
        )


def _parse(line: bytes) -> Entry:
    entry = Entry(**json.loads(line))
    entry.stamp = tuple(entry.stamp)
    return entry
