"""Jobs shared out over processes that may die or hang; results in the order of the jobs.

A process that ends, is killed for memory, or takes longer than it may costs its job and nothing else: the job comes
back as `Failed` and a new process takes over. Processes end with their parent, however it ends.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from osuT5.errors import MapperatorinatorError

LOG = logging.getLogger(__name__)
AHEAD = 8  # jobs a process that may be done before an earlier one is
START_S = 120.0  # a process may take to start, beyond the time of its first job
_TICK_S = 1.0
_READY = "ready"


@dataclass(frozen=True)
class Failed:
    """A job that gave no result, and why."""

    reason: str


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    job: int | None = None
    deadline: float = 0.0
    ready: bool = False

    def stop(self) -> None:
        self.pipe.close()
        self.process.kill()
        self.process.join()


def run_jobs(
    start: Callable[..., Callable[[Any], Any]], arguments: tuple, jobs: Iterable[Any], workers: int, limit_s: float
) -> Iterator[tuple[Any, Any]]:
    """Yields (job, its result or `Failed`) in the order of `jobs`.

    Args:
        start: called with `arguments` once in each process; returns what takes a job and gives its result. Importable
            by name, as jobs and results must be picklable.
        limit_s: seconds that a job may take.
    Raises:
        what a job raised, if it is an error of the project's own: it stops everything.
    """
    context = multiprocessing.get_context("spawn")  # forks would share pipes, and outlive a killed parent

    def hire() -> _Worker:
        here, there = context.Pipe()
        process = context.Process(target=_work, args=(there, start, arguments), daemon=True)
        process.start()
        there.close()
        return _Worker(process, here)

    numbered = enumerate(jobs)
    waiting: dict[int, Any] = {}
    results: dict[int, Any] = {}
    crew: list[_Worker] = []
    first = handed = 0
    exhausted = False
    try:
        while True:
            while not exhausted and handed < first + AHEAD * workers:
                idle = next((w for w in crew if w.job is None), None)
                if idle is None and len(crew) == workers:
                    break
                number, job = next(numbered, (-1, None))
                if number < 0:
                    exhausted = True
                    break
                if idle is None:
                    crew.append(idle := hire())
                waiting[number], handed = job, number + 1
                idle.job = number
                idle.deadline = time.monotonic() + limit_s + (0.0 if idle.ready else START_S)
                try:
                    idle.pipe.send(job)
                except OSError:
                    pass  # it has died: `_collect` finds its pipe closed
            if first == handed:
                return
            for worker in _collect(crew, results, limit_s):
                worker.stop()
                crew.remove(worker)
            while first in results:
                result = results.pop(first)
                if isinstance(result, MapperatorinatorError):
                    raise result
                yield waiting.pop(first), result
                first += 1
    finally:
        for worker in crew:
            worker.stop()


def _collect(crew: list[_Worker], results: dict[int, Any], limit_s: float) -> list[_Worker]:
    """Waits for results; returns the workers that are dead or too slow."""
    lost = []
    busy = [w for w in crew if w.job is not None]
    ready = set(map(id, wait([w.pipe for w in busy], _TICK_S)))
    for worker in busy:
        if id(worker.pipe) in ready:
            try:
                result = worker.pipe.recv()
                if not worker.ready:
                    worker.ready, worker.deadline = True, time.monotonic() + limit_s
                    continue
                results[worker.job] = result
            except (EOFError, OSError):
                worker.process.join(_TICK_S)
                results[worker.job] = Failed(f"reading it ended the process (exit code {worker.process.exitcode})")
                lost.append(worker)
            worker.job = None
        elif time.monotonic() > worker.deadline:
            results[worker.job] = Failed(f"took longer than {limit_s:g} s (set_limit_s)")
            lost.append(worker)
    return lost


def _work(pipe: Connection, start: Callable[..., Callable[[Any], Any]], arguments: tuple) -> None:
    """A process: jobs in, results out, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the parent ends its processes itself
    handle = start(*arguments)
    result: Any = _READY
    while True:
        try:
            pipe.send(result)
            job = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            result = handle(job)
        except MapperatorinatorError as error:
            result = error
        except Exception as error:  # of thousands of sets one that is odd in a new way must not end the run
            LOG.exception("unexpected, please report it: %s", job)
            result = Failed(f"unexpected {type(error).__name__}: {error}")
