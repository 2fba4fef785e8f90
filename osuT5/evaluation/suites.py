"""The suites: what is done for each song, alone or over several processes, and the rows that come of it.

A row is a dict of plain values, ready for JSON: names, measures, `null` where a measure means nothing.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from osuT5 import audio
from osuT5.beatmap import TimingLines, read
from osuT5.evaluation.generation import Generator, Settings
from osuT5.evaluation.maps import measure_map
from osuT5.evaluation.songs import EvaluationSong
from osuT5.evaluation.tempo import compare_timing
from osuT5.timing import find_timing

Row = dict[str, Any]


@dataclass(frozen=True)
class MapTask:
    """All maps of one song."""

    song: EvaluationSong
    difficulties: tuple[float, ...]
    seeds: tuple[int, ...]


def map_rows(task: MapTask, generator: Generator) -> Iterator[Row]:
    """A row for each map of a song, generated where it is not there yet."""
    for difficulty in task.difficulties:
        for seed in task.seeds:
            made, fresh = generator.map_of(task.song, difficulty, seed)
            row: Row = {
                "song": task.song.name,
                "difficulty": difficulty,
                "seed": seed,
                "file": str(made.path.relative_to(generator.out)) if made.path else None,
                "fresh": fresh,
                "passed": made.passed,
                "passed_at_once": made.passed_at_once,
                "attempts": made.attempts,
                "seconds_a_minute": made.seconds / task.song.minutes,
                "findings": made.findings,
                "error": made.error,
                "scores": None,
            }
            if made.path is not None:
                row["scores"] = asdict(measure_map(read(made.path), task.song, seed))
            yield row


def timing_row(song: EvaluationSong) -> Row:
    """The row of a song for the suite `timing`: what the signal alone says, against the truth."""
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


def run_maps(
    tasks: list[MapTask], settings: Settings, out: Path, processes: int, on_row: Callable[[Row], None]
) -> list[Row]:
    """All rows of all songs, in order of songs; `on_row` sees each as it comes (several processes: song by song)."""
    if processes > 1:
        return _spread(_map_rows_of_worker, tasks, processes, on_row, (settings, out))
    rows, generator = [], Generator(settings, out)
    for task in tasks:
        for row in map_rows(task, generator):
            on_row(row)
            rows.append(row)
    return rows


def run_timing(songs: list[EvaluationSong], processes: int, on_row: Callable[[Row], None]) -> list[Row]:
    """A row a song, in order."""
    if processes > 1:
        return _spread(_timing_rows_of_worker, songs, processes, on_row)
    rows = []
    for song in songs:
        rows.append(timing_row(song))
        on_row(rows[-1])
    return rows


def _spread(
    work: Callable[[Any], list[Row]], items: list, processes: int, on_row: Callable[[Row], None], initial: tuple = ()
) -> list[Row]:
    """The rows in order of the items. Processes start from nothing: torch does not survive a fork."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(items)), context, _start_worker, initial) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in as_completed(futures):
                for row in future.result():
                    on_row(row)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        return [row for future in futures for row in future.result()]


_worker_generator: Generator | None = None  # of a worker process, so that its songs share one loaded model


def _start_worker(settings: Settings | None = None, out: Path | None = None) -> None:
    import torch

    global _worker_generator
    torch.set_num_threads(1)
    if settings is not None and out is not None:
        _worker_generator = Generator(settings, out)


def _map_rows_of_worker(task: MapTask) -> list[Row]:
    assert _worker_generator is not None
    return list(map_rows(task, _worker_generator))


def _timing_rows_of_worker(song: EvaluationSong) -> list[Row]:
    return [timing_row(song)]
