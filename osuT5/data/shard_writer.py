"""Writes the files of a compiled data set (`shards`), each whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from osuT5.audio import normalize_peak
from osuT5.data.catalogue import MapFacts
from osuT5.data.map_tables import Columns, MapTables
from osuT5.data.stored_sound import as_int16, to_flac
from osuT5.errors import InputError

SOUNDS = ("pcm", "flac")
INDEX = "index.json"
SUFFIX = ".safetensors"
NOTE = "part"  # key in the header; a single one, as their order is not fixed


class ShardWriter:
    """Collects some sets and writes them as one file."""

    def __init__(self, sample_rate: int, audio: str = "pcm"):
        """Args: audio: "pcm" (read in place) or "flac" (smaller, decoded whenever a set is read)."""
        self.sample_rate, self.audio = sample_rate, audio
        self._tables = MapTables()
        self._facts: list[MapFacts] = []
        self._sounds: list[np.ndarray] = []
        self._sets: list[tuple[int, int, int]] = []
        self._peaks: list[float] = []
        self._end = 0
        self.samples = 0

    @property
    def sets(self) -> int:
        return len(self._sets)

    @property
    def maps(self) -> int:
        return len(self._facts)

    def add(self, maps: Sequence[tuple[MapFacts, Columns]], sound: np.ndarray) -> None:
        """A set: its maps, and its sound as mono float32 samples of any scale, shape (n,), n at least 1."""
        for facts, columns in maps:
            self._tables.add(columns)
            self._facts.append(facts)
        stored = as_int16(normalize_peak(sound))
        data = stored if self.audio == "pcm" else to_flac(stored, self.sample_rate)
        self._sets.append((self._end, self._end + len(data), len(self._facts)))
        self._peaks.append(float(np.abs(sound).max()))
        self._sounds.append(data)
        self._end += len(data)
        self.samples += len(stored)

    def write(self, path: Path, note: Mapping[str, Any]) -> None:
        """`note`, of JSON values, is kept in the file's header. Raises InputError: it cannot be written."""
        kinds = np.int16 if self.audio == "pcm" else np.uint8
        columns = {
            **self._tables.arrays(),
            "facts": np.frombuffer(json.dumps([_to_json(f) for f in self._facts]).encode(), dtype=np.uint8),
            "sound": np.concatenate([np.zeros(0, kinds), *self._sounds]),
            "sets": np.array(self._sets, dtype=np.int64).reshape(-1, 3),
            "peaks": np.array(self._peaks, dtype=np.float64),
        }
        _replace(path, lambda temporary: save_file(columns, temporary, {NOTE: json.dumps(note)}))


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Raises InputError: it cannot be written."""
    text = json.dumps(values, indent=1, ensure_ascii=False) + "\n"
    _replace(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    temporary = path.with_name(f".writing-{os.getpid()}-{path.name}")
    try:
        write(temporary)
        temporary.chmod(0o644)  # some writers make files for their owner only
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        temporary.unlink(missing_ok=True)


def _to_json(facts: MapFacts) -> dict[str, Any]:
    """The facts that differ from the defaults; texts and file names are not needed any more."""
    values = {}
    for field in dataclasses.fields(facts):
        value = getattr(facts, field.name)
        if value != field.default and field.name not in ("folder", "file", "audio_file", "content"):
            values[field.name] = value.isoformat() if hasattr(value, "isoformat") else value
    return values
