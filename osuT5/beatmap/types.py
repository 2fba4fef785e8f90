"""The parts of a beatmap, named as the game names them.

A `Beatmap` holds what the project works with as typed fields; everything else in the file (unknown keys,
storyboard lines, colours) is kept verbatim so that reading and writing a human map loses nothing.
Times are milliseconds on the game clock, positions and lengths osu! pixels. Facts: osu! file format v14.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum


class GameMode(IntEnum):
    STD = 0
    TAIKO = 1
    CATCH = 2
    MANIA = 3


WHISTLE, FINISH, CLAP = 2, 4, 8
KIAI, OMIT_BAR_LINE = 1, 8


@dataclass(slots=True)
class TimingPoint:
    """One line of [TimingPoints]: uninherited ("red", sets the tempo) or inherited ("green", sets slider velocity)."""

    time: float
    beat_length: float  # red: ms per beat; green: -100 / slider velocity
    meter: int = 4
    sample_set: int = 0  # 0 map default, 1 normal, 2 soft, 3 drum
    sample_index: int = 0
    volume: int = 100
    uninherited: bool = True
    effects: int = 0
    fields: int = field(default=8, compare=False)  # how many fields the line had in the file

    @property
    def kiai(self) -> bool:
        return bool(self.effects & KIAI)

    @property
    def bpm(self) -> float:
        """Beats per minute of a red line."""
        return 60000.0 / self.beat_length

    @property
    def slider_velocity(self) -> float:
        """Multiplier in 0.1..10 as the game plays it; 1 on a red line."""
        if self.uninherited or not self.beat_length < 0:
            return 1.0
        return min(max(-100.0 / self.beat_length, 0.1), 10.0)


@dataclass(slots=True)
class HitSample:
    """`normalSet:additionSet:index:volume:filename`; 0 everywhere means "as the timing line says"."""

    normal_set: int = 0
    addition_set: int = 0
    index: int = 0
    volume: int = 0
    filename: str = ""


@dataclass(slots=True)
class HitObject:
    """What every object has. `kind` bits other than the type are `new_combo` and `combo_skip` (0..7)."""

    x: int
    y: int
    time: float
    new_combo: bool = False
    combo_skip: int = 0
    hitsound: int = 0
    sample: HitSample = field(default_factory=HitSample)

    @property
    def end_time(self) -> float:
        """End of a circle; spinners and holds store theirs, a slider's needs timing: `Beatmap.end_time(object)`."""
        return self.time


@dataclass(slots=True)
class Circle(HitObject):
    pass


@dataclass(slots=True)
class Slider(HitObject):
    curve: str = "B"  # B Bézier, C Catmull, L linear, P perfect circle
    points: list[tuple[float, float]] = field(default_factory=list)  # control points without the head
    slides: int = 1
    length: float = 0.0  # px of one span; 0 = natural length
    edge_sounds: list[int] = field(default_factory=list)
    edge_sets: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class Spinner(HitObject):
    end: float = 0.0

    @property
    def end_time(self) -> float:
        return self.end


@dataclass(slots=True)
class Hold(HitObject):
    end: float = 0.0

    @property
    def end_time(self) -> float:
        return self.end


@dataclass(slots=True)
class Section:
    """A `key: value` section. Keys keep their order and spelling; values are the text after the first colon."""

    values: dict[str, str] = field(default_factory=dict)

    def get(self, key: str, default: str = "") -> str:
        return self.values.get(key, default)


@dataclass(slots=True)
class Diagnostic:
    """Something odd that the lenient reader met: `code` names the kind, `line` is 1-based (0 = whole file)."""

    code: str
    line: int
    message: str


@dataclass
class Beatmap:
    """A difficulty. The typed fields win over `general`/`metadata`/`difficulty` texts when the map is written."""

    general: Section = field(default_factory=Section)
    editor: Section = field(default_factory=Section)
    metadata: Section = field(default_factory=Section)
    difficulty: Section = field(default_factory=Section)
    events: list[str] = field(default_factory=list)  # [Events] lines verbatim, comments included
    colours: Section = field(default_factory=Section)
    timing_points: list[TimingPoint] = field(default_factory=list)  # in file order
    hit_objects: list[HitObject] = field(default_factory=list)  # in file order
    other_sections: dict[str, list[str]] = field(default_factory=dict)
    format_version: int = field(default=14, compare=False)
    time_offset_ms: int = field(default=0, compare=False)  # already added to all times (24 for formats below 5)
    diagnostics: list[Diagnostic] = field(default_factory=list, compare=False)
