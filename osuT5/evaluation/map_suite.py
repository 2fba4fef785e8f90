"""The suite `maps`: for each song a map at every rating and seed, generated and measured. One row a map."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from osuT5.beatmap import read
from osuT5.evaluation.generation import Generator, Settings
from osuT5.evaluation.maps import measure_map
from osuT5.evaluation.processes import OnRow, Row, spread
from osuT5.evaluation.songs import EvaluationSong


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


def run_maps(
    tasks: list[MapTask], settings: Settings, out: Path, processes: int, on_row: OnRow
) -> list[Row]:
    """All rows of all songs, in order of songs; `on_row` sees each as it comes (several processes: song by song)."""
    if processes > 1:
        return spread(_rows_of_worker, tasks, processes, on_row, _start_worker, (settings, out))
    rows, generator = [], Generator(settings, out)
    for task in tasks:
        for row in map_rows(task, generator):
            on_row(row)
            rows.append(row)
    return rows


_worker_generator: Generator | None = None  # of a worker process, so that its songs share one loaded model


def _start_worker(settings: Settings, out: Path) -> None:
    global _worker_generator
    torch.set_num_threads(1)
    _worker_generator = Generator(settings, out)


def _rows_of_worker(task: MapTask) -> list[Row]:
    assert _worker_generator is not None
    return list(map_rows(task, _worker_generator))
