"""From generated events to a playable beatmap. `assemble` is the door; the rest names and values what a map needs."""

from osuT5.events import decode_positions as unpack_positions
from osuT5.inference.postprocess.assemble import assemble
from osuT5.inference.postprocess.difficulty_settings import DifficultyValues, difficulty_values
from osuT5.inference.postprocess.metadata import (
    SongNames,
    difficulty_name,
    settings_tags,
    song_names,
    tags_line,
)
from osuT5.inference.postprocess.romanise import romanise
from osuT5.inference.postprocess.settings import Assembly, MapSettings

__all__ = [
    "Assembly",
    "DifficultyValues",
    "MapSettings",
    "SongNames",
    "assemble",
    "difficulty_name",
    "difficulty_values",
    "romanise",
    "settings_tags",
    "song_names",
    "tags_line",
    "unpack_positions",
]
