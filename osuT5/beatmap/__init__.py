"""The game's files: beatmaps and their parts, read and written; slider paths, timing lines, archives, star rating."""

from osuT5.beatmap.archive import Mapset, read_osz, write_osz
from osuT5.beatmap.merging import merge_range
from osuT5.beatmap.names import safe_file_name
from osuT5.beatmap.rating import stars
from osuT5.beatmap.reader import read
from osuT5.beatmap.slider_path import SliderPath
from osuT5.beatmap.timing_lines import TimingLines
from osuT5.beatmap.types import (
    CLAP,
    FINISH,
    KIAI,
    OMIT_BAR_LINE,
    WHISTLE,
    Beatmap,
    Circle,
    Diagnostic,
    GameMode,
    HitObject,
    HitSample,
    Hold,
    Section,
    Slider,
    Spinner,
    TimingPoint,
)
from osuT5.beatmap.writer import write

__all__ = [
    "CLAP",
    "FINISH",
    "KIAI",
    "OMIT_BAR_LINE",
    "WHISTLE",
    "Beatmap",
    "Circle",
    "Diagnostic",
    "GameMode",
    "HitObject",
    "HitSample",
    "Hold",
    "Mapset",
    "Section",
    "Slider",
    "SliderPath",
    "Spinner",
    "TimingLines",
    "TimingPoint",
    "merge_range",
    "read",
    "read_osz",
    "safe_file_name",
    "stars",
    "write",
    "write_osz",
]
