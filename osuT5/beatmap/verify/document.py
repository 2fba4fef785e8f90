"""The text of a .osu file as lines that know their section, for the rules that need the text itself.

Nothing is interpreted beyond sections, keys and fields; whatever no rule mends keeps its bytes. Facts: osu! file
format v14.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property

from osuT5.beatmap.numbers import parse_float, parse_int
from osuT5.beatmap.reader import decode_text

BOM = "\ufeff"
_LINE_BREAK = re.compile(r"(\r\n|\n|\r)")
_HEADER = re.compile(r"\[([^\]\r\n]*)\]\s*")
CIRCLE, SLIDER, NEW_COMBO, SPINNER, HOLD = 1, 2, 4, 8, 128
TYPE_BITS = (CIRCLE, SLIDER, SPINNER, HOLD)
_ALL_TYPE_BITS = CIRCLE | SLIDER | SPINNER | HOLD


@dataclass(slots=True)
class ObjectLine:
    """A hit object line whose first five fields are sound."""

    index: int
    fields: list[str]
    time: float
    kind: int  # one of TYPE_BITS
    bits: int


@dataclass(slots=True)
class TimingLine:
    """A line of [TimingPoints] that every parser takes."""

    index: int
    fields: list[str]
    time: float
    beat_length: float
    uninherited: bool


@dataclass
class Document:
    """Lines (without their ends) and what they belong to. Line indices are 0-based, messages count from 1.

    Attributes:
        raw: the bytes that could not be decoded as UTF-8, or None.
    """

    lines: list[str]
    ends: list[str]
    raw: bytes | None = None
    sections: list[tuple[str, int, list[int]]] = field(default_factory=list)  # name, header index, content indices

    @classmethod
    def parse(cls, text: str | bytes) -> Document:
        raw = None
        if isinstance(text, bytes):
            text, raw = _decode(text)
        pieces = _LINE_BREAK.split(text)
        document = cls(pieces[::2], [*pieces[1::2], ""], raw)
        document._scan()
        return document

    def _scan(self) -> None:
        content: list[int] | None = None
        for index, line in enumerate(self.lines):
            if line.startswith("["):
                header = _HEADER.fullmatch(line)
                if header:
                    content = []
                    self.sections.append((header[1], index, content))
                    continue
            if content is not None and line and not line.startswith("//") and not line.isspace():
                content.append(index)

    @property
    def text(self) -> str:
        return "".join(line + end for line, end in zip(self.lines, self.ends, strict=True))

    @property
    def newline(self) -> str:
        return "\r\n" if "\r\n" in self.ends[:1] else "\n"

    def indices(self, section: str) -> list[int]:
        """Indices of the lines of a section that say something, of all its occurrences."""
        return [index for name, _, content in self.sections if name == section for index in content]

    def values(self, section: str) -> list[tuple[int, str, str]]:
        """(line index, key, value) of a `key: value` section; lines without a colon are left out."""
        found = []
        for index in self.indices(section):
            key, colon, value = self.lines[index].partition(":")
            if colon:
                found.append((index, key.strip(), value.strip()))
        return found

    def value(self, section: str, key: str) -> str | None:
        """The value of a key; the last one where it is repeated, as parsers do; None if absent."""
        return next((value for _, name, value in reversed(self.values(section)) if name == key), None)

    @cached_property
    def mode(self) -> int:
        """0-3; where `Mode` says something else, what the hit objects look like."""
        text = self.value("General", "Mode")
        try:
            mode = int(text or "0")
        except ValueError:
            mode = -1
        if mode in range(4):
            return mode
        return 3 if any(o.kind == HOLD for o in self.objects) else 0

    @cached_property
    def objects(self) -> list[ObjectLine]:
        """Sound hit object lines, in file order."""
        return [parsed for parsed, _ in self._object_lines if parsed is not None]

    @cached_property
    def bad_objects(self) -> list[tuple[int, str]]:
        """(line index, reason) of hit object lines that parsers drop."""
        return [
            (index, reason)
            for index, (parsed, reason) in zip(self.indices("HitObjects"), self._object_lines, strict=True)
            if parsed is None
        ]

    @cached_property
    def _object_lines(self) -> list[tuple[ObjectLine | None, str]]:
        return [_object_line(index, self.lines[index]) for index in self.indices("HitObjects")]

    @cached_property
    def timing(self) -> list[TimingLine]:
        """Sound timing lines, in file order."""
        return [parsed for parsed, _ in self._timing_lines if parsed is not None]

    @cached_property
    def bad_timing(self) -> list[tuple[int, str]]:
        """(line index, reason) of timing lines that parsers refuse."""
        return [
            (index, reason)
            for index, (parsed, reason) in zip(self.indices("TimingPoints"), self._timing_lines, strict=True)
            if parsed is None
        ]

    @cached_property
    def _timing_lines(self) -> list[tuple[TimingLine | None, str]]:
        return [_timing_line(index, self.lines[index]) for index in self.indices("TimingPoints")]

    def edited(self, edits: dict[int, str | None]) -> Document:
        """A new document with lines replaced or (None) dropped; text with line breaks becomes several lines."""
        pieces = []
        for index, (line, end) in enumerate(zip(self.lines, self.ends, strict=True)):
            new = edits.get(index, line)
            if new is not None:
                pieces.append(new.replace("\n", self.newline) + (end or (self.newline if index in edits else "")))
        return Document.parse("".join(pieces))


def _decode(data: bytes) -> tuple[str, bytes | None]:
    """Strict UTF-8, byte order mark kept; else what the reader takes it for, with the bytes."""
    try:
        return data.decode("utf-8"), None
    except UnicodeDecodeError:
        return decode_text(data, []), data


def _object_line(index: int, line: str) -> tuple[ObjectLine | None, str]:
    fields = line.split(",")
    if len(fields) < 5:
        return None, f"it has {len(fields)} fields, a hit object has at least 5"
    first = fields[:5]
    together = "".join(first)
    if together.isdecimal() and together.isascii() and "" not in first and max(map(len, first)) < 10:
        time, bits = int(fields[2]), int(fields[3])  # plain digits need no grammar
    else:
        try:
            time, bits = parse_float(fields[2]), parse_int(fields[3])
            parse_float(fields[0]), parse_float(fields[1]), parse_int(fields[4])
        except ValueError as error:
            return None, str(error)
    kind = bits & _ALL_TYPE_BITS
    if kind not in TYPE_BITS:
        return None, f"type {bits} names {kind.bit_count()} kinds of object, not one"
    return ObjectLine(index, fields, time, kind, bits), ""


def _timing_line(index: int, line: str) -> tuple[TimingLine | None, str]:
    fields = line.split(",")
    if len(fields) < 2:
        return None, "it has one field, a timing line has at least a time and a beat length"
    try:
        time = parse_float(fields[0])
    except ValueError as error:
        return None, f"its time: {error}"
    try:
        beat_length = parse_float(fields[1])
    except ValueError as error:
        return None, f"its beat length: {error}"
    inherited = fields[6].strip() if len(fields) > 6 else "1"
    uninherited = inherited == "1" or inherited == ""
    if uninherited and beat_length <= 0:
        return None, f"it is a red line with beat length {beat_length:g}"
    if len(fields) > 2 and fields[2].strip():
        try:
            meter = parse_int(fields[2])
        except ValueError as error:
            return None, f"its meter: {error}"
        if uninherited and meter < 1:
            return None, f"it is a red line with meter {meter}"
    return TimingLine(index, fields, time, beat_length, uninherited), ""
