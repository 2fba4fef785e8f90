"""Names that say what a map is: title and artist, difficulty name, tags.

Every generated map says in its tags that it was generated.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from osuT5.inference.postprocess.romanise import romanise

DISCLOSURE_TAGS = ("mapperatorinator", "ai-generated")
UNTITLED, UNKNOWN_ARTIST = "Untitled", "Unknown Artist"
_TRACK_NUMBER = re.compile(r"^\s*\d{1,3}\s*(?:[.)_]\s*|-\s+|\s-\s+)(?=\S)")
_UPLOAD_NOTE = re.compile(
    r"\s*[\[(](?:official[^\])]*|lyrics?|audio|music video|mv|hd|hq|4k|free download|\d+\s?kbps)[\])]", re.IGNORECASE
)
# Settings that explain a map, in the order of the tags line: (name of the setting, name in the tag).
SETTING_TAGS = tuple((name, name) for name in (
    "lookback", "lookahead", "beatmap_id", "difficulty", "mapper_id", "year", "hitsounded", "hold_note_ratio",
    "scroll_speed_ratio", "descriptors", "negative_descriptors", "timing_leniency", "seed", "add_to_beatmap",
    "start_time", "end_time", "in_context", "cfg_scale", "temperature", "timing_temperature",
    "mania_column_temperature", "taiko_hit_temperature", "top_p", "top_k", "parallel", "do_sample", "num_beams",
    "super_timing", "timer_num_beams", "timer_bpm_threshold", "timer_cfg_scale", "timer_iterations",
    "generate_positions", "diff_cfg_scale", "max_seq_len", "overlap_buffer",
))
SETTING_TAGS = (("model_path", "model"), ("lora_path", "lora"), *SETTING_TAGS)
_QUOTED = ("descriptors", "negative_descriptors")


@dataclass(frozen=True)
class SongNames:
    """`title` and `artist` are ASCII and never empty."""

    title: str
    title_unicode: str
    artist: str
    artist_unicode: str


def one_line(text: str | None) -> str:
    """The text without control, format and other invisible characters, on one line, single spaces."""
    kept = (" " if c.isspace() else c for c in text or "" if c.isspace() or unicodedata.category(c) not in _HIDDEN)
    return re.sub(" +", " ", "".join(kept)).strip()


_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def song_names(
    file_stem: str = "",
    *,
    title: str | None = None,
    artist: str | None = None,
    title_unicode: str | None = None,
    artist_unicode: str | None = None,
) -> SongNames:
    """Title and artist from what is known: given or tagged names, else a file name like `Artist - Title`.

    Args:
        file_stem: the audio's file name without suffix.
        title, artist: in any script; the plain fields get their romanisation.
        title_unicode, artist_unicode: original script where it is known apart.
    """
    guessed_artist, guessed_title = _split_stem(file_stem)
    title, artist = one_line(title), one_line(artist)
    title_unicode = one_line(title_unicode) or title or guessed_title
    artist_unicode = one_line(artist_unicode) or artist or guessed_artist
    return SongNames(
        romanise(title or title_unicode) or UNTITLED, title_unicode or UNTITLED,
        romanise(artist or artist_unicode) or UNKNOWN_ARTIST, artist_unicode or UNKNOWN_ARTIST,
    )


def _split_stem(stem: str) -> tuple[str, str]:
    """(artist, title) of a file name; the artist is empty where the name has no ` - `."""
    text = stem.replace("_", " ") if " " not in stem else stem
    text = one_line(_UPLOAD_NOTE.sub("", _TRACK_NUMBER.sub("", one_line(text)) or text))
    artist, dash, title = text.partition(" - ")
    return (artist.strip(), title.strip()) if dash and artist.strip() and title.strip() else ("", text)


def difficulty_name(model: str, stars: float | None) -> str:
    """Like `Mapperatorinator mini 4.0*`; ASCII, so that no reader stumbles over it."""
    model = one_line(model) or "Mapperatorinator"
    return model if stars is None else f"{model} {stars:.1f}*"


def tags_line(given: str | Sequence[str] = ()) -> str:
    """The given tags without repeats, and always the disclosure that the map was generated."""
    words = given.split() if isinstance(given, str) else [w for tag in given for w in tag.split()]
    words = [w for w in map(one_line, words) if w]
    return " ".join(dict.fromkeys([*words, *DISCLOSURE_TAGS]))


def settings_tags(changed: Mapping[str, Any]) -> str:
    """`key=value` for every setting that explains the map; settings that are not listed are left out.

    Args:
        changed: the settings that differ from their defaults.
    """
    found = []
    for setting, name in SETTING_TAGS:
        if setting in changed:
            value = changed[setting]
            if isinstance(value, (list, tuple)):
                value = "[" + ",".join(str(getattr(v, "name", v)) for v in value) + "]"
                value = f'"{value}"' if setting in _QUOTED else value
            found.append(f"{name}={value}")
    return " ".join(found)
