"""From generated events to a playable beatmap: `place` the objects, then `build` the map of them.

`PlacedObjects` gives out the objects that are certain while the events are still being written.
"""

from osuT5.events import decode_positions as unpack_positions
from osuT5.inference.postprocess.build import build
from osuT5.inference.postprocess.difficulty_settings import DifficultyValues, difficulty_values
from osuT5.inference.postprocess.metadata import (
    SongNames,
    difficulty_name,
    settings_tags,
    song_names,
    tags_line,
)
from osuT5.inference.postprocess.place import Placement, place
from osuT5.inference.postprocess.placed_objects import PlacedObjects
from osuT5.inference.postprocess.romanise import romanise
from osuT5.inference.postprocess.settings import Assembly, MapSettings

__all__ = [
    "Assembly",
    "DifficultyValues",
    "MapSettings",
    "PlacedObjects",
    "Placement",
    "SongNames",
    "build",
    "difficulty_name",
    "difficulty_values",
    "place",
    "romanise",
    "settings_tags",
    "song_names",
    "tags_line",
    "unpack_positions",
]
