"""What a finished map needs besides its events: file names, difficulty values, names, defaults.

The pipeline fills this in once; everything left at None gets its value from `difficulty_settings.py`, `headers.py`
or `metadata.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from osuT5.beatmap.types import Beatmap
from osuT5.inference.postprocess.difficulty_settings import DifficultyValues, difficulty_values


@dataclass(frozen=True)
class MapSettings:
    """Settings of one difficulty. Times in ms on the game clock, volumes in percent.

    Attributes:
        stars: the star rating that was asked for; guides the difficulty values left open.
        hp, cs, od, ar: difficulty values, None = by star rating and mode. Mania ignores `cs` for `keycount`.
        background: file name of the picture inside the map's folder.
        preview_time: None or negative = first kiai, else 40 % into the song.
        song_length_ms: objects that start later are dropped, those that last longer are cut.
        bpm, offset: constant grid used when no timing is given.
        resnap: move events onto the beat grid.
        default_volume, kiai_volume: used where the events carry no volumes.
        default_sample_set: 1 normal, 2 soft, 3 drum; used where the events carry no hitsounds.
    """

    gamemode: int = 0
    keycount: int = 4
    stars: float | None = None
    hp: float | None = None
    cs: float | None = None
    od: float | None = None
    ar: float | None = None
    slider_multiplier: float = 1.4
    tick_rate: float = 1.0
    stack_leniency: float = 0.7
    audio_filename: str = "audio.mp3"
    title: str = ""
    title_unicode: str = ""
    artist: str = ""
    artist_unicode: str = ""
    creator: str = "Mapperatorinator"
    version: str = ""
    source: str = ""
    tags: str = ""
    background: str | None = None
    preview_time: int | None = None
    song_length_ms: float | None = None
    bpm: float = 120.0
    offset: float = 0.0
    resnap: bool = True
    default_volume: int = 60
    kiai_volume: int = 75
    default_sample_set: int = 2

    def difficulty(self) -> DifficultyValues:
        """HP, CS, OD and AR with the open ones filled in."""
        return difficulty_values(
            self.gamemode, self.stars, keycount=self.keycount, song_length_ms=self.song_length_ms,
            hp=self.hp, cs=self.cs, od=self.od, ar=self.ar,
        )


@dataclass
class Assembly:
    """A playable map, and one sentence for everything that had to be left out or changed."""

    beatmap: Beatmap
    warnings: list[str] = field(default_factory=list)
