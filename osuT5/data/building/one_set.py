"""One source to sets as they stand in the data set: what a worker process does.

The files go to a staging folder of the job; the builder moves them into the data set. A map, or a song, that cannot
be used is left out and named; the rest of its set stays.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from osuT5 import audio
from osuT5.beatmap import Beatmap, read, safe_file_name
from osuT5.data.building.identity import OnlineIds, folder_name, ids_of, mapper_id, stored_name
from osuT5.data.building.rows import rating_columns, row_of, stored_map
from osuT5.data.building.settings import Choice
from osuT5.data.building.sources import MAX_FILE_BYTES, Contents, Source, free_bytes, open_source
from osuT5.errors import AudioError, BeatmapError, InputError

MAX_MAP_BYTES = 32 << 20
MAX_SET_MAP_BYTES = 256 << 20
MAX_SET_BYTES = 1 << 30
MAX_MAPS = 500
# What a hostile map may cause: it costs the map, not its set.
UNUSABLE = (BeatmapError, ArithmeticError, ValueError)
_FULL = (errno.ENOSPC, errno.EDQUOT)


class DiskFull(InputError):
    """The disk has less space left than the builder may use."""


@dataclass(frozen=True)
class Job:
    """`staging`: a folder of this job alone, not there yet."""

    source: Source
    staging: Path
    choice: Choice
    keep_free_bytes: int


@dataclass
class StagedSet:
    """A set in the staging folder.

    Attributes:
        staged: its folder now; folder: its name in the data set.
        rows: of its maps, by beatmap id; columns without a value are missing.
    """

    set_id: int
    staged: Path
    folder: str
    rows: list[dict[str, Any]]


@dataclass
class Outcome:
    """What became of a source: its sets, what was left out of them, and why there is none."""

    sets: list[StagedSet] = field(default_factory=list)
    issues: list[str] = field(default_factory=list)
    skipped: str | None = None


@dataclass(frozen=True)
class _Found:
    """A map of the source: `name` there, MD5 of the file, the map, and the name of its sound."""

    name: str
    checksum: str
    beatmap: Beatmap
    sound: str


def make_sets(job: Job, online: OnlineIds) -> Outcome:
    """Reads a source and stages its sets: usually one, else one for each song.

    The song of most maps keeps the set's id: a data set plays one sound a set.
    Raises DiskFull.
    """
    outcome = Outcome()
    try:
        with open_source(job.source) as contents:
            outcome.issues += contents.problems
            songs = _songs(contents, outcome)
            spent, source_name = 0, PurePath(job.source.path)
            for index, maps in enumerate(songs):
                label = (source_name.stem if job.source.is_archive else source_name.name) if index == 0 else ""
                try:
                    staged, size = _stage(job, contents, maps, label, index, online, outcome, MAX_SET_BYTES - spent)
                except (BeatmapError, AudioError) as error:
                    outcome.issues.append(f"{maps[0].sound!r} and its {len(maps)} maps: {_reason(error, job)}")
                    continue
                spent += size
                if staged is not None:
                    outcome.sets.append(staged)
    except BeatmapError as error:
        outcome.skipped = str(error)
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(f"{job.staging}: the disk is full; free some space and start again") from error
        outcome.skipped = f"cannot be copied ({error.strerror or error})"
    if not outcome.sets and outcome.skipped is None:
        outcome.skipped = "; ".join(outcome.issues[:3]) or "no map is of the kind asked for"
    return outcome


def _reason(error: Exception, job: Job) -> str:
    # what went wrong with the copy in the staging folder is told without that folder's name
    return str(error).replace(f"{job.staging}", "").lstrip("/\\")


def _songs(contents: Contents, outcome: Outcome) -> list[list[_Found]]:
    """The readable maps that have their sound, by sound, most maps first."""
    names = sorted(name for name in contents.names if name.lower().endswith(".osu"))
    if len(names) > MAX_MAPS:
        raise BeatmapError(f"holds {len(names)} maps, {MAX_MAPS} are allowed")
    if not names:
        raise BeatmapError("has no .osu file")
    songs: dict[str, list[_Found]] = {}
    seen: dict[str, str] = {}
    total = 0
    for name in names:
        try:
            data = contents.read(name, MAX_MAP_BYTES)
            total += len(data)
            if total > MAX_SET_MAP_BYTES:
                raise BeatmapError(f"all maps together are larger than {MAX_SET_MAP_BYTES >> 20} MiB")
            checksum = hashlib.md5(data, usedforsecurity=False).hexdigest()
            if checksum in seen:
                raise BeatmapError(f"is the same as {seen[checksum]!r}")
            beatmap = read(data)
            if not beatmap.hit_objects:
                raise BeatmapError("has no hit objects")
            if not beatmap.audio_filename:
                raise BeatmapError("names no sound")
            sound = contents.find(beatmap.audio_filename, name)
            if sound is None or sound.lower().endswith(".osu"):
                raise BeatmapError(f"its sound {beatmap.audio_filename!r} is not there")
        except UNUSABLE as error:
            outcome.issues.append(f"{name!r}: {str(error).removeprefix('the given bytes: ')}")
            continue
        seen[checksum] = name
        songs.setdefault(sound, []).append(_Found(name, checksum, beatmap, sound))
    return sorted(songs.values(), key=lambda maps: (-len(maps), maps[0].sound))


def _stage(
    job: Job,
    contents: Contents,
    maps: Sequence[_Found],
    source_name: str,
    index: int,
    online: OnlineIds,
    outcome: Outcome,
    allowed_bytes: int,
) -> tuple[StagedSet | None, int]:
    """The set of one song and the bytes it takes; None where no map of it is asked for."""
    set_id, ids = ids_of([(m.checksum, m.beatmap) for m in maps], source_name, online, believed=index == 0)
    first = maps[0]
    wanted = [(m, i) for m, i in zip(maps, ids, strict=True) if m.beatmap.mode in job.choice.gamemodes]
    if not wanted:
        return None, 0
    sound = stored_name(first.sound, ())
    folder = job.staging / str(index)
    folder.mkdir(parents=True)
    size = contents.names[first.sound]
    limit = min(MAX_FILE_BYTES, allowed_bytes)
    if size > limit:
        raise BeatmapError(f"larger than {limit >> 20} MiB")
    if free_bytes(folder) - size < job.keep_free_bytes:
        raise DiskFull(
            f"{job.staging.parent}: less than {job.keep_free_bytes / 2**30:g} GiB would be left on this disk "
            "(keep_free_gib); free some space and start again: it goes on where it was"
        )
    contents.copy(first.sound, folder / sound, limit)
    length_s = _check_sound(folder / sound, whole=job.choice.min_mapped > 0)
    rows, taken = [], [sound]
    for found, beatmap_id in wanted:
        try:
            row = _row(found, set_id, beatmap_id, sound, job.choice, length_s)
            text = row.pop("text").encode("utf-8")
        except UNUSABLE as error:
            outcome.issues.append(f"{found.name!r}: {error}")
            continue
        name = stored_name(
            safe_file_name(*(row[column] for column in ("Artist", "Title", "Creator", "Version"))), taken
        )
        taken.append(name)
        (folder / name).write_bytes(text)
        size += len(text)
        rows.append({**row, "BeatmapFile": name})
    if not rows:
        return None, size
    name = folder_name(set_id, first.beatmap.artist, first.beatmap.title)
    rows.sort(key=lambda row: row["Id"])
    for row in rows:
        row["BeatmapSetFolder"], row["BeatmapSetBpm"] = name, rows[0]["Bpm"]
        row["Storyboard"] |= any(other.lower().endswith(".osb") for other in contents.names)
    return StagedSet(set_id, folder, name, rows), size


def _row(
    found: _Found, set_id: int, beatmap_id: int, sound: str, choice: Choice, length_s: float | None
) -> dict[str, Any]:
    """The row of a map and, as `text`, its file. Raises BeatmapError for a map that is not wanted."""
    row = row_of(found.beatmap)
    if row["HitLength"] < choice.min_drain_s:
        raise BeatmapError(f"not wanted: {row['HitLength']} s of objects, min_drain_s={choice.min_drain_s:g}")
    if length_s and row["TotalLength"] / length_s < choice.min_mapped:
        share = row["TotalLength"] / length_s
        raise BeatmapError(f"not wanted: {share:.0%} of the song is mapped, min_mapped={choice.min_mapped:g}")
    text = stored_map(found.beatmap, set_id, beatmap_id, sound)
    if choice.ratings:
        row |= rating_columns(text)
        stars = row["DifficultyRating"]
        if choice.min_stars is not None and stars < choice.min_stars:
            raise BeatmapError(f"not wanted: {stars:.2f} stars, min_stars={choice.min_stars:g}")
        if choice.max_stars is not None and stars > choice.max_stars:
            raise BeatmapError(f"not wanted: {stars:.2f} stars, max_stars={choice.max_stars:g}")
    return {
        **row,
        "text": text,
        "BeatmapSetId": set_id,
        "Id": beatmap_id,
        "UserId": mapper_id(found.beatmap.creator),
        "Checksum": found.checksum,
        "AudioFile": sound,
    }


def _check_sound(path: Path, whole: bool) -> float | None:
    """Opens the sound and decodes its first block, or all of it: then its length in seconds. Raises AudioError."""
    with audio.open_audio(path) as stream:
        frames = 0
        for block in stream.blocks():
            frames += len(block)
            if not whole:
                return None
        return frames / stream.sample_rate
