"""The older data set format: a folder per track, osu! only, without mappers, dates and statuses.

    <root>/Track00000/metadata.json, audio.*, beatmaps/*.osu
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from osuT5.beatmap import GameMode
from osuT5.data.catalogue import MapFacts, sets_of
from osuT5.data.mmrs import FileSound
from osuT5.data.sets import MapSet
from osuT5.errors import InputError

TRACK = re.compile(r"Track(\d{5,})")


def read_tracks(root: str | os.PathLike[str]) -> list[MapFacts]:
    """All maps, by the number of their track, which stands for the set id.

    Raises:
        InputError: there are no tracks, or one of them has no usable metadata.json or sound.
    """
    folder = Path(root)
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; it should hold Track00000, Track00001, ...")
    tracks = sorted((int(m[1]), p) for p in folder.iterdir() if p.is_dir() and (m := TRACK.fullmatch(p.name)))
    if not tracks:
        raise InputError(f"{folder} holds no tracks (Track00000, Track00001, ...): it is no data set of the type ors")
    return [facts for number, track in tracks for facts in _track(number, track)]


def _track(number: int, track: Path) -> list[MapFacts]:
    path = track / "metadata.json"
    sounds = sorted(track.glob("audio.*"))
    if not sounds:
        raise InputError(f"{track} has no sound (audio.mp3, audio.ogg, ...); remove the folder or add it")
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["Beatmaps"]
        return sorted((_facts(number, track, sounds[0], *row) for row in rows.items()), key=lambda m: m.beatmap_id)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: cannot be read as the maps of a track: {error!r}") from error


def _facts(number: int, track: Path, sound: Path, stem: str, row: dict[str, Any]) -> MapFacts:
    # ratings at other speeds stay empty: they are computed when a set is played faster
    return MapFacts(
        set_id=number,
        beatmap_id=int(row["BeatmapId"]),
        mode=int(GameMode.STD),
        style=int(row["Index"]),
        difficulty=float(row["StandardStarRating"]["0"]),
        folder=track.name,
        file=f"beatmaps/{stem}.osu",
        audio_file=sound.name,
    )


def track_sets(
    root: str | os.PathLike[str],
    maps: Sequence[MapFacts],
    *,
    sample_rate: int = 16000,
    resampler: str = "published",
    normalize: bool = True,
) -> list[MapSet]:
    """The sets of these maps with their sound; files are read when asked for."""

    def make(facts: list[MapFacts]) -> MapSet:
        folder = Path(root) / facts[0].folder
        sound = FileSound(folder / facts[0].audio_file, sample_rate, resampler, normalize)
        return MapSet(facts, [folder / m.file for m in facts], sound)

    return [make(facts) for facts in sets_of(maps)]
