"""Descriptors: the words for styles and skills that people choose from, per set, with the modes that they belong to.

Facts: the selection list of the omdb descriptors and the user tags of 2026 (`descriptors.json`). Which class a name
has in a model is told by the model's own `descriptor_idx`; user tags of 2026 are numbered by tag id.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from osuT5.errors import InputError

# From a profile's `descriptor_source` to a set of the file.
SETS = {"omdb": "omdb", "local": "omdb", "web": "user_tags_2026", "none": None}


@dataclass(frozen=True)
class Descriptor:
    """`name` is what a prompt says; `mode` is the game mode it is meant for, None for all."""

    id: int
    name: str
    group: str
    label: str
    mode: int | None


@lru_cache(maxsize=1)
def _sets() -> dict[str, tuple[Descriptor, ...]]:
    table = json.loads(Path(__file__).with_name("descriptors.json").read_text(encoding="utf-8"))
    return {name: tuple(Descriptor(**row) for row in rows) for name, rows in table.items()}


def descriptor_set(source: str, mode: int | None = None) -> tuple[Descriptor, ...]:
    """The descriptors of a profile's `descriptor_source`; with `mode` only those meant for that game mode.

    Raises InputError naming the known sources.
    """
    if source not in SETS:
        raise InputError(f"no descriptor set named {source!r}; known: {', '.join(SETS)}")
    name = SETS[source]
    rows = _sets()[name] if name else ()
    return tuple(d for d in rows if mode is None or d.mode in (None, mode))


def descriptor_classes(source: str) -> dict[str, int]:
    """{name: class} for a new model's vocabulary: the tag ids.

    Of tags that share a name (one per game mode) the last id counts, as in the published models.
    """
    return {d.name: d.id for d in descriptor_set(source)}


def nearest_descriptors(word: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Known names that a mistyped word may have meant, the likeliest first. Groups may be left out."""
    names = list(dict.fromkeys(known))
    spelled = {n.casefold(): n for n in reversed(names)}
    spelled |= {n.rpartition("/")[2].strip().casefold(): n for n in reversed(names)}
    wanted = word.strip().casefold()
    if wanted in spelled:
        return [spelled[wanted]]
    close = difflib.get_close_matches(wanted, spelled, n=2 * count, cutoff=0.6)
    within = [key for key in spelled if wanted and wanted in key]
    return list(dict.fromkeys(spelled[key] for key in [*close, *within]))[:count]


def check_descriptors(words: Iterable[str | int], descriptor_idx: Mapping[str, int]) -> list[str]:
    """One sentence for each word that the model does not know, with the names it may have meant."""
    problems = []
    for word in words:
        if isinstance(word, str) and word not in descriptor_idx:
            near = nearest_descriptors(word, descriptor_idx)
            hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else "; the model will not see it"
            problems.append(f"descriptor {word!r} is not known to this model{hint}")
    return problems
