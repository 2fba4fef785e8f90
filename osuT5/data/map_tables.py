"""Beatmaps as a few columns of numbers, so that a map need not be parsed again; nothing in them depends on a profile.

Kept is what events and conditions are made from: timing lines, hit objects and the texts of three sections. Editor
settings, colours, storyboards and unknown sections are not. The columns of many maps are one array each:

    bounds    int64 (maps + 1, 8)  where each map's rows begin in the columns below
    timing    float64 (n, 2)       time, beat length          lines   int32 (n, 7)  the other fields of timing points
    objects   int32 (n, 9)         kind, x, y, time, new combo, combo skip, hitsound, row of its sample, end time
    sliders   int32 (n, 5)         curve letter, slides, counts of its points, edge sounds and edge sets
    lengths   float64 (n,)         of the sliders             points  int32 (n, 2)  without the heads
    edge_sounds  int32 (n,)        of the sliders             edge_sets  int32 (n, 2)  of the sliders
    samples   int32 (n, 5)         the map's different hit samples, the last number names a file
    text      uint8 (n,)           JSON: sections, format, names of sample files
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from operator import attrgetter

import numpy as np

from osuT5.beatmap import Beatmap, Circle, HitSample, Hold, Slider, Spinner, TimingPoint
from osuT5.beatmap.types import Section
from osuT5.errors import BeatmapError

# column -> (type, numbers a row); the order is that of `bounds`
COLUMNS = {
    "timing": ("float64", 2),
    "objects": ("int32", 9),
    "sliders": ("int32", 5),
    "points": ("int32", 2),
    "edge_sounds": ("int32", 1),
    "edge_sets": ("int32", 2),
    "samples": ("int32", 5),
    "text": ("uint8", 1),
}
# columns with as many rows as another
BESIDE = {"lines": ("timing", "int32", 7), "lengths": ("sliders", "float64", 1)}
SECTIONS = ("general", "metadata", "difficulty")
KINDS = (Circle, Slider, Spinner, Hold)
CIRCLE, SLIDER, SPINNER, HOLD = range(4)
_LINE = attrgetter("meter", "sample_set", "sample_index", "volume", "uninherited", "effects", "fields")
_SAMPLE = attrgetter("normal_set", "addition_set", "index", "volume", "filename")

Columns = dict[str, np.ndarray]
# (column, first row, end) -> those rows
ReadRows = Callable[[str, int, int], np.ndarray]


def essential(beatmap: Beatmap) -> Beatmap:
    """The map without what the tables do not keep."""
    return replace(beatmap, editor=Section(), events=[], colours=Section(), other_sections={}, diagnostics=[])


def columns_of(beatmap: Beatmap) -> Columns:
    """The columns of one map. Raises BeatmapError: a number of it is beyond what a column holds."""
    try:
        rows = _columns(beatmap)
        whole = restore(lambda name, first, end: rows[name][first:end], [0] * len(COLUMNS), _ends(rows))
    except OverflowError:
        whole = None
    if whole != essential(beatmap):
        raise BeatmapError(f"map {beatmap.title!r} [{beatmap.version}]: a number of it is too large to be kept")
    return rows


class MapTables:
    """Collects maps and gives their columns."""

    def __init__(self) -> None:
        self._rows: dict[str, list[np.ndarray]] = {name: [] for name in (*COLUMNS, *BESIDE)}
        self._bounds = [[0] * len(COLUMNS)]

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def add(self, rows: Columns) -> None:
        """A map, as `columns_of` gives it."""
        for name, part in rows.items():
            self._rows[name].append(part)
        self._bounds.append([a + b for a, b in zip(self._bounds[-1], _ends(rows), strict=True)])

    def arrays(self) -> Columns:
        """All columns and their bounds, by name."""
        empty = _columns(Beatmap())
        columns = {name: np.concatenate([empty[name][:0], *parts]) for name, parts in self._rows.items()}
        return {"bounds": np.array(self._bounds, dtype=np.int64), **columns}


def restore(read: ReadRows, first: list[int], end: list[int]) -> Beatmap:
    """The map whose rows lie between two rows of `bounds`."""
    part = {name: read(name, a, b) for name, a, b in zip(COLUMNS, first, end, strict=True)}
    for name, (beside, _, _) in BESIDE.items():
        place = list(COLUMNS).index(beside)
        part[name] = read(name, first[place], end[place])
    text = json.loads(part["text"].tobytes())
    files = text["files"]
    samples = [HitSample(*row, files[name]) for *row, name in part["samples"].tolist()]
    sections = {name: Section(text[name]) for name in SECTIONS}
    beatmap = Beatmap(**sections, format_version=text["format"], time_offset_ms=text["offset"])
    beatmap.timing_points = [
        TimingPoint(time, beat_length, meter, sample_set, index, volume, bool(uninherited), effects, fields)
        for (time, beat_length), (meter, sample_set, index, volume, uninherited, effects, fields) in zip(
            part["timing"].tolist(), part["lines"].tolist(), strict=True
        )
    ]
    sliders = _sliders(part)
    add = beatmap.hit_objects.append
    for kind, x, y, time, new_combo, skip, hitsound, sample, end_time in part["objects"].tolist():
        common = (x, y, time, bool(new_combo), skip, hitsound, samples[sample])
        if kind == CIRCLE:
            add(Circle(*common))
        elif kind == SLIDER:
            add(Slider(*common, *next(sliders)))
        else:
            add(KINDS[kind](*common, end_time))
    return beatmap


def _sliders(part: Columns) -> Iterator[tuple]:
    """What a slider has beyond other objects: curve, points, slides, length, edge sounds and sets."""
    points = list(map(tuple, part["points"].tolist()))
    sounds, sets = part["edge_sounds"].tolist(), list(map(tuple, part["edge_sets"].tolist()))
    p = s = e = 0
    rows = zip(part["sliders"].tolist(), part["lengths"].tolist(), strict=True)
    for (curve, slides, n_points, n_sounds, n_sets), length in rows:
        yield (
            chr(curve) if curve else "", points[p : p + n_points], slides, length,
            sounds[s : s + n_sounds], sets[e : e + n_sets],
        )  # fmt: skip
        p, s, e = p + n_points, s + n_sounds, e + n_sets


def _columns(beatmap: Beatmap) -> Columns:
    files: dict[str, int] = {}
    samples: dict[tuple, int] = {}
    objects, sliders, lengths, points, sounds, sets = [], [], [], [], [], []
    for o in beatmap.hit_objects:
        *numbers, name = _SAMPLE(o.sample)
        key = (*numbers, files.setdefault(name, len(files)))
        kind = KINDS.index(type(o))
        objects.append(
            (kind, o.x, o.y, o.time, o.new_combo, o.combo_skip, o.hitsound, samples.setdefault(key, len(samples)),
             o.end if kind in (SPINNER, HOLD) else 0)
        )  # fmt: skip
        if kind == SLIDER:
            curve = ord(o.curve) if o.curve else 0
            sliders.append((curve, o.slides, len(o.points), len(o.edge_sounds), len(o.edge_sets)))
            lengths.append(o.length)
            points += o.points
            sounds += o.edge_sounds
            sets += o.edge_sets
    text = {name: getattr(beatmap, name).values for name in SECTIONS}
    text |= {"format": beatmap.format_version, "offset": beatmap.time_offset_ms, "files": list(files)}
    values = {
        "timing": [(p.time, p.beat_length) for p in beatmap.timing_points],
        "lines": [_LINE(p) for p in beatmap.timing_points],
        "objects": objects,
        "sliders": sliders,
        "lengths": lengths,
        "points": points,
        "edge_sounds": sounds,
        "edge_sets": sets,
        "samples": list(samples),
        "text": np.frombuffer(json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass"), dtype=np.uint8),
    }
    kinds = {**COLUMNS, **{name: (kind, width) for name, (_, kind, width) in BESIDE.items()}}
    made = {}
    for name, (kind, width) in kinds.items():
        rows = np.array(values[name], dtype=np.float64 if kind == "float64" else np.int64).astype(kind)
        made[name] = rows.reshape(-1, width) if width > 1 else rows.reshape(-1)
    return made


def _ends(rows: Columns) -> list[int]:
    return [len(rows[name]) for name in COLUMNS]
