"""Songs that must never be trained on, enforced by code.

`heldout.txt` lists them as artist<tab>title. What counts as the same song is judged on normalised names, so that other
spellings, cuts, covers and difficulties of a held-out song are refused too; a doubtful case counts as held out.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from pathlib import Path

from osuT5.errors import InputError

EVALUATION_FOLDERS = frozenset({"eval", "heldout", "held_out", "sealed"})
_DISTINCTIVE = 9  # letters; a title this long names one song whoever the artist is
_BRACKETS = re.compile(r"[(\[{<~].*?[)\]}>~]")
_WORD = re.compile(r"[^\W_]+")


class HeldOutError(InputError):
    """Held-out material was asked for in training."""


def normalise(text: str) -> str:
    """Letters and digits only, accents and case removed: `"Csíkos Post!"` -> `"csikospost"`."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in plain if c.isalnum())


def _words(text: str) -> set[str]:
    return {normalise(word) for word in _WORD.findall(text)} - {"vs", "feat", "ft", "the", "and", "x", ""}


@lru_cache(maxsize=1)
def held_out_songs() -> tuple[tuple[str, str], ...]:
    """(artist, title) of every held-out song."""
    lines = Path(__file__).with_name("heldout.txt").read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if line.strip() and not line.startswith("#"))
    return tuple((artist.strip(), title.strip()) for artist, title in rows)


def is_held_out(artist: str, title: str) -> bool:
    """Whether this is a held-out song: the same title (bracketed additions aside) by a like-named or unknown artist,
    or any title that contains a distinctive held-out one."""
    whole = normalise(title)
    names = {whole, normalise(_BRACKETS.sub("", title))} - {""}
    words = _words(artist)
    for held_artist, held_title in held_out_songs():
        held = normalise(held_title)
        if held in names and (not words or words & _words(held_artist)):
            return True
        if len(held) >= _DISTINCTIVE and held in whole:
            return True
        # the artist inside the title, as in "Velocity by M2U"
        if held in whole and normalise(held_artist) in whole:
            return True
    return False


def refuse_held_out(artist: str, title: str, where: object) -> None:
    """Raises HeldOutError if that song is held out; `where` is named in the message."""
    if is_held_out(artist, title):
        raise HeldOutError(f"{where}: {artist} - {title} is held out for evaluation; take it out of the training data")


def refuse_evaluation_folder(path: Path) -> None:
    """Raises HeldOutError for a path inside an evaluation folder."""
    marked = EVALUATION_FOLDERS.intersection(part.casefold() for part in Path(path).parts)
    if marked:
        raise HeldOutError(f"{path}: {sorted(marked)[0]}/ is for evaluation only; train on another folder")
