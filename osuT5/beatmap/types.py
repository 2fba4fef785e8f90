"""The parts of a beatmap, named as the game names them.

A `Beatmap` holds what the project works with as typed fields; everything else in the file (unknown keys,
storyboard lines, colours) is kept verbatim so that reading and writing a human map loses nothing.
Times are milliseconds on the game clock, positions and lengths osu! pixels. Facts: osu! file format v14.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum

from osuT5.beatmap.numbers import format_number, parse_float, parse_int
from osuT5.beatmap.slider_path import SliderPath
from osuT5.beatmap.timing_lines import TimingLines


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
        """Beats per minute of a red line; infinite for a beat of no length, which files do contain."""
        return 60000.0 / self.beat_length if self.beat_length else math.inf

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


def _text(section: str, key: str, default: str = "") -> property:
    """A property over the text of a key."""

    def read(self: Beatmap) -> str:
        return getattr(self, section).values.get(key, default)

    def store(self: Beatmap, value: str) -> None:
        getattr(self, section).values[key] = str(value)

    return property(read, store, doc=f"`{key}` of [{section.capitalize()}]; {default!r} where the file has none.")


def _number(section: str, key: str, default: float, low: float = -math.inf, high: float = math.inf) -> property:
    """A property over the number of a key: clamped to low..high as the game does, default if absent or unreadable."""

    def read(self: Beatmap) -> float:
        text = getattr(self, section).values.get(key)
        if text is None:
            return default
        try:
            return min(max(parse_float(text), low), high)
        except ValueError:
            return default

    def store(self: Beatmap, value: float) -> None:
        getattr(self, section).values[key] = format_number(value)

    return property(read, store, doc=f"`{key}` of [{section.capitalize()}]; {default} where the file has none.")


@dataclass
class Beatmap:
    """A difficulty: four `key: value` sections, and its lines as objects.

    What is asked for often is a property over the sections (`title`, `cs`, `mode` ...): setting it changes the
    text that is written; reading it gives the game's default where the file has none.
    """

    general: Section = field(default_factory=Section)
    editor: Section = field(default_factory=Section)
    metadata: Section = field(default_factory=Section)
    difficulty: Section = field(default_factory=Section)
    events: list[str] = field(default_factory=list)  # [Events] lines verbatim, comments included
    colours: Section = field(default_factory=Section)
    timing_points: list[TimingPoint] = field(default_factory=list)  # in file order
    hit_objects: list[HitObject] = field(default_factory=list)  # in file order
    other_sections: dict[str, list[str]] = field(default_factory=dict)  # lines verbatim
    format_version: int = field(default=14, compare=False)
    time_offset_ms: int = field(default=0, compare=False)  # already added to all times (24 for formats below 5)
    diagnostics: list[Diagnostic] = field(default_factory=list, compare=False)

    audio_filename = _text("general", "AudioFilename")
    sample_set = _text("general", "SampleSet", "Normal")
    title = _text("metadata", "Title")
    title_unicode = _text("metadata", "TitleUnicode")
    artist = _text("metadata", "Artist")
    artist_unicode = _text("metadata", "ArtistUnicode")
    creator = _text("metadata", "Creator")
    version = _text("metadata", "Version")
    source = _text("metadata", "Source")
    tags = _text("metadata", "Tags")

    preview_time = _number("general", "PreviewTime", -1)
    audio_lead_in = _number("general", "AudioLeadIn", 0)
    stack_leniency = _number("general", "StackLeniency", 0.7)
    beatmap_id = _number("metadata", "BeatmapID", 0)
    beatmap_set_id = _number("metadata", "BeatmapSetID", -1)
    hp = _number("difficulty", "HPDrainRate", 5.0)
    cs = _number("difficulty", "CircleSize", 5.0)
    od = _number("difficulty", "OverallDifficulty", 5.0)
    slider_multiplier = _number("difficulty", "SliderMultiplier", 1.4, 0.4, 3.6)
    tick_rate = _number("difficulty", "SliderTickRate", 1.0, 0.5, 8.0)

    @property
    def mode(self) -> GameMode:
        """`Mode` of [General]; osu! where it is absent or none of the four."""
        try:
            return GameMode(parse_int(self.general.get("Mode", "0")))
        except ValueError:
            return GameMode.STD

    @mode.setter
    def mode(self, value: int) -> None:
        self.general.values["Mode"] = str(int(GameMode(value)))

    @property
    def ar(self) -> float:
        """`ApproachRate`; maps older than the key use the overall difficulty for it."""
        try:
            return parse_float(self.difficulty.get("ApproachRate"))
        except ValueError:
            return self.od

    @ar.setter
    def ar(self, value: float) -> None:
        self.difficulty.values["ApproachRate"] = format_number(value)

    @property
    def background_filename(self) -> str:
        """The picture named by the first `0,...` line of [Events]; empty if there is none."""
        for line in self.events:
            kind, _, rest = line.partition(",")
            if kind.strip() in ("0", "Background"):
                name = rest.partition(",")[2].strip()
                return name[1:].partition('"')[0] if name.startswith('"') else name.partition(",")[0]
        return ""

    @property
    def breaks(self) -> list[tuple[float, float]]:
        """(start, end) in ms of the break lines of [Events]; an end before its start becomes the start."""
        found = []
        for line in self.events:
            fields = line.split(",")
            if len(fields) > 2 and fields[0] in ("2", "Break"):
                try:
                    start, end = parse_float(fields[1]), parse_float(fields[2])
                except ValueError:
                    continue
                found.append((start, max(start, end)))
        return found

    @property
    def timing(self) -> TimingLines:
        """A sorted view of the timing points as they are now; later changes of the list do not reach it."""
        return TimingLines(self.timing_points)

    def end_time(self, hit_object: HitObject, timing: TimingLines | None = None) -> float:
        """When the object ends, in ms, unrounded.

        Args:
            timing: `self.timing`, made once by who asks for many objects; only sliders need it.
        """
        if not isinstance(hit_object, Slider):
            return hit_object.end_time
        return hit_object.time + hit_object.slides * self.span_duration(hit_object, timing)

    def span_duration(self, slider: Slider, timing: TimingLines | None = None) -> float:
        """Milliseconds of one slide: length * beat length / (100 * slider multiplier * slider velocity)."""
        timing = timing or self.timing
        length = slider.length
        if length <= 0:
            length = SliderPath.of(slider).length
        velocity = 100.0 * self.slider_multiplier * timing.velocity_at(slider.time)
        return length * timing.beat_length_at(slider.time) / velocity
