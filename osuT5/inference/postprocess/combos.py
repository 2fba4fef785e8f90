"""New combos in osu! and catch: the model's where it gave them, by measures where it gave none or made no sense.

The game itself starts a combo at the first object, at spinners and after them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from osuT5.beatmap.types import Spinner
from osuT5.inference.postprocess.difficulty_settings import CATCH, STD
from osuT5.inference.postprocess.grid import Grid
from osuT5.inference.postprocess.hit_objects import Built


@dataclass(frozen=True)
class ComboRules:
    """`longest`: objects of a combo; `singles`: combos of one object that may follow each other."""

    longest: int = 24
    singles: int = 8


# longest catch combo from this star rating on; the first rows are for the easiest maps
_CATCH_LONGEST = ((5.3, 16), (4.0, 16), (2.7, 12), (2.0, 10), (0.0, 8))
_FEW = 3  # combos by measure get at least about this many objects
COMBO_MODES = (STD, CATCH)


def combo_rules(gamemode: int, stars: float) -> ComboRules:
    if gamemode != CATCH:
        return ComboRules()
    return ComboRules(longest=next(limit for least, limit in _CATCH_LONGEST if stars >= least))


def place_combos(
    built: list[Built], grid: Grid, breaks: Iterable[tuple[float, float]], given: bool, rules: ComboRules
) -> None:
    """Sets the new-combo flags of all objects in place. `given`: the model wrote flags of its own."""
    if not built:
        return
    objects = [item.hit_object for item in built]
    if not given:
        _by_measure(objects, grid, 0, len(objects))
    forced = {0, *(_first_at_or_after(objects, end) for _, end in breaks)}
    for i, hit_object in enumerate(objects):
        after_spinner = i > 0 and isinstance(objects[i - 1], Spinner)
        hit_object.new_combo |= i in forced or after_spinner or isinstance(hit_object, Spinner)
    _join_singles(objects, grid, rules.singles)
    _split_long(objects, grid, rules.longest)


def _first_at_or_after(objects: list, time: float) -> int:
    return next((i for i, o in enumerate(objects) if o.time >= time), len(objects))


def _measure_of(time: float, grid: Grid) -> tuple[int, int]:
    section = grid.section_at(time)
    return section, int((time + 1 - grid.offsets[section]) // (grid.beats[section] * grid.meters[section]))


def _by_measure(objects: list, grid: Grid, start: int, end: int) -> None:
    """A combo a measure, or every second measure where measures hold few objects."""
    measures = [_measure_of(o.time, grid) for o in objects[start:end]]
    step = 2 if len(measures) < _FEW * len(set(measures)) else 1
    previous = None
    for hit_object, (section, measure) in zip(objects[start:end], measures, strict=True):
        combo = (section, measure // step)
        hit_object.new_combo = combo != previous
        previous = combo


def _join_singles(objects: list, grid: Grid, limit: int) -> None:
    """Runs of more than `limit` combos of one object are made anew by measures."""
    start = 0
    while start < len(objects):
        end = start
        while end < len(objects) and objects[end].new_combo and not isinstance(objects[end], Spinner):
            end += 1
        if end - start > limit + 1:
            _by_measure(objects, grid, start, end)
        start = max(end, start + 1)


def _split_long(objects: list, grid: Grid, limit: int) -> None:
    """A combo beyond the limit is cut at the last measure that starts within it, or where it is full."""
    start = 0
    for i in range(1, len(objects)):
        if objects[i].new_combo:
            start = i
        elif i - start >= limit:
            cut = next(
                (k for k in range(i, start + limit // 2, -1)
                 if _measure_of(objects[k].time, grid) != _measure_of(objects[k - 1].time, grid)),
                i,
            )
            objects[cut].new_combo = True
            start = cut
