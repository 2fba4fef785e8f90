"""Rows of the web data set: one a set, with its sound and the text and facts of its maps."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from osuT5.audio import change_speed_polyphase, normalize_peak
from osuT5.data.catalogue import MapFacts, MapFilter
from osuT5.data.sets import MapSet
from osuT5.errors import InputError

LOG = logging.getLogger(__name__)
DATE_FORMATS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d")


def web_facts(beatmap: Mapping[str, Any], styles: Mapping[int, int] | None = None) -> MapFacts:
    """What a row says of one of its maps; each date stands in for the other where one is missing.

    Args:
        styles: beatmap id -> style class; the id itself where it is missing.
    Raises:
        InputError: the map has no id or a date that cannot be read.
    """
    try:
        beatmap_id, set_id = int(beatmap["beatmap_id"]), int(beatmap["beatmapset_id"])
        mode = int(beatmap["mode"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"a map of the web data set has no usable id or mode: {error!r}") from error
    approved, submitted = _date(beatmap.get("approved_date")), _date(beatmap.get("submit_date"))
    return MapFacts(
        set_id=set_id,
        beatmap_id=beatmap_id,
        mode=mode,
        style=(styles or {}).get(beatmap_id, beatmap_id),
        status=_number(beatmap.get("approved"), int),
        ranked_date=approved or submitted,
        submitted_date=submitted or approved,
        difficulty=_number(beatmap.get("difficultyrating"), float),
        user_id=_number(beatmap.get("creator_id"), int),
        content=beatmap.get("content") or "",
    )


def web_set(
    row: Mapping[str, Any],
    samples: Callable[[], np.ndarray],
    chosen: MapFilter | None = None,
    styles: Mapping[int, int] | None = None,
    sample_rate: int = 16000,
) -> MapSet | None:
    """One row as a set; None if no map of it has a text and passes the filter. Maps without usable facts are left out.

    Args:
        row: with `json`: {"beatmaps": [...]}, or nothing there.
        samples: decodes its sound: mono float samples at `sample_rate`, any scale.
    """
    maps = []
    for beatmap in (row.get("json") or {}).get("beatmaps") or ():
        if not beatmap.get("content"):
            continue
        try:
            maps.append(web_facts(beatmap, styles))
        except InputError as error:
            LOG.warning("left out a map of row %s: %s", row.get("__key__"), error)
    maps = (chosen or MapFilter()).select(maps)
    if not maps:
        return None

    texts = [m.content.encode() for m in maps]
    return MapSet([replace(m, content="") for m in maps], texts, WebSound(samples, sample_rate))


@dataclass(frozen=True)
class WebSound:
    """The sound of a row, its peak 1 at every speed; other speeds through a low-pass, as the published models heard.

    Attributes:
        samples: decodes it: mono float samples at `sample_rate`, any scale.
    """

    samples: Callable[[], np.ndarray]
    sample_rate: int

    def __call__(self, speed: float) -> np.ndarray:
        changed = change_speed_polyphase(self.samples(), speed, self.sample_rate)
        return normalize_peak(changed.astype(np.float32, copy=False))


def _number(value: Any, kind: type) -> Any:
    return None if value is None else kind(value)


def _date(text: str | None) -> datetime | None:
    """Raises InputError for a text that is no date."""
    if not text:
        return None
    for form in DATE_FORMATS:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    raise InputError(f"{text!r} is no date of the web data set (YYYY-MM-DD, with or without HH:MM:SS)")
