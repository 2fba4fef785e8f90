"""The columns of an MMRS table, in their order, with their types. Every column may be null."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow

COLUMNS: dict[str, str] = {
    "Artist": "string",
    "ArtistUnicode": "string",
    "Creator": "string",
    "FavouriteCount": "int32",
    "BeatmapSetId": "int32",
    "Nsfw": "bool",
    "Offset": "int32",
    "BeatmapSetPlayCount": "int32",
    "Source": "string",
    "BeatmapSetStatus": "string",
    "Spotlight": "bool",
    "Title": "string",
    "TitleUnicode": "string",
    "BeatmapSetUserId": "int32",
    "Video": "bool",
    "Description": "string",
    "GenreId": "int32",
    "GenreName": "string",
    "LanguageId": "int32",
    "LanguageName": "string",
    "PackTags": "list<string>",
    "Ratings": "list<int32>",
    "DownloadDisabled": "bool",
    "BeatmapSetBpm": "float32",
    "CanBeHyped": "bool",
    "DiscussionLocked": "bool",
    "BeatmapSetIsScoreable": "bool",
    "BeatmapSetLastUpdated": "timestamp",
    "BeatmapSetRanked": "int32",
    "RankedDate": "timestamp",
    "Storyboard": "bool",
    "SubmittedDate": "timestamp",
    "Tags": "string",
    "DifficultyRating": "float32",
    "Id": "int32",
    "Mode": "string",
    "Status": "string",
    "TotalLength": "int32",
    "UserId": "int32",
    "Version": "string",
    "Checksum": "string",
    "MaxCombo": "int32",
    "Accuracy": "float32",
    "Ar": "float32",
    "Bpm": "float32",
    "CountCircles": "int32",
    "CountSliders": "int32",
    "CountSpinners": "int32",
    "Cs": "float32",
    "Drain": "float32",
    "HitLength": "int32",
    "IsScoreable": "bool",
    "LastUpdated": "timestamp",
    "ModeInt": "int32",
    "PassCount": "int32",
    "PlayCount": "int32",
    "Ranked": "int32",
    "Owners": "list<int32>",
    "TopTagIds": "list<int32>",
    "TopTagCounts": "list<int32>",
    "StarRating": "list<float32>",
    "OmdbTags": "list<string>",
    "AudioFile": "string",
    "BeatmapSetFolder": "string",
    "BeatmapFile": "string",
}
# What the files themselves say; a table of the game's facts does not change it.
OF_THE_FILES = frozenset(
    {"BeatmapSetId", "Id", "Checksum", "Mode", "ModeInt", "StarRating", "AudioFile", "BeatmapSetFolder", "BeatmapFile"}
)

_INT32 = 2**31
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_SEPARATOR = re.compile(r"[;|,]")


def schema() -> pyarrow.Schema:
    """The schema of metadata.parquet."""
    import pyarrow as pa

    plain = {
        "int32": pa.int32(),
        "float32": pa.float32(),
        "string": pa.string(),
        "bool": pa.bool_(),
        "timestamp": pa.timestamp("ns"),
    }

    def typed(name: str) -> pa.DataType:
        inner = name.removeprefix("list<").removesuffix(">")
        return plain[name] if inner == name else pa.list_(plain[inner])

    return pa.schema([(column, typed(kind)) for column, kind in COLUMNS.items()])


def parse_cell(kind: str, text: str) -> Any:
    """The value of a cell of a text table; None where it is empty.

    Lists are JSON (`[1, 2]`) or separated by `;`, `|` or `,`; dates are ISO 8601, a time zone is turned into UTC.
    Raises ValueError for a text that is no value of that kind.
    """
    text = text.strip()
    if text in ("", "null", "None"):
        return None
    if kind.startswith("list<"):
        inner = kind[5:-1]
        if text.startswith("["):
            values = json.loads(text)
        else:
            values = [part.strip() for part in _SEPARATOR.split(text) if part.strip()]
        return [parse_cell(inner, str(value)) for value in values]
    return _PARSERS[kind](text)


def _int32(text: str) -> int:
    value = float(text)  # spreadsheets and data frames write whole numbers as 12.0
    if value != int(value) or not -_INT32 <= value < _INT32:
        raise ValueError(f"{text!r} is no whole number of 32 bits")
    return int(value)


def _bool(text: str) -> bool:
    if text.lower() not in _TRUTH:
        raise ValueError(f"{text!r} is neither true nor false")
    return _TRUTH[text.lower()]


def _timestamp(text: str) -> datetime:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment if moment.tzinfo is None else (moment - moment.utcoffset()).replace(tzinfo=None)


_PARSERS = {"int32": _int32, "float32": float, "string": str, "bool": _bool, "timestamp": _timestamp}
