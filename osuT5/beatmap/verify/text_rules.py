"""Class A rules about the file, its sections and its `key: value` lines.

Each rule takes a `Document` (and what is known of the song) and yields `Fault`s that carry their own mend as line
edits. Facts: osu! file format v14, and the limits of the parsers that mirror the official client's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from pathlib import PurePosixPath

from osuT5.beatmap.numbers import format_number, parse_float, parse_int
from osuT5.beatmap.verify.document import BOM, Document
from osuT5.beatmap.verify.findings import AudioFacts, Fault
from osuT5.beatmap.verify.limits import (
    DIFFICULTY_RANGES,
    FORMAT_VERSIONS,
    MANIA_KEYS,
    NEWER_EDITOR_VERSION,
    REQUIRED_SECTIONS,
    SAMPLE_SETS,
)

_FIRST_LINE = re.compile(r"osu file format v(\d{1,9})", re.ASCII)
_DRIVE = re.compile(r"[A-Za-z]:")
_QUOTED_FILE = re.compile(r'(0|1|Background|Video),([^,"]*),"([^"]*)"(,.*)?\s*')
_COMBO_KEY = re.compile(r"Combo(\d{1,3})", re.ASCII)
_OTHER_COLOURS = ("SliderBorder", "SliderTrackOverride", "SliderBody")
ORDER = ("General", "Editor", "Metadata", "Difficulty", "Events", "TimingPoints", "Colours", "HitObjects")

# keys that some version of the game writes
KNOWN_KEYS = {
    "General": "AudioFilename AudioLeadIn AudioHash PreviewTime Countdown SampleSet SampleVolume StackLeniency Mode "
    "LetterboxInBreaks StoryFireInFront UseSkinSprites AlwaysShowPlayfield OverlayPosition SkinPreference "
    "EpilepsyWarning CountdownOffset SpecialStyle WidescreenStoryboard SamplesMatchPlaybackRate EditorBookmarks "
    "EditorDistanceSpacing CustomSamples TimelineZoom",
    "Editor": "Bookmarks DistanceSpacing BeatDivisor GridSize TimelineZoom CurrentTime",
    "Metadata": "Title TitleUnicode Artist ArtistUnicode Creator Version Source Tags BeatmapID BeatmapSetID",
    "Difficulty": "HPDrainRate CircleSize OverallDifficulty ApproachRate SliderMultiplier SliderTickRate",
}
_KNOWN_KEYS = {section: frozenset(keys.split()) for section, keys in KNOWN_KEYS.items()}

GENERAL_VALUES = {
    "SampleSet": (lambda text: text in SAMPLE_SETS, lambda text: "Soft", "None, Normal, Soft or Drum"),
    "Countdown": (lambda text: _in_range(text, 0, 3, parse_int), lambda text: "0", "0 to 3"),
    "StackLeniency": (lambda text: _in_range(text, 0, 1, parse_float), lambda text: _clamped(text, 0, 1, 0.7),
                      "0 to 1"),
}


def header(document: Document, audio: AudioFacts | None) -> Iterator[Fault]:
    """A001: the first line that says something is `osu file format vN`, N in 3..14."""
    index = next((i for i, line in enumerate(document.lines) if line.strip(BOM + "\0 \t")), None)
    line = document.lines[index].lstrip(BOM).strip() if index is not None else ""
    found = _FIRST_LINE.fullmatch(line)
    if found and int(found[1]) in FORMAT_VERSIONS:
        return
    new = "osu file format v14"
    edits: tuple = ()
    if found is None and index is not None:
        is_section = line.startswith("[")
        edits = ((index, f"{new}\n\n{document.lines[index]}" if is_section else new),)
    elif found and int(found[1]) == NEWER_EDITOR_VERSION:
        edits = ((index, new),)
    said = f"format v{found[1]}" if found else "no format line" if not line else f"{line[:40]!r}"
    yield Fault(f"The first line says {said}; it must be `{new}`", value=said, limit=new, edits=edits)


def encoding(document: Document, audio: AudioFacts | None) -> Iterator[Fault]:
    """A002: valid UTF-8 without NUL. (Undecodable input is decoded another way when it is opened.)"""
    if document.raw is not None:
        yield Fault("The file is not UTF-8; save it as UTF-8", limit="UTF-8", edits=((0, document.lines[0]),))
    for index, line in enumerate(document.lines):
        if "\0" in line:
            yield Fault(f"Line {index + 1} holds a NUL byte; remove it", edits=((index, line.replace("\0", "")),))


def byte_order_mark(document: Document, audio: AudioFacts | None) -> Iterator[Fault]:
    """A003: no byte order mark."""
    if document.lines[0].startswith(BOM):
        yield Fault("The file starts with a byte order mark; drop it", edits=((0, document.lines[0].lstrip(BOM)),))


def sections(document: Document, audio: AudioFacts | None) -> Iterator[Fault]:
    """A004: the sections that every parser needs are there, and none twice."""
    first: dict[str, tuple[int, list[int]]] = {}
    for name, index, content in document.sections:
        if name not in first:
            first[name] = index, content
        elif name in ORDER:
            at = (first[name][1] or [first[name][0]])[-1]
            merged = "\n".join([document.lines[at], *(document.lines[i] for i in content)])
            dropped = ((i, None) for i in (index, *content))
            yield Fault(f"[{name}] is there again on line {index + 1}; merge the two", edits=((at, merged), *dropped))
    for name in REQUIRED_SECTIONS:
        if name not in first:
            later = ORDER[ORDER.index(name) + 1 :]
            following = min((first[n][0] for n in later if n in first), default=None)
            if following is None:
                last = len(document.lines) - 1
                edits = ((last, f"{document.lines[last]}\n[{name}]\n"),)
            else:
                edits = ((following, f"[{name}]\n\n{document.lines[following]}"),)
            yield Fault(f"There is no [{name}] section; add it", limit=name, edits=edits)


def mode(document: Document, audio: AudioFacts | None) -> Iterator[Fault]:
    """A005: `Mode` is 0..3."""
    for index, key, value in document.values("General"):
        if key == "Mode" and not _in_range(value, 0, 3, parse_int):
            edits = ((index, f"Mode: {document.mode}"),)
            yield Fault(f"Mode is {value!r}; it must be 0, 1, 2 or 3", value=value, limit="0-3", edits=edits)


def audio_file_name(document: Document, audio: AudioFacts | None) -> Iterator[Fault]:
    """A006: the audio file is named, relative to the map, and inside its folder."""
    found = [(index, value) for index, key, value in document.values("General") if key == "AudioFilename"]
    index, name = found[-1] if found else (None, "")
    safe = bool(name) and not (
        "\\" in name or name.startswith("/") or _DRIVE.match(name) or ".." in PurePosixPath(name).parts
    )
    if safe:
        return
    base = (audio.file_name if audio else "") or PurePosixPath(name.replace("\\", "/")).name.strip(".: ") or "audio.mp3"
    line = f"AudioFilename: {base}"
    if index is None:
        header_line = next((i for n, i, _ in document.sections if n == "General"), None)
        edits = ((header_line, f"[General]\n{line}"),) if header_line is not None else ()
    else:
        edits = ((index, line),)
    said = f"AudioFilename is {name!r}" if name else "No audio file is named"
    yield Fault(f"{said}; name a file beside the map, such as {base!r}", value=name, edits=edits)


def difficulty_numbers(document: Document, audio: AudioFacts | None) -> Iterator[Fault]:
    """A007: difficulty settings are finite numbers with a decimal point."""
    for index, key, value in document.values("Difficulty"):
        if key in DIFFICULTY_RANGES and not _is_number(value):
            with_point = value.replace(",", ".")
            low, high, default = _difficulty_range(document, key)
            new = with_point if _is_number(with_point) else format_number(default)
            yield Fault(f"{key} is {value!r}, which is no number; write {new}", value=value, limit="a number",
                        edits=((index, f"{key}:{new}"),))  # fmt: skip


def difficulty_ranges(document: Document, audio: AudioFacts | None) -> Iterator[Fault]:
    """A008: difficulty settings lie where the game plays them."""
    for index, key, value in document.values("Difficulty"):
        if key in DIFFICULTY_RANGES and _is_number(value):
            low, high, _ = _difficulty_range(document, key)
            number = parse_float(value)
            if not low <= number <= high:
                new = format_number(min(max(number, low), high))
                yield Fault(f"{key} is {value}, beyond {low:g} to {high:g}; write {new}", value=number,
                            limit=f"{low:g}-{high:g}", edits=((index, f"{key}:{new}"),))  # fmt: skip


def metadata_characters(document: Document, audio: AudioFacts | None) -> Iterator[Fault]:
    """A020: metadata without control or zero-width characters."""
    for index in document.indices("Metadata"):
        line = document.lines[index]
        if line.isascii() and line.isprintable():
            continue
        odd = [c for c in line if unicodedata.category(c) in ("Cc", "Cf") and c != "\0"]  # NUL: A002
        if odd:
            clean = "".join(" " if c in "\t\v\f" else "" if c in odd else c for c in line)
            names = ", ".join(sorted({f"U+{ord(c):04X}" for c in odd}))
            yield Fault(f"Line {index + 1} of the metadata holds invisible characters ({names}); remove them",
                        value=names, edits=((index, clean),))  # fmt: skip


def combo_colours(document: Document, audio: AudioFacts | None) -> Iterator[Fault]:
    """A021: Combo1..Combo8, each once, three bytes each, two at least if any."""
    used: set[int] = set()
    valid: list[tuple[int, int, list[int]]] = []
    faulty: list[tuple[int, str, list[int] | None]] = []
    for index, key, value in document.values("Colours"):
        if key in _OTHER_COLOURS:
            continue
        found = _COMBO_KEY.fullmatch("".join(c for c in key if c.isascii()).strip())
        colour = _colour(value)
        number = int(found[1]) if found and found[0] == key else 0
        reason = (
            f"{key!r} is none of Combo1 to Combo8" if not 1 <= number <= 8
            else f"{key} is there twice" if number in used
            else f"{key} is {value!r}, not three numbers of 0 to 255" if colour is None or not _is_colour(value)
            else ""
        )  # fmt: skip
        if reason:
            faulty.append((index, reason, colour if found else None))
        else:
            used.add(number)
            valid.append((index, number, colour))
    kept = [(index, colour) for index, _, colour in faulty if colour is not None]
    for index, reason, colour in faulty:
        number = next((n for n in range(1, 9) if n not in used), None)
        if colour is None or number is None:
            edits: tuple = ((index, None),)
        else:
            used.add(number)
            edits = ((index, f"Combo{number} : {','.join(map(str, colour))}"),)
        yield Fault(f"Line {index + 1}: {reason}; number it anew or drop it", value=reason, edits=edits)
    if len(valid) + len(kept) == 1 and not faulty:
        yield Fault("There is one combo colour; the game wants two or none", value=1, limit=2,
                    edits=((valid[0][0], None),))  # fmt: skip


def general_values(document: Document, audio: AudioFacts | None) -> Iterator[Fault]:
    """A022: sample set, countdown and stack leniency are among the values that the game knows."""
    for index, key, value in document.values("General"):
        if key in GENERAL_VALUES:
            accepts, mend, allowed = GENERAL_VALUES[key]
            if not accepts(value):
                new = mend(value)
                yield Fault(f"{key} is {value!r}; it must be {allowed}", value=value, limit=allowed,
                            edits=((index, f"{key}: {new}"),))  # fmt: skip


def event_lines(document: Document, audio: AudioFacts | None) -> Iterator[Fault]:
    """A023: background and video names are quoted; breaks are two numbers, the end not before the start."""
    for index in document.indices("Events"):
        line = document.lines[index]
        fields = line.split(",")
        if fields[0] in ("0", "1", "Background", "Video") and not _QUOTED_FILE.fullmatch(line):
            name = fields[2].strip().strip('"') if len(fields) > 2 else ""
            new = ",".join([fields[0], fields[1], f'"{name}"', *fields[3:]]) if name else None
            yield Fault(f"Line {index + 1}: the file of `{line[:60]}` is not named in quotes", edits=((index, new),))
        elif fields[0] in ("2", "Break"):
            times = [parse_float(f) for f in fields[1:3] if _is_number(f)]
            if len(times) < 2 or times[1] < times[0]:
                yield Fault(f"Line {index + 1}: `{line[:60]}` is no break from a time to a later one; drop it",
                            times[0] if times else None, edits=((index, None),))  # fmt: skip


def unknown_parts(document: Document, audio: AudioFacts | None) -> Iterator[Fault]:
    """A025: nothing but the sections and keys that some version of the game writes."""
    for name, index, content in document.sections:
        if name not in ORDER:
            edits = tuple((i, None) for i in (index, *content))
            yield Fault(f"[{name[:40]}] is no section of the format; drop it", value=name, edits=edits)
    for section, known in _KNOWN_KEYS.items():
        for index, key, _ in document.values(section):
            if key not in known:
                yield Fault(f"{key[:40]!r} is no key of [{section}]; drop it", value=key, edits=((index, None),))


def _in_range(text: str, low: float, high: float, parse) -> bool:
    try:
        return low <= parse(text) <= high
    except ValueError:
        return False


def _clamped(text: str, low: float, high: float, default: float) -> str:
    return format_number(min(max(parse_float(text), low), high) if _is_number(text) else default)


def _is_number(text: str) -> bool:
    try:
        parse_float(text)
    except ValueError:
        return False
    return True


def _difficulty_range(document: Document, key: str) -> tuple[float, float, float]:
    return MANIA_KEYS if key == "CircleSize" and document.mode == 3 else DIFFICULTY_RANGES[key]


def _is_colour(value: str) -> bool:
    parts = value.split(",")
    return len(parts) in (3, 4) and all(_in_range(p, 0, 255, parse_int) for p in parts)


def _colour(value: str) -> list[int] | None:
    """Three clamped bytes, None if they cannot be read."""
    try:
        parts = [min(max(parse_int(p), 0), 255) for p in value.split(",")]
    except ValueError:
        return None
    return parts[:3] if len(parts) >= 3 else None
