"""Lane charts of other rhythm games as beatmaps.

Charts (FNF, Frets on Fire, Quaver, StepMania) are measured on the song clock; beatmaps live on the game clock, so all
times move by `GAME_CLOCK_LEAD_MS` here. A chart becomes a mania map as it is; of its standard version only the rhythm
is a human's, the positions are made up to be plausible.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from osuT5.beatmap import Beatmap, Circle, GameMode, Hold, Slider, TimingPoint
from osuT5.errors import InputError
from osuT5.timing import to_game

_SHORTEST_HOLD_MS = 30.0
_HOLD_GAP_MS = 10.0  # between a hold and the next note of its lane
_LATE_BACKING_MS = 8.0  # beat_align beyond this: the backing track lags the notes, and the beats with it
_PLAYFIELD = (40.0, 472.0, 32.0, 352.0)  # px: left, right, top, bottom, with a margin
_SLIDER_MULTIPLIER = 1.4
_LONGEST_SLIDER_PX = 240.0
_CHORD_MS = 12.0
_LONGEST_COMBO = 12


@dataclass(frozen=True)
class ChartNote:
    """A note on the song clock; `end` is `time` unless it is held."""

    time: float
    end: float
    lane: int


def read_chart(path: Path) -> list[ChartNote]:
    """Notes of a chart file: one JSON object a line with `time_ms`, `lane` and, if held, `end_ms`.

    Raises InputError naming the line that cannot be read.
    """
    notes = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            time, lane = float(row["time_ms"]), int(row["lane"])
            end = max(float(row.get("end_ms", time)), time)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}, line {number}: not a chart note ({error})") from error
        if not (math.isfinite(time) and math.isfinite(end)):
            raise InputError(f"{path}, line {number}: the time of a chart note must be finite")
        notes.append(ChartNote(time, end, lane))
    return sorted(notes, key=lambda note: (note.time, note.lane))


def red_lines(meta: Mapping[str, Any], native: bool = False) -> list[TimingPoint]:
    """Red lines of a song's `meta.json` on the game clock.

    Args:
        meta: `timing` holds rows of (ms, ms per beat, meter); `beat_align.best_shift_ms`, where it is large, says how
            much later than that the beats of the backing track sound.
        native: the rows are on the game clock already (osu! sets).
    """
    shift = float((meta.get("beat_align") or {}).get("best_shift_ms") or 0.0)
    shift = shift if abs(shift) > _LATE_BACKING_MS and not native else 0.0
    points = []
    for time, beat_length, meter in meta["timing"]:
        time = float(time) if native else to_game(float(time) + shift)
        points.append(TimingPoint(round(time, 3), float(beat_length), int(meter), sample_set=2))
    return points


def timing_only(meta: Mapping[str, Any], native: bool = False) -> Beatmap:
    """A map with the song's red lines and no objects."""
    beatmap = Beatmap(timing_points=red_lines(meta, native))
    beatmap.title, beatmap.artist = str(meta.get("title", "")), str(meta.get("artist", ""))
    beatmap.audio_filename = "audio.ogg"
    return beatmap


def shifted(beatmap: Beatmap, by_ms: float) -> Beatmap:
    """The same map with its timing points and objects later by that many ms; the argument is left alone."""
    moved = deepcopy(beatmap)
    for thing in (*moved.timing_points, *moved.hit_objects):
        thing.time += by_ms
        if hasattr(thing, "end"):
            thing.end += by_ms
    return moved


def chart_to_beatmap(
    meta: Mapping[str, Any],
    notes: Iterable[ChartNote],
    mode: GameMode = GameMode.MANIA,
    keycount: int = 4,
    version: str = "",
) -> Beatmap:
    """A mania map with a column for each lane.

    Args:
        meta: the song's `meta.json`.
        notes: on the song clock; notes of a lane at the same time become one, holds end before the lane's next note.
        mode: only mania has lanes; standard is `chart_to_std_rhythm`.
        keycount: lanes, 1 to 18.
        version: name of the difficulty.
    Raises:
        InputError: a mode without lanes, a key count or a lane out of range.
    """
    if mode != GameMode.MANIA:
        raise InputError(f"a lane chart becomes a mania map, not mode {int(mode)}; standard: chart_to_std_rhythm")
    if not 1 <= keycount <= 18:
        raise InputError(f"keycount={keycount}: mania has 1 to 18 columns")
    lanes: dict[int, list[ChartNote]] = {}
    for note in sorted(notes, key=lambda n: (n.time, -n.end)):
        if not 0 <= note.lane < keycount:
            raise InputError(f"lane {note.lane} at {note.time:g} ms is not one of {keycount} lanes")
        lane = lanes.setdefault(note.lane, [])
        if not lane or note.time - lane[-1].time > 1.0:
            lane.append(note)
    objects: list[Circle | Hold] = []
    for column, lane in lanes.items():
        x = int((column + 0.5) * 512 / keycount)
        for number, note in enumerate(lane):
            end = note.end
            if number + 1 < len(lane):
                end = min(end, lane[number + 1].time - _HOLD_GAP_MS)
            time = round(to_game(note.time))
            if end - note.time >= _SHORTEST_HOLD_MS:
                objects.append(Hold(x, 192, time, end=round(to_game(end))))
            else:
                objects.append(Circle(x, 192, time))
    beatmap = timing_only(meta)
    beatmap.mode, beatmap.version, beatmap.creator = GameMode.MANIA, version, str(meta.get("source", ""))
    beatmap.cs, beatmap.hp, beatmap.od, beatmap.ar = keycount, 8, 8, 5
    beatmap.hit_objects = sorted(objects, key=lambda o: (o.time, o.x))
    return beatmap


def chart_to_std_rhythm(
    meta: Mapping[str, Any], notes: Sequence[ChartNote], version: str = "", seed: int = 0
) -> Beatmap:
    """A standard map with the chart's rhythm: chords become one circle, holds of a beat or more linear sliders.

    Positions flow through the playfield with spacing that grows with the speed; they are no human's. Spacing, AR and
    OD follow the medians of human standard maps of like density (1.2 to 9.8 objects a second).

    Args:
        meta: the song's `meta.json`.
        notes: on the song clock.
        version: name of the difficulty.
        seed: of the positions.
    """
    beatmap = timing_only(meta)
    beatmap.mode, beatmap.version, beatmap.creator = GameMode.STD, version, str(meta.get("source", ""))
    beatmap.slider_multiplier = _SLIDER_MULTIPLIER
    chords = _chords(notes)
    rates = _rates([time for time, _ in chords])
    typical = float(np.median(rates)) if len(rates) else 1.0
    beatmap.cs, beatmap.hp = 4, 5
    beatmap.ar = round(min(0.9 + 2.2 * typical, 9.4), 1)
    beatmap.od = round(min(0.5 + 1.85 * typical, 9.0), 1)
    path = _Path(np.random.default_rng([seed, len(chords)]))
    reds = beatmap.timing_points[:]
    lines, velocity, last_combo, since = beatmap.timing, 1.0, None, 0
    greens: list[TimingPoint] = []
    for number, (song_time, song_end) in enumerate(chords):
        time, end = to_game(song_time), to_game(song_end)
        red = lines.red_at(time)
        beat = red.beat_length
        following = to_game(chords[number + 1][0]) if number + 1 < len(chords) else math.inf
        measure = (red.time, math.floor((time - red.time + 2) / (beat * red.meter)))
        new_combo = measure != last_combo or since >= _LONGEST_COMBO
        last_combo, since = measure, 0 if new_combo else since + 1
        x, y = path.go(time, float(rates[number]))
        held = _held_beats(time, end, following, beat)
        if held:
            wanted = 100 * _SLIDER_MULTIPLIER * held
            sv = round(min(1.0, _LONGEST_SLIDER_PX / wanted), 3)
            if sv < 0.1:
                held, sv = _LONGEST_SLIDER_PX / 14, 0.1
            if sv != velocity:
                greens.append(TimingPoint(round(time), -100 / sv, red.meter, sample_set=2, uninherited=False))
                velocity = sv
            length = 100 * _SLIDER_MULTIPLIER * sv * held
            tail = path.glide(length, time + held * beat)
            beatmap.hit_objects.append(
                Slider(x, y, round(time), new_combo, curve="L", points=[tail], length=round(length, 3))
            )
        else:
            beatmap.hit_objects.append(Circle(x, y, round(time), new_combo))
    beatmap.timing_points = sorted(reds + greens, key=lambda point: (point.time, not point.uninherited))
    return beatmap


def _chords(notes: Iterable[ChartNote]) -> list[tuple[float, float]]:
    """(time, end) of notes that begin together; the end is that of the longest."""
    merged: list[tuple[float, float]] = []
    for note in sorted(notes, key=lambda n: n.time):
        if merged and note.time - merged[-1][0] <= _CHORD_MS:
            merged[-1] = (merged[-1][0], max(merged[-1][1], note.end))
        else:
            merged.append((note.time, note.end))
    return merged


def _rates(times: Sequence[float], window_ms: float = 2500.0) -> np.ndarray:
    """Objects per second around each object."""
    at = np.asarray(times, dtype=float)
    count = np.searchsorted(at, at + window_ms, side="right") - np.searchsorted(at, at - window_ms)
    return count / (2 * window_ms / 1000)


def _held_beats(time: float, end: float, following: float, beat: float) -> float:
    """Length of a slider in beats, in halves; 0 for a circle. It ends a quarter beat before the next object."""
    if end - time < beat * 0.87:  # games end their holds a little before the beat
        return 0.0
    room = min(end + beat / 8, following - beat / 4) - time
    return max(math.floor(room / (beat / 2) + 1e-6), 0) / 2


class _Path:
    """A point that wanders through the playfield, turning gently and staying inside."""

    def __init__(self, rng: np.random.Generator):
        self.rng = rng
        self.x, self.y = rng.uniform(120, 392), rng.uniform(100, 284)
        self.heading = rng.uniform(0, 2 * math.pi)
        self.turn = rng.choice((-1, 1)) * rng.uniform(0.1, 0.5)
        self.time: float | None = None

    def go(self, time: float, rate: float) -> tuple[int, int]:
        """The position of an object at that time, where `rate` objects come in a second."""
        if self.time is not None:
            speed = min(0.08 + 0.12 * rate, 0.65)  # px/ms
            self._move(min(max(speed * (time - self.time), 12), 240))
        self.time = time
        return round(self.x), round(self.y)

    def glide(self, length: float, end_time: float) -> tuple[int, int]:
        """The end of a slider of that length that begins here."""
        self._move(length)
        self.time = end_time
        return round(self.x), round(self.y)

    def _move(self, distance: float) -> None:
        if self.rng.random() < 0.12:
            self.turn = -self.turn
        wanted = self.heading + self.turn + self.rng.normal(0, 0.25)
        left, right, top, bottom = _PLAYFIELD
        sign = 1 if self.turn > 0 else -1
        for step in range(32):  # the nearest direction that stays inside, tried on both sides
            angle = wanted + sign * (-1) ** step * ((step + 1) // 2) * 0.2
            x, y = self.x + distance * math.cos(angle), self.y + distance * math.sin(angle)
            if left <= x <= right and top <= y <= bottom:
                break
        else:  # towards the farthest corner, which is at least 269 px away
            corner_x = left if self.x > (left + right) / 2 else right
            corner_y = top if self.y > (top + bottom) / 2 else bottom
            angle = math.atan2(corner_y - self.y, corner_x - self.x)
            x, y = self.x + distance * math.cos(angle), self.y + distance * math.sin(angle)
        self.x, self.y, self.heading = x, y, angle
