"""The door: timing of a song by whichever provider is asked for. Game clock out.

`grid` needs nothing but the samples. Timing by a model is made where models run (`inference`), which hands its beats
to `fit_timing` or scores this module's candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import Protocol

import numpy as np

from osuT5.beatmap.types import TimingPoint
from osuT5.errors import OptionErrors
from osuT5.timing.choice import Candidate, Scorer
from osuT5.timing.clock import GAME_CLOCK_LEAD_MS, to_game
from osuT5.timing.constant import constant_timing, red_line
from osuT5.timing.file import file_timing
from osuT5.timing.grid import grid_of
from osuT5.timing.onset import find_onsets
from osuT5.timing.track import is_better, track


class SongLike(Protocol):
    """What `osuT5.audio.load` returns, as far as timing needs it."""

    samples: np.ndarray
    sample_rate: int


@dataclass(frozen=True)
class Timing:
    """Red lines on the game clock and how much they can be trusted.

    Attributes:
        points: red lines, sorted; never empty.
        residual_ms: typical distance of the song's onsets from the grid; 0 for stated timing, inf for silence.
        confidence: 0..1 that octave and half beat are a mapper's choice; 1 for stated timing.
        candidates: rival grids, best first, with `offset_ms` on the game clock; empty for stated timing.
    """

    points: list[TimingPoint]
    residual_ms: float = 0.0
    confidence: float = 1.0
    candidates: list[Candidate] = field(default_factory=list)


def _grid(song: SongLike, score: Scorer | None = None, lead_ms: float = GAME_CLOCK_LEAD_MS) -> Timing:
    onsets = find_onsets(song.samples, song.sample_rate)
    grid = grid_of(onsets, _on_game_clock(score, lead_ms))
    points = [red_line(grid.offset_ms, grid.beat_length)]
    tracked = track(onsets)
    if tracked and is_better(onsets, tracked, points):
        points = tracked
    points = [replace(p, time=float(np.floor(to_game(p.time, lead_ms) + 0.5))) for p in points]
    return Timing(points, grid.residual_ms, grid.confidence, _moved(grid.candidates, lead_ms))


def _constant(song: SongLike, bpm: float, offset: float, meter: int = 4) -> Timing:
    return Timing(constant_timing(bpm, offset, meter))


def _file(song: SongLike, path: str | PathLike[str]) -> Timing:
    return Timing(file_timing(path))


PROVIDERS: dict[str, Callable[..., Timing]] = {"grid": _grid, "constant": _constant, "file": _file}


def find_timing(song: SongLike, provider: str = "grid", **options) -> Timing:
    """Timing of a song.

    Args:
        song: samples (mono floats) and their rate.
        provider: `grid` (options: score, lead_ms), `constant` (bpm, offset on the game clock, meter) or `file` (path).

    Raises OptionErrors for an unknown provider.
    """
    if provider not in PROVIDERS:
        raise OptionErrors([f"timing={provider} is unknown here; use one of {', '.join(PROVIDERS)}"])
    return PROVIDERS[provider](song, **options)


def _moved(candidates: Sequence[Candidate], lead_ms: float) -> list[Candidate]:
    return [replace(c, offset_ms=to_game(c.offset_ms, lead_ms)) for c in candidates]


def _on_game_clock(score: Scorer | None, lead_ms: float) -> Scorer | None:
    """A scorer speaks the game clock, as models do; the grid asks it on the song clock."""
    return None if score is None else lambda candidates: score(_moved(candidates, lead_ms))
