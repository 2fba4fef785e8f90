"""Songs to measure on, with what is true of them: red lines, and the rhythm of human charts.

Everything is on the game clock, moved by the reader of chart sets: lane charts by the usual lead, osu! sets so that
their audio follows them by that same lead where their own was measured.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from osuT5.beatmap import Beatmap, TimingLines
from osuT5.data import SongEntry, read_songs
from osuT5.errors import InputError
from osuT5.evaluation.rhythm import onsets


@dataclass(frozen=True)
class Chart:
    """A human's rhythm, sorted ms without chords.

    Attributes:
        starts: where objects begin.
        all: with slider repeats and ends; lane charts have none, what is held there ends without a sound.
    """

    name: str
    starts: np.ndarray
    all: np.ndarray


@dataclass(frozen=True)
class EvaluationSong:
    """A song and the truth about it, ms on the game clock. `charts` is empty where there is timing only."""

    name: str
    audio: Path
    duration_ms: float
    timing: TimingLines
    charts: list[Chart] = field(default_factory=list)
    title: str = ""
    artist: str = ""

    @property
    def minutes(self) -> float:
        return self.duration_ms / 60000


def read_evaluation_songs(folder: Path, only: list[str] | None = None) -> list[EvaluationSong]:
    """All songs of a folder, by name.

    Args:
        folder: holds song folders (meta.json, audio.ogg, charts/), or is one.
        only: parts of names; songs with none of them are left out.
    Raises:
        InputError: no song there, none of that name, or a damaged one.
    """
    songs = [_song(entry) for entry in read_songs(folder, for_training=False)]
    if only:
        songs = [s for s in songs if any(part.casefold() in s.name.casefold() for part in only)]
    if not songs:
        raise InputError(f"only={only}: no song in {folder} has such a name")
    return sorted(songs, key=lambda s: s.name)


def chart_of(beatmap: Beatmap) -> Chart:
    """The rhythm of a map."""
    return Chart(beatmap.version, onsets(beatmap), onsets(beatmap, with_ends=True))


def _song(entry: SongEntry) -> EvaluationSong:
    # the mania map of a chart has the notes as they are; its standard version is made of the same
    human = [m for m, made_up in zip(entry.beatmaps, entry.rhythm_only, strict=True) if not made_up]
    charts = [chart for chart in map(chart_of, human) if len(chart.starts)]
    audio, duration = Path(entry.audio_path), float(entry.meta["duration_ms"])
    title, artist = str(entry.meta.get("title", "")), str(entry.meta.get("artist", ""))
    return EvaluationSong(audio.parent.name, audio, duration, entry.timing.timing, charts, title, artist)
