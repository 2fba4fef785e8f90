"""Reads .osu files: lenient in, as the game is.

Formats 3 to 14 and 128 are read; anything odd is noted in `Beatmap.diagnostics` and does not stop the reading.
Facts: osu! file format v14 and the game's decoder.
"""

from __future__ import annotations

import re
from pathlib import Path

from osuT5.beatmap.hit_object_lines import parse_hit_objects
from osuT5.beatmap.numbers import format_number, parse_float
from osuT5.beatmap.timing_point_lines import parse_timing_points
from osuT5.beatmap.types import Beatmap, Diagnostic, Section
from osuT5.errors import BeatmapError

MAX_FILE_BYTES = 32 * 1024 * 1024
MAX_LINE_CHARACTERS = 64 * 1024
LATEST_FORMAT = 14
# formats before this one hear their sounds 24 ms later than they say
FIRST_WITHOUT_OFFSET, OLD_FORMAT_OFFSET_MS = 5, 24
# the newer editor's formats start here; their decimals are meant
FIRST_DECIMAL_FORMAT = 128

_HEADER = re.compile(r"osu file format v(\d{1,9})", re.ASCII)
_SECTION = re.compile(r"\[([^\]]+)\]\s*", re.ASCII)
_KEY_VALUE = {
    "General": "general",
    "Editor": "editor",
    "Metadata": "metadata",
    "Difficulty": "difficulty",
    "Colours": "colours",
}
_KNOWN = {*_KEY_VALUE, "Events", "TimingPoints", "HitObjects"}


def read(source: str | bytes | Path) -> Beatmap:
    """A beatmap from a path, from the bytes of a file, or from its text (a string with a line break or a header).

    Raises BeatmapError if it cannot be opened, is larger than 32 MiB, or is no beatmap at all: neither a header
    nor a section. Everything else that is odd is in `diagnostics`.
    """
    if isinstance(source, (bytes, bytearray)):
        return _read_bytes(bytes(source), "the given bytes")
    if isinstance(source, str) and ("\n" in source or "\r" in source or _HEADER.match(source.lstrip("\ufeff \t"))):
        if len(source) > MAX_FILE_BYTES:
            raise BeatmapError(f"the given text is longer than {MAX_FILE_BYTES >> 20} MiB: no beatmap is that large")
        return _read_text(source, "the given text", [])
    path = Path(source)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise BeatmapError(f"{path}: larger than {MAX_FILE_BYTES >> 20} MiB: no beatmap is that large")
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BeatmapError(f"{path}: cannot be opened ({reason}); check the path to the .osu file") from error
    if data[:2] == b"PK":
        raise BeatmapError(f"{path}: is an archive; name one of the .osu files inside, or use read_osz")
    return _read_bytes(data, str(path))


def _read_bytes(data: bytes, name: str) -> Beatmap:
    if len(data) > MAX_FILE_BYTES:
        raise BeatmapError(f"{name}: larger than {MAX_FILE_BYTES >> 20} MiB: no beatmap is that large")
    diagnostics: list[Diagnostic] = []
    return _read_text(decode_text(data, diagnostics), name, diagnostics)


def decode_text(data: bytes, diagnostics: list[Diagnostic]) -> str:
    """UTF-8 with or without byte order mark; UTF-16 with one; else the likelier of Shift-JIS and Windows-1252."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        diagnostics.append(Diagnostic("encoding", 0, "UTF-16"))
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass  # what follows finds out what else it may be
    text = data.decode("utf-8-sig", "replace")
    broken = text.count("\ufffd")
    if sum(c > "\x7f" for c in text) - broken > 4 * broken:
        diagnostics.append(Diagnostic("encoding", 0, f"UTF-8 with {broken} broken characters"))
        return text
    try:
        japanese = data.decode("cp932")
    except UnicodeDecodeError:
        japanese = ""
    # half-width katakana and single stray bytes are what Western text looks like when taken for Shift-JIS
    wide = sum("\u3000" <= c <= "\u9fff" for c in japanese)
    other = sum(c > "\x7f" for c in japanese) - wide
    if wide > other:
        diagnostics.append(Diagnostic("encoding", 0, "Shift-JIS"))
        return japanese
    diagnostics.append(Diagnostic("encoding", 0, "Windows-1252"))
    return data.decode("cp1252", "replace")


def _read_text(text: str, name: str, diagnostics: list[Diagnostic]) -> Beatmap:
    text = text.removeprefix("\ufeff")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        diagnostics.append(Diagnostic("nul", 0, "NUL characters removed"))
        text = text.replace("\0", "")
    lines = text.split("\n")
    _drop_long_lines(lines, diagnostics)
    starts = [(i, found[1]) for i, line in enumerate(lines) if line[:1] == "[" and (found := _SECTION.fullmatch(line))]
    beatmap = Beatmap(diagnostics=diagnostics)
    beatmap.format_version = _format_version(lines[: starts[0][0] if starts else None], name, starts, diagnostics)
    offset = OLD_FORMAT_OFFSET_MS if beatmap.format_version < FIRST_WITHOUT_OFFSET else 0
    beatmap.time_offset_ms = offset
    decimals = beatmap.format_version >= FIRST_DECIMAL_FORMAT
    seen: set[str] = set()
    for index, (start, section) in enumerate(starts):
        body = lines[start + 1 : starts[index + 1][0] if index + 1 < len(starts) else None]
        first = start + 2
        if section in seen:
            diagnostics.append(Diagnostic("repeated-section", start + 1, f"[{section}] again; read on"))
        seen.add(section)
        if section == "HitObjects":
            beatmap.hit_objects += parse_hit_objects(body, first, offset, decimals, diagnostics)
        elif section == "TimingPoints":
            beatmap.timing_points += parse_timing_points(body, first, offset, diagnostics)
        elif section == "Events":
            beatmap.events += [line for line in body if line.strip()]
        elif section in _KEY_VALUE:
            _read_key_values(body, first, getattr(beatmap, _KEY_VALUE[section]), diagnostics)
        else:
            diagnostics.append(Diagnostic("unknown-section", start + 1, f"[{section}] kept as it is"))
            beatmap.other_sections.setdefault(section, []).extend(line for line in body if line.strip())
    for section in sorted(_KNOWN - {"Editor", "Colours", "Events"} - seen):
        diagnostics.append(Diagnostic("missing-section", 0, f"no [{section}]"))
    if offset:
        _shift_other_times(beatmap, offset)
    return beatmap


def _drop_long_lines(lines: list[str], diagnostics: list[Diagnostic]) -> None:
    if max(map(len, lines)) <= MAX_LINE_CHARACTERS:
        return
    for i, line in enumerate(lines):
        if len(line) > MAX_LINE_CHARACTERS:
            diagnostics.append(Diagnostic("long-line", i + 1, f"line of {len(line)} characters left out"))
            lines[i] = ""


def _format_version(head: list[str], name: str, starts: list, diagnostics: list[Diagnostic]) -> int:
    """From the lines before the first section."""
    for number, line in enumerate(head, 1):
        if line.strip():
            found = _HEADER.search(line)
            if found is None:
                continue
            if found[0] != line.strip():
                diagnostics.append(Diagnostic("header", number, f"odd first line {line.strip()[:80]!r}"))
            version = int(found[1])
            if not (3 <= version <= LATEST_FORMAT or version == FIRST_DECIMAL_FORMAT):
                diagnostics.append(Diagnostic("format", number, f"format v{version} is none that is known"))
            return version
    if not any(section in _KNOWN for _, section in starts):
        raise BeatmapError(f"{name}: is no beatmap: it has no line 'osu file format v14' and no section of one")
    diagnostics.append(Diagnostic("header", 0, "no line 'osu file format vN'; read as v14"))
    return LATEST_FORMAT


def _read_key_values(lines: list[str], first: int, section: Section, diagnostics: list[Diagnostic]) -> None:
    for number, line in enumerate(lines, first):
        key, colon, value = line.partition(":")
        key = key.strip()
        if colon and key and not key.startswith("//"):
            if key in section.values:
                diagnostics.append(Diagnostic("repeated-key", number, f"{key} again; the last one counts"))
            section.values[key] = value.strip()
        elif line.strip() and not key.startswith("//"):
            text = line.strip()[:80]
            diagnostics.append(Diagnostic("no-colon", number, f"line left out: {text!r} is no `key: value`"))


def _shift_other_times(beatmap: Beatmap, offset: int) -> None:
    """Times that stay text: preview, bookmarks and breaks."""
    if beatmap.preview_time > 0:
        beatmap.preview_time += offset
    if bookmarks := beatmap.editor.get("Bookmarks"):
        beatmap.editor.values["Bookmarks"] = ",".join(_shifted(b, offset) for b in bookmarks.split(","))
    for i, line in enumerate(beatmap.events):
        fields = line.split(",")
        if fields[0] in ("2", "Break") and len(fields) > 2:
            beatmap.events[i] = ",".join([fields[0], *(_shifted(f, offset) for f in fields[1:3]), *fields[3:]])


def _shifted(text: str, offset: int) -> str:
    try:
        return format_number(parse_float(text) + offset)
    except ValueError:
        return text
