"""The suite `timing`: what the signal alone says of the beats, against the truth. One row a song."""

from __future__ import annotations

from dataclasses import asdict
from time import perf_counter

from osuT5 import audio
from osuT5.beatmap import TimingLines
from osuT5.evaluation.processes import OnRow, Row, spread
from osuT5.evaluation.songs import EvaluationSong
from osuT5.evaluation.tempo import compare_timing
from osuT5.timing import find_timing


def timing_row(song: EvaluationSong) -> Row:
    """Red lines of a song from its audio alone, and how they compare."""
    began = perf_counter()
    found = find_timing(audio.load(song.audio), provider="grid")
    seconds = perf_counter() - began
    return {
        "song": song.name,
        "red_lines": len(found.points),
        "confidence": found.confidence,
        "residual_ms": found.residual_ms,
        "seconds_a_minute": seconds / song.minutes,
        "timing": asdict(compare_timing(TimingLines(found.points), song.timing, song.duration_ms)),
    }


def run_timing(songs: list[EvaluationSong], processes: int, on_row: OnRow) -> list[Row]:
    """A row a song, in order."""
    if processes > 1:
        return spread(_rows, songs, processes, on_row)
    rows = []
    for song in songs:
        rows.append(timing_row(song))
        on_row(rows[-1])
    return rows


def _rows(song: EvaluationSong) -> list[Row]:
    return [timing_row(song)]
