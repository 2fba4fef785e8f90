"""The build: sources → sets in staging → judged, moved into the data set, noted in the journal → table and reports.

    <out>/data/<set folder>/      <out>/metadata.parquet      <out>/sets_with_issues.txt, sets_skipped.txt, ...
    <out>/.build/                 journal, staging, lock: what the next run goes on from
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from osuT5.data.building.crew import Failed, run_jobs
from osuT5.data.building.journal import Entry, Journal
from osuT5.data.building.one_set import Job, Outcome, StagedSet, make_sets
from osuT5.data.building.online import OnlineFacts, read_online
from osuT5.data.building.settings import BuildOptions, prepare_out
from osuT5.data.building.sources import Source, discover
from osuT5.data.building.table import TABLE, full_row, need_pyarrow, other_rows, write_lines, write_table
from osuT5.errors import InputError

TABLE_EVERY_S = 600.0
WORK, DATA = ".build", "data"


@dataclass
class Progress:
    """Counts of this run: `done` of `total` sources were read now, `settled` were before."""

    total: int
    settled: int = 0
    done: int = 0
    sets: int = 0
    maps: int = 0
    skipped: int = 0
    elapsed_s: float = 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds to go at the speed so far."""
        return (self.total - self.done) * self.elapsed_s / self.done if self.done else None


@dataclass
class Report:
    """What a build came to.

    Attributes:
        progress: of this run; rows: maps in the table, of all runs.
        issues, skipped, mismatched: lines in the text files.
        unread: sources whose reading failed in this run (they are tried again in the next).
        ignored_columns: of `api_csv`.
    """

    progress: Progress
    rows: int = 0
    issues: int = 0
    skipped: int = 0
    mismatched: int = 0
    unread: dict[str, str] = field(default_factory=dict)
    ignored_columns: tuple[str, ...] = ()


@dataclass
class _Known:
    """What the data set holds: id or MD5 -> where it comes from."""

    sets: dict[int, str] = field(default_factory=dict)
    maps: dict[int, str] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)

    def add(self, rows: list[dict[str, Any]], source: str) -> None:
        for row in rows:
            self.sets[row["BeatmapSetId"]] = source
            self.maps[row["Id"]] = source
            if row.get("Checksum"):
                self.checksums[row["Checksum"]] = source


def build(settings: BuildOptions, on_progress: Callable[[Progress], None] | None = None) -> Report:
    """Builds, or goes on with, a data set. The result does not depend on the number of workers.

    Raises:
        InputError: nothing to read, nothing usable, no space on the disk, another build at work in the same folder, a
            table or journal that is none.
    """
    need_pyarrow()
    sources, blocked = discover(settings.source_folder)
    if not sources:
        raise InputError(
            f"osz_dir={settings.osz_dir}: holds no .osz file and no folder with .osu files; name the folder of the sets"
        )
    online = read_online(settings.csv_file) if settings.csv_file else OnlineFacts()
    prepare_out(settings.out_folder)
    work = settings.out_folder / WORK
    work.mkdir(exist_ok=True)
    with _locked(work / "lock", settings.out_folder):
        for leftover in work.glob("staging-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        journal = Journal(work / "journal.jsonl")
        staging = Path(tempfile.mkdtemp(prefix="staging-", dir=work))
        try:
            run = _Run(settings, online, journal, staging, sources, blocked)
            return run.all(on_progress or (lambda progress: None))
        finally:
            journal.close()
            shutil.rmtree(staging, ignore_errors=True)


class _Run:
    """One run, under the lock."""

    def __init__(
        self,
        settings: BuildOptions,
        online: OnlineFacts,
        journal: Journal,
        staging: Path,
        sources: list[Source],
        blocked: dict[str, str],
    ):
        self.settings, self.online, self.journal, self.staging = settings, online, journal, staging
        self.choice = settings.choice.line()
        self.unread = dict(blocked)
        for source in journal.lost(settings.out_folder / DATA):
            journal.forget(source)
        self.open = [s for s in sources if not journal.settled(s, self.choice, settings.retry_skipped)]
        self.stale: dict[str, list[str]] = {}
        for source in self.open:
            self.stale[source.path] = journal.folders_of(source.path)
            journal.forget(source.path)
        self.kept = other_rows(settings.out_folder / TABLE, journal.folders)
        self.known = _Known()
        self.known.add(self.kept.select(["BeatmapSetId", "Id", "Checksum"]).to_pylist(), "an earlier data set here")
        for entry in journal.entries():
            for rows in entry.rows:
                self.known.add(rows, entry.source)
        self.progress = Progress(len(self.open), len(sources) - len(self.open))

    def all(self, on_progress: Callable[[Progress], None]) -> Report:
        began = last_table = time.monotonic()
        arguments = ({checksum: self.online.ids_of(checksum) for checksum in self.online.by_checksum},)
        limit_s = self.settings.set_limit_s
        workers = max(1, min(self.settings.processes, len(self.open)))
        try:
            for job, result in run_jobs(start_worker, arguments, self._jobs(), workers, limit_s):
                self._settle(job, result)
                self.progress.done += 1
                self.progress.elapsed_s = time.monotonic() - began
                on_progress(self.progress)
                if time.monotonic() - last_table > TABLE_EVERY_S:
                    self._write()
                    last_table = time.monotonic()
        finally:
            report = self._write()  # what is done counts, whatever ended the run
        if report.rows == 0:
            raise InputError(
                f"osz_dir={self.settings.osz_dir}: no map of {len(self.open) + self.progress.settled} sets could be "
                f"used; the reasons are in {self.settings.out_folder / 'sets_skipped.txt'}"
            )
        return report

    def _jobs(self) -> Iterator[Job]:
        keep = int(self.settings.keep_free_gib * 2**30)
        for number, source in enumerate(self.open):
            if self._is_full():
                return
            yield Job(source, self.staging / str(number), self.settings.choice, keep)

    def _settle(self, job: Job, result: Outcome | Failed) -> None:
        """Judges what a worker made of a source, in the order of the sources."""
        path = job.source.path
        if isinstance(result, Failed):
            self.unread[path] = result.reason
            self.progress.skipped += 1
        else:
            self._take(job, result)
        shutil.rmtree(job.staging, ignore_errors=True)

    def _take(self, job: Job, outcome: Outcome) -> None:
        """The sets of a source that are new come in; the journal notes them, or why there is none."""
        path = job.source.path
        entry = Entry(path, job.source.stamp, self.choice, issues=outcome.issues, skipped=outcome.skipped)
        refused = []
        for staged in outcome.sets:
            if self._is_full():
                break
            problem = self._judge(staged, entry.issues)
            if problem is None:
                self._move_in(staged)
                self.known.add(staged.rows, path)
                entry.rows.append(staged.rows)
            else:
                refused.append(problem)
        self.progress.sets += len(entry.rows)
        self.progress.maps += sum(map(len, entry.rows))
        if entry.rows:
            entry.issues += refused
        elif refused:
            entry.skipped = refused[0]
        if entry.rows or entry.skipped is not None:  # else it did not fit: a run that may have more sets takes it
            self.journal.add(entry)
        self.progress.skipped += entry.skipped is not None
        for folder in set(self.stale[path]) - set(entry.folders()):
            shutil.rmtree(self.settings.out_folder / DATA / folder, ignore_errors=True)

    def _is_full(self) -> bool:
        return self.settings.max_sets is not None and len(self.known.sets) >= self.settings.max_sets

    def _judge(self, staged: StagedSet, issues: list[str]) -> str | None:
        """Why the set is not taken. Maps that are in the data set already are taken out of it."""
        if staged.set_id in self.known.sets:
            return f"set {staged.set_id} is in the data set already, from {self.known.sets[staged.set_id]}"
        rows = []
        for row in staged.rows:
            same = self.known.checksums.get(row["Checksum"])
            other = self.known.maps.get(row["Id"])
            if same is None and other is None:
                rows.append(row)
                continue
            what = "is the same file as a map" if same is not None else f"has the id {row['Id']} of another map"
            issues.append(f"{row['BeatmapFile']!r} {what} from {same or other}")
            (staged.staged / row["BeatmapFile"]).unlink(missing_ok=True)
        staged.rows = rows
        return None if rows else f"all its maps are in the data set already: {issues[-1]}"

    def _move_in(self, staged: StagedSet) -> None:
        """The folder to its place; what a run that was killed left there goes."""
        target = self.settings.out_folder / DATA / staged.folder
        try:
            if os.path.lexists(target):
                old = self.staging / f"replaced-{staged.set_id}"
                os.replace(target, old)
                shutil.rmtree(old, ignore_errors=True)
            os.replace(staged.staged, target)
        except OSError as error:
            raise InputError(f"{target}: cannot be written ({error.strerror}); mend that and start again") from error

    def _write(self) -> Report:
        """The table and the text files, from the journal."""
        out, online = self.settings.out_folder, self.online
        report = Report(self.progress, unread=self.unread, ignored_columns=online.ignored)
        issues: list[tuple[str, str]] = []
        skipped = sorted(self.unread.items())
        mismatched: list[tuple[str, str]] = []

        def rows() -> Iterator[dict[str, Any]]:
            for entry in self.journal.entries():
                issues.extend((entry.source, issue) for issue in entry.issues if entry.skipped is None)
                if entry.skipped is not None:
                    skipped.append((entry.source, entry.skipped))
                for row in (row for one in entry.rows for row in one):
                    stated = online.by_id.get(row["Id"], {}).get("Checksum")
                    if stated is not None and stated.lower() != row["Checksum"]:
                        what = f"map {row['Id']} has the checksum {row['Checksum']}, online {stated}"
                        mismatched.append((entry.source, what))
                    yield full_row(row, online, self.settings.status)

        try:
            report.rows = write_table(out / TABLE, self.kept, rows())
            write_lines(out / "sets_with_issues.txt", issues)
            write_lines(out / "sets_skipped.txt", skipped)
            write_lines(out / "sets_with_mismatched_checksums.txt", mismatched)
        except OSError as error:
            raise InputError(f"{out}: cannot be written ({error.strerror}); mend that and start again") from error
        report.issues, report.skipped, report.mismatched = len(issues), len(skipped), len(mismatched)
        return report


def start_worker(ids: dict[str, tuple[int | None, int]]) -> Callable[[Job], Outcome]:
    """What a process does with its jobs. `ids`: MD5 of a .osu -> its online ids."""
    return partial(make_sets, online=ids.get)


@contextmanager
def _locked(path: Path, out: Path) -> Iterator[None]:
    """Only one build at a time in a folder; the lock goes with the process, however that ends."""
    with path.open("a+b") as file:
        try:
            if os.name == "nt":
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(f"out={out}: another build is at work there; wait for it, or end it") from error
        yield
