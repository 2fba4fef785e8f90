"""Every threshold of the checker, in one place. Times in ms, lengths in px.

Facts: osu! file format v14 (ranges), Mapset Verifier's checks (gaps, spinners, breaks, snapping; read August 2026)
and, where marked ours, our own judgement of what a generator must not hand out.
"""

from __future__ import annotations

from dataclasses import dataclass

from osuT5.beatmap.types import GameMode

# file format
FORMAT_VERSIONS = range(3, 15)
NEWER_EDITOR_VERSION = 128
REQUIRED_SECTIONS = ("General", "Metadata", "Difficulty", "TimingPoints", "HitObjects")
MAX_LINE_BYTES = 65536
MAX_FILE_BYTES = 32 << 20
MAX_TIME = 2147483647
MAX_COORDINATE = 131072
MAX_SLIDES = 9000
SAMPLE_SETS = ("None", "Normal", "Soft", "Drum")
BEAT_LENGTHS = (6.0, 60000.0)
MAX_OBJECT_SPREAD_MS = 24 * 3600 * 1000
MAX_PLAUSIBLE_SLIDES = 1000
MIN_LINE_VOLUME, MAX_LINE_VOLUME = 5, 100

# difficulty settings: (low, high, default)
DIFFICULTY_RANGES = {
    "HPDrainRate": (0.0, 10.0, 5.0),
    "CircleSize": (0.0, 10.0, 4.0),
    "OverallDifficulty": (0.0, 10.0, 8.0),
    "ApproachRate": (0.0, 10.0, 9.0),
    "SliderMultiplier": (0.4, 3.6, 1.4),
    "SliderTickRate": (0.5, 8.0, 1.0),
}
MANIA_KEYS = (1.0, 18.0, 4.0)

# timing
SNAP_DIVISORS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16)
UNSNAP_ERROR_MS, UNSNAP_INFO_MS = 2.0, 1.0
TAIL_BEFORE_RED_MS = 2.0

# objects
CONCURRENT_SEARCH_MS = 30.0
MIN_SPAN_MS, MIN_SLIDER_MS = 10.0, 20.0
PATH_STRETCH = (0.5, 2.0)
MIN_HOLD_ERROR_MS, MIN_HOLD_WARNING_MS = 20.0, 30.0
MAX_LONG_SLIDER_MS = 60000.0
MAX_COMBO = 65535
MAX_SCORE = 2147483647

# playfield
PLAYFIELD = (512, 384)
SCREEN_LEFT, SCREEN_RIGHT, SCREEN_TOP, SCREEN_BOTTOM = -67.0, 579.0, -60.0, 428.0
BODY_MARGIN_PX = 2.0
STACK_DISTANCE_PX = 3.0
STACK_LOOK_BACK = 200  # objects; more do not fit into the longest approach time at the density that tools take

# breaks
BREAK_AFTER_MS, BREAK_MIN_MS, BREAK_LENIENCY_MS = 200.0, 650.0, 1.0
BREAK_WORTHWHILE_GAP_MS = 5000.0

# degenerate maps (ours)
DEGENERATE_MIN_OBJECTS = 20
SAME_POSITION_SHARE, SAME_COLUMN_SHARE = 0.60, 0.70
EMPTY_GAP_MS, EMPTY_SHARE = 10000.0, 0.25
UNMAPPED_HEAD_SHARE, UNMAPPED_TAIL_SHARE = 0.25, 0.60
MUSIC_SHARE_OF_MEDIAN = 0.25  # a second is music when it is this loud, compared with the song's median second
MAX_COMBO_LENGTH, MAX_SINGLE_COMBOS = 24, 8
MAX_DROPPED_SHARE = 0.02


@dataclass(frozen=True)
class ModeLimits:
    """What differs between the game modes.

    Attributes:
        close_ms: two objects (mania: of a column) nearer than this are almost concurrent.
        per_column: concurrency is judged per mania column.
        objects: most objects that a public difficulty calculator takes; per_second, per_ten_seconds: density.
        velocities: slider velocity (scroll speed) range.
        uses_x, uses_y: whether a position matters.
    """

    close_ms: float
    per_column: bool
    objects: int
    per_second: int
    per_ten_seconds: int
    velocities: tuple[float, float]
    uses_x: bool
    uses_y: bool


MODES = {
    GameMode.STD: ModeLimits(10.0, False, 500_000, 100, 250, (0.1, 10.0), True, True),
    GameMode.TAIKO: ModeLimits(10.0, False, 20_000, 100, 250, (0.01, 10.0), False, False),
    GameMode.CATCH: ModeLimits(10.0, False, 500_000, 100, 250, (0.1, 10.0), True, False),
    GameMode.MANIA: ModeLimits(30.0, True, 500_000, 200, 500, (0.01, 10.0), True, False),
}


def circle_radius(cs: float) -> float:
    """Radius of a circle in px: CS 4 -> 36.48."""
    return 54.4 - 4.48 * cs


def preempt(ar: float) -> float:
    """How long an object is visible before it is hit, ms: AR 5 -> 1200, AR 10 -> 450."""
    return 1800 - 120 * ar if ar <= 5 else 1200 - 150 * (ar - 5)


def spinner_limits(od: float) -> tuple[float, float]:
    """(error, warning): shortest spinners, ms, in which 1000 points of bonus can be had."""
    error = 450 + (17 * (od - 5) if od >= 5 else -17 * (5 - od))
    warning = 500 + (20 * (od - 5) if od >= 5 else -21.8 * (5 - od))
    return error, warning
