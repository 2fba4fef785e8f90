"""Numbers as .osu files write them: one strict grammar for reading, one rule for writing.

The grammar and the limits are the game's: a sign, digits, a decimal point, an exponent; never NaN, infinity, hex
or thousands separators; magnitudes up to 2^31 - 1, coordinates up to 2^17. Facts: osu! file format v14.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

from osuT5.errors import BeatmapError

NUMBER_LIMIT = 2147483647
COORDINATE_LIMIT = 131072

_INT = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
_FLOAT = re.compile(r"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*", re.ASCII)


def parse_int(text: str, limit: int = NUMBER_LIMIT) -> int:
    """Raises ValueError for anything but a decimal integer within ±limit."""
    if not _INT.fullmatch(text):
        raise ValueError(f"{text.strip()!r} is not a whole number")
    # a number of more digits than any in range is refused before it costs quadratic time
    if len(text) > 64 or not -limit <= int(text) <= limit:
        raise ValueError(f"{text.strip()[:32]} is beyond ±{limit}")
    return int(text)


def parse_float(text: str, limit: int = NUMBER_LIMIT) -> float:
    """Raises ValueError for anything but a finite decimal number within ±limit."""
    if not _FLOAT.fullmatch(text):
        raise ValueError(f"{text.strip()[:32]!r} is not a number")
    value = float(text)
    if not -limit <= value <= limit:
        raise ValueError(f"{text.strip()[:32]} is beyond ±{limit}")
    return value


def format_number(value: float) -> str:
    """Integral values as integers, others as the shortest text that reads back the same, never with an exponent.

    Raises BeatmapError for NaN and infinity, which no reader accepts.
    """
    if type(value) is int:
        return str(value)
    if not math.isfinite(value):
        raise BeatmapError(f"a beatmap cannot hold the number {value}; whatever computed it is wrong")
    if value == int(value):
        return str(int(value))
    text = repr(float(value))
    return format(Decimal(text), "f") if "e" in text else text


def round_half_up(value: float) -> int:
    """The nearest integer, halves upwards (Python's `round` sends 0.5 and 2.5 to even)."""
    return math.floor(value + 0.5)
