"""Compiles a data set into shards (`shards`): python -m osuT5.data.compile dataset=FOLDER out=FOLDER [...]

The work is a list of parts: a few sets of an MMRS data set, an archive of the web data set. Files are written whole,
the index last; started again, files that are there are left as they are. What cannot be used costs its map or set and
is named in the index, under `left_out`.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ClassVar

from osuT5 import cli
from osuT5.audio.resample import RESAMPLERS
from osuT5.data.map_tables import columns_of
from osuT5.data.mmrs import mmrs_sets, read_metadata
from osuT5.data.sets import MapSet, read_map
from osuT5.data.shard_writer import INDEX, SOUNDS, SUFFIX, ShardWriter, write_json
from osuT5.data.shards import FORMAT, read_index, read_note
from osuT5.data.web_archives import Archive, borrowed, list_archives
from osuT5.data.web_tar import tar_sets
from osuT5.errors import InputError, MapperatorinatorError
from osuT5.options import Command, Int, Options, PathText, one_of, option, required

USAGE = """python -m osuT5.data.compile dataset=FOLDER out=FOLDER [key=value ...]

Compiles a data set once, so that training reads it fast: sound at the model's rate, maps parsed. Train on the result
with data.dataset_type=shards. Started again, it goes on where it stopped."""
SETS_A_FILE = 32

# Opens the sets of a part of a data set; what had to be fetched for them is removed afterwards.
OpenSets = Callable[[], AbstractContextManager[list[MapSet]]]


class CompileOptions(Options):
    """Options of a compilation. Raises OptionErrors."""

    command: ClassVar[Command] = Command(
        tree="compile",
        title="the data set compiler",
        usage=USAGE,
        contradictions=(required("dataset", "the folder of the data set"), required("out", "the folder of the shards")),
        words={"path": "dataset", "input": "dataset", "output": "out", "num_workers": "workers"},
    )

    dataset: PathText | None = option(
        "folder of an MMRS data set; folder or hub repository (owner/name) of the archives of the web data set"
    )
    out: PathText | None = option("folder of the shards")
    dataset_type: one_of("mmrs", "web") = option("what the data set is", "mmrs")
    resampler: one_of(*RESAMPLERS) = option(
        "published: what the published models heard (v32: band_limited)", "published"
    )
    sample_rate: Int = option("Hz, of the models that will be trained", 16000, ge=1000, le=384_000)
    audio: one_of(*SOUNDS) = option("pcm: read in place; flac: smaller, decoded whenever a set is read", "pcm")
    workers: Int = option("processes", 1, ge=1, le=256)
    subset: PathText | None = option("web: folder in which the archives lie; null: compressed, where there is one")
    start: Int | None = option("web: first archive, counted from 0 in the order of their names", ge=0)
    end: Int | None = option("web: one past the last archive", ge=0)

    @property
    def out_folder(self) -> Path:
        return Path(self.out or "").expanduser()


def main(arguments: Sequence[str] | None = None) -> int:
    return cli.run(work, CompileOptions, "default", arguments)


def work(options: CompileOptions) -> int:
    if options.dataset_type == "mmrs" and not Path(str(options.dataset)).expanduser().is_dir():
        raise InputError(f"dataset: there is no folder {options.dataset}")
    index = compile_data(options, lambda text: print(text, file=sys.stderr, flush=True))
    rows = index["shards"]
    seconds = sum(row["samples"] for row in rows) / index["sample_rate"]
    print(
        f"{sum(row['sets'] for row in rows)} sets, {sum(row['maps'] for row in rows)} maps, {seconds / 3600:.2f} hours "
        f"in {len(rows)} files; {sum(len(row['left_out']) for row in rows)} maps and sets left out, see {INDEX}"
    )
    return 0


def compile_data(settings: CompileOptions, say: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """Writes the shards that are missing, then the index, and returns it.

    Raises:
        InputError: the data set cannot be read, or `out` holds the shards of another one.
    """
    contents, identity = OPENERS[settings.dataset_type](settings)
    if not contents:
        raise InputError(f"{settings.dataset}: holds no set; check the path and dataset_type={settings.dataset_type}")
    try:
        settings.out_folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"out={settings.out}: cannot be made ({error.strerror or error})") from error
    if (settings.out_folder / INDEX).is_file():
        index = read_index(settings.out_folder)
        if index["identity"] != identity:
            raise InputError(f"out={settings.out}: holds another compiled data set; name a new folder or remove it")
        say("nothing to do: the data set is compiled")
        return index
    parts = [Part(number, open_sets, settings, identity) for number, open_sets in enumerate(contents)]
    rows: list[dict[str, Any]] = []
    for number, made in enumerate(_each(compile_part, parts, settings.workers), start=1):
        rows += made
        say(f"{number} of {len(parts)} parts, {sum(row['sets'] for row in rows)} sets")
    index = {
        "format": FORMAT,
        "identity": identity,
        "made_from": str(settings.dataset),
        "dataset_type": settings.dataset_type,
        "sample_rate": settings.sample_rate,
        "resampler": settings.resampler,
        "audio": settings.audio,
        "shards": rows,
    }
    write_json(settings.out_folder / INDEX, index)
    return index


@dataclass(frozen=True)
class Part:
    """A share of the work: some sets, that become one file or more. It is sent to worker processes."""

    number: int
    open_sets: OpenSets
    settings: CompileOptions
    identity: str

    def path(self, file: int) -> Path:
        return self.settings.out_folder / f"{self.number:05d}-{file:03d}{SUFFIX}"


def compile_part(part: Part) -> list[dict[str, Any]]:
    """Writes the files of a part that are not there; returns their rows of the index.

    Raises InputError: a file of another data set is there, or one cannot be written.
    """
    rows: list[dict[str, Any]] = []
    while part.path(len(rows)).is_file():
        note = read_note(part.path(len(rows)))
        if note.get("identity") != part.identity:
            raise InputError(
                f"{part.path(len(rows))}: is a shard of another data set or of other options; name a new folder for "
                "`out`, or remove it"
            )
        rows.append(note["row"])
        if rows[-1]["last"]:
            return rows
    with part.open_sets() as sets:
        for first in range(len(rows) * SETS_A_FILE, max(len(sets), 1), SETS_A_FILE):
            last = first + SETS_A_FILE >= len(sets)
            rows.append(_write(part, len(rows), sets[first : first + SETS_A_FILE], last))
    return rows


def _write(part: Part, file: int, sets: Sequence[MapSet], last: bool) -> dict[str, Any]:
    writer = ShardWriter(part.settings.sample_rate, part.settings.audio)
    left_out: dict[str, str] = {}
    for one in sets:
        _add(writer, one, left_out)
    path = part.path(file)
    row = {
        "file": path.name,
        "sets": writer.sets,
        "maps": writer.maps,
        "samples": writer.samples,
        "last": last,
        "left_out": left_out,
    }
    writer.write(path, {"identity": part.identity, "row": row})
    return row


def _add(writer: ShardWriter, one: MapSet, left_out: dict[str, str]) -> None:
    """A set with those of its maps that can be read; nothing where there is none, or no sound."""
    maps = []
    for facts, source in zip(one.facts, one.maps, strict=True):
        try:
            maps.append((facts, columns_of(read_map(source))))
        except MapperatorinatorError as error:
            left_out[f"map {facts.beatmap_id}"] = str(error)
    if not maps:
        return
    try:
        writer.add(maps, one.sound(1.0))
    except MapperatorinatorError as error:
        left_out[f"set {one.facts[0].set_id}"] = str(error)


def _each(function: Callable[[Part], Any], parts: Sequence[Part], workers: int) -> Iterator[Any]:
    """Results in order, from this process or from several."""
    if workers == 1:
        yield from map(function, parts)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        try:
            yield from pool.map(function, parts)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _identity(settings: CompileOptions, contents: Iterable[Any]) -> str:
    """A short hash of the options that shape the shards and of what the data set says of its contents."""
    shaping = [FORMAT, SETS_A_FILE, settings.sample_rate, settings.resampler, settings.audio]
    found = hashlib.sha256(json.dumps(shaping).encode())
    for content in contents:
        found.update(repr(content).encode())
    return found.hexdigest()[:16]


def _open_mmrs(settings: CompileOptions) -> tuple[list[OpenSets], str]:
    folder = Path(settings.dataset).expanduser()
    maps = read_metadata(folder)
    sets = mmrs_sets(folder, maps, sample_rate=settings.sample_rate, resampler=settings.resampler, normalize=False)
    parts = [sets[i : i + SETS_A_FILE] for i in range(0, len(sets), SETS_A_FILE)]
    return [partial(nullcontext, part) for part in parts], _identity(settings, maps)


def _open_web(settings: CompileOptions) -> tuple[list[OpenSets], str]:
    archives = list_archives(settings.dataset, settings.subset, settings.start, settings.end)
    opened = [partial(_archive_sets, archive, settings) for archive in archives]
    return opened, _identity(settings, [a.name if isinstance(a, Path) else a for a in archives])


@contextmanager
def _archive_sets(archive: Archive, settings: CompileOptions) -> Iterator[list[MapSet]]:
    with borrowed(archive) as path:
        yield tar_sets(path, sample_rate=settings.sample_rate, resampler=settings.resampler)


OPENERS: dict[str, Callable[[CompileOptions], tuple[list[OpenSets], str]]] = {"mmrs": _open_mmrs, "web": _open_web}

if __name__ == "__main__":
    sys.exit(main())
