"""What to train on: human maps without audio, songs with human charts, songs with exact timing.

The readers hand out the training split only, unless asked for another, and refuse what is held out (`heldout`).
Layout and fields follow the README of the data folder; `python -m osuT5.data.corpora source=... out=...` unpacks it.
"""

from __future__ import annotations

import json
import lzma
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from osuT5 import cli
from osuT5.beatmap import Beatmap, GameMode, read, stars
from osuT5.data import charts
from osuT5.data.heldout import HeldOutError, is_held_out, refuse_evaluation_folder, refuse_held_out
from osuT5.data.unpack import prepare
from osuT5.errors import InputError
from osuT5.options import Bool, Command, Options, PathText, option, required
from osuT5.timing import GAME_CLOCK_LEAD_MS

SPLITS = ("train", "valid", "test")
CHART_FOLDERS = ("fnf", "fretsonfire", "quaver", "osu_resources")
_STEADY_TRACKERS = ("good",)


@dataclass
class MapEntry:
    """A human map without audio."""

    beatmap: Beatmap
    stars: float | None
    mode: GameMode
    song: str  # the same for all difficulties of a song
    path: Path
    index: dict[str, Any] = field(repr=False, default_factory=dict)  # its row of the map index


@dataclass
class SongEntry:
    """A song with audio; all its maps are on the game clock, `GAME_CLOCK_LEAD_MS` before the audio.

    `beatmaps`, `stars` and `rhythm_only` are parallel; a map of which only the rhythm is a human's is `rhythm_only`.
    """

    audio_path: Path
    beatmaps: list[Beatmap]
    stars: list[float | None]
    rhythm_only: list[bool]
    timing: Beatmap  # red lines, no objects
    song: str
    meta: dict[str, Any] = field(repr=False, default_factory=dict)


@dataclass
class Corpora:
    """Everything of one split in a working folder."""

    maps: list[MapEntry]
    songs: list[SongEntry]
    timed: list[SongEntry]  # audio with timing only


def read_index(path: Path) -> list[dict[str, Any]]:
    """Rows of the map index (`.jsonl` or `.jsonl.xz`). Raises InputError when it is missing or unreadable."""
    path = Path(path)
    try:
        with lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.strip()]
    except (OSError, ValueError, lzma.LZMAError) as error:
        raise InputError(f"map index {path}: cannot be read: {error}") from error


def find_index(folder: Path) -> Path | None:
    """The map index of a working folder, if it has one."""
    return next((path for path in (folder / "osu.jsonl", folder / "osu.jsonl.xz") if path.is_file()), None)


def read_maps(index_path: Path, maps_folder: Path, split: str = "train") -> Iterator[MapEntry]:
    """The usable maps of a split, each once, in the order of the index.

    Left out: edge cases, near-duplicates, and every map of a held-out song, by the index's flag or by its name.

    Args:
        index_path: `osu.jsonl` or `osu.jsonl.xz`.
        maps_folder: the folder `maps/`, or the one that holds it.
        split: "train", "valid" or "test".
    Raises:
        HeldOutError: a path in an evaluation folder. InputError: unknown split, missing index or map.
    """
    index_path, maps_folder = Path(index_path), Path(maps_folder)
    if split not in SPLITS:
        raise InputError(f"split={split!r}: choose one of {', '.join(SPLITS)}")
    for path in (index_path, maps_folder):
        refuse_evaluation_folder(path)
    for row in read_index(index_path):
        if not row["usable"] or row["duplicate_of"] or row["split"] != split or row["heldout"]:
            continue
        if is_held_out(row["artist"], row["title"]):
            continue
        path = maps_folder / row["file"]
        if not path.is_file():
            path = maps_folder / Path(row["file"]).name
        if not path.is_file():
            raise InputError(f"{maps_folder}: has no {row['file']}, which the index names; unpack osu.tar.xz there")
        beatmap = read(path)
        if is_held_out(beatmap.artist, beatmap.title):  # the index may be older than the list
            continue
        yield MapEntry(beatmap, row["stars"], beatmap.mode, row["song"], path, row)


def read_songs(folder: Path, for_training: bool = True) -> Iterator[SongEntry]:
    """The songs of a chart set: one folder each with `meta.json`, audio and charts.

    Lane charts come as mania maps and, rhythm only, as standard maps; native `.osu` files as they are, moved so that
    the audio follows by the usual lead where the song's own was measured.

    Args:
        folder: holds song folders, or is one.
        for_training: False only for measuring: held-out songs are refused otherwise.
    Raises:
        HeldOutError: a held-out song or folder, when training. InputError: no song there, or a damaged one.
    """
    folder = Path(folder)
    if for_training:
        refuse_evaluation_folder(folder)
    metas = [folder / "meta.json"] if (folder / "meta.json").is_file() else sorted(folder.glob("*/meta.json"))
    if not metas:
        raise InputError(f"{folder}: holds no song (a folder with meta.json and audio.ogg)")
    for meta_path in metas:
        yield _read_song(meta_path, for_training)


def _read_song(meta_path: Path, for_training: bool) -> SongEntry:
    try:
        meta = json.loads(meta_path.read_text("utf-8"))
        artist, title = meta["artist"], meta["title"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{meta_path}: cannot be read as a song's description: {error}") from error
    if for_training:
        if meta.get("split", "train") not in SPLITS:
            raise HeldOutError(f"{meta_path}: its split is {meta['split']!r}; it is for evaluation only")
        refuse_held_out(artist, title, meta_path)
    audio = meta_path.with_name("audio.ogg")
    if not audio.is_file():
        raise InputError(f"{audio}: the song's audio is missing")
    native = meta.get("native") or []
    move = _own_lead_shift(meta) if native else 0.0
    beatmaps = [charts.shifted(read(meta_path.with_name(name)), move) for name in native]
    beatmaps = [beatmap for beatmap in beatmaps if len(beatmap.hit_objects) > 1]  # some hold their timing only
    rhythm_only = [False] * len(beatmaps)
    for chart in [] if native else meta["charts"]:
        notes = charts.read_chart(meta_path.parent / chart["file"])
        beatmaps.append(charts.chart_to_beatmap(meta, notes, GameMode.MANIA, chart["keys"], chart["name"]))
        beatmaps.append(charts.chart_to_std_rhythm(meta, notes, chart["name"]))
        rhythm_only += [False, True]
    timing = charts.shifted(charts.timing_only(meta, native=bool(native)), move)
    rated = [stars(beatmap) for beatmap in beatmaps]
    return SongEntry(audio, beatmaps, rated, rhythm_only, timing, str(meta.get("id", meta_path.parent.name)), meta)


def _own_lead_shift(meta: dict[str, Any]) -> float:
    """How far a native map must move for its audio to follow it by the usual lead instead of its own."""
    own = meta.get("measured_offset_ms")
    return 0.0 if own is None else float(own) - GAME_CLOCK_LEAD_MS


def read_timed(folder: Path) -> Iterator[SongEntry]:
    """Rendered tracker modules of steady tempo: audio with exact red lines and no map.

    Args:
        folder: holds `index.json` and `audio/`.
    Raises:
        HeldOutError: an evaluation folder, or a held-out song in the training split. InputError: no index there.
    """
    folder = Path(folder)
    refuse_evaluation_folder(folder)
    try:
        rows = json.loads((folder / "index.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / 'index.json'}: cannot be read: {error}") from error
    for row in rows:
        if row["split"] != "train" or row["quality"] not in _STEADY_TRACKERS or not row.get("audio"):
            continue
        refuse_held_out(row["artist"], row["title"], row["id"])
        yield SongEntry(folder / row["audio"], [], [], [], charts.timing_only(row), f"tracker/{row['id']}", row)


def read_corpora(folder: Path) -> Corpora:
    """All training material of a working folder, as `prepare` makes it."""
    folder = Path(folder)
    refuse_evaluation_folder(folder)
    songs = [entry for name in CHART_FOLDERS if (folder / name).is_dir() for entry in read_songs(folder / name)]
    index = find_index(folder)
    maps = list(read_maps(index, folder)) if index else []
    timed = list(read_timed(folder / "timing")) if (folder / "timing" / "index.json").is_file() else []
    if not (maps or songs or timed):
        raise InputError(f"{folder}: nothing to train on; run python -m osuT5.data.corpora source=... out={folder}")
    return Corpora(maps, songs, timed)


USAGE = """python -m osuT5.data.corpora source=DATA_FOLDER out=WORKING_FOLDER

Unpacks the corpora of the embedded model into a working folder that training and evaluation read
(data.dataset_type=corpora data.path=WORKING_FOLDER)."""


class CorporaOptions(Options):
    """Options of the preparation. Raises OptionErrors."""

    command: ClassVar[Command] = Command(
        tree="corpora",
        title="the preparation of corpora",
        usage=USAGE,
        contradictions=(required("source", "the folder of the corpora"), required("out", "the working folder")),
    )

    source: PathText | None = option("folder of the corpora")
    out: PathText | None = option("working folder")
    evaluation: Bool = option("also what is only for evaluation", False)


def main(arguments: Sequence[str] | None = None) -> int:
    return cli.run(work, CorporaOptions, "default", arguments)


def work(options: CorporaOptions) -> int:
    out = Path(options.out or "").expanduser()
    source = Path(options.source or "").expanduser()
    prepare(source, out, options.evaluation, lambda name: sys.stderr.write(f"unpacking {name}\n"))
    found = read_corpora(out)
    charted = sum(len(song.beatmaps) for song in found.songs)
    sys.stdout.write(
        f"{out}: {len(found.maps)} maps, {len(found.songs)} songs with {charted} charted maps, "
        f"{len(found.timed)} songs with timing\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
