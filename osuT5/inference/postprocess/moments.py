"""Gives every draft its place in time: snapped heads, spans and ends, kiai on measures.

The head and the first span of a slider are snapped and its end follows from them, so that repeats stay even; an end
that would then lie far from the generated one takes its own tick instead.
"""

from __future__ import annotations

from osuT5.inference.postprocess.drafts import Change, Draft, Kind, Moment
from osuT5.inference.postprocess.grid import LIMIT_MS, Grid, Tick

MIN_LONG_MS = 20.0  # a slider, roll or hold below this is a tap
MIN_HOLD_MS = 30  # shortest hold note of mania that is written
MIN_SPAN_MS = 10.0
_AGREE_MS = 2.0


def place_drafts(drafts: list[Draft], grid: Grid, resnap: bool) -> list[str]:
    """Sets `time`, `end`, `slides` of every draft; returns warnings."""
    warnings: list[str] = []
    unsnapped: list[int] = []
    for draft in drafts:
        head = grid.snap(draft.start.time, draft.start.divisor) if resnap else None
        draft.time = head.time if head else round(draft.start.time)
        draft.moved_ms = abs(draft.time - draft.start.time)
        draft.end = float(draft.time)
        if resnap and head is None:
            unsnapped.append(draft.time)
        if draft.is_long and not _place_end(draft, head, grid, resnap):
            warnings.append(f"The {draft.kind.value} at {draft.time} ms has no duration; it became a tap.")
            draft.become_circle()
    if unsnapped:
        warnings.append(
            f"{len(unsnapped)} object(s) stay off the beat grid, the first at {unsnapped[0]} ms: no tick is within "
            f"{LIMIT_MS:g} ms; check the timing there."
        )
    return warnings


def _place_end(draft: Draft, head: Tick | None, grid: Grid, resnap: bool) -> bool:
    """Sets the end; False if the object has no duration."""
    finish = draft.finish
    if finish is None:
        draft.end = draft.time + float(round(grid.beat_at(draft.time)))
        return draft.kind is Kind.HOLD  # a hold that nobody ends lasts a beat, less if its column needs it
    start = draft.start.time
    span = draft.first_span.time - start if draft.first_span else finish.time - start
    total = finish.time - start
    if total <= 0 < span and draft.first_span:
        finish, total = draft.first_span, span
    if total <= 0:
        return False
    slides = max(1, round(total / span)) if span > 0 else 1
    if not resnap:
        draft.slides, draft.end = slides, float(finish.time)
        return _long_enough(draft)
    end_tick = grid.snap(finish.time, finish.divisor)
    begin = head.exact if head else float(draft.time)
    end = end_tick.exact if end_tick else finish.time
    if slides > 1 and draft.first_span:
        slides, end = _spans(begin, end, draft.first_span, grid, slides)
    draft.slides = slides
    draft.end = _finish(draft, begin, end, end_tick)
    if _long_enough(draft):
        return True
    if total < MIN_LONG_MS:
        return False
    draft.slides, draft.end = 1, draft.time + max(grid.beat_at(draft.time) / 4, MIN_LONG_MS)
    return True


def _spans(begin: float, end: float, first_span: Moment, grid: Grid, slides: int) -> tuple[int, float]:
    """Number of slides and exact end of a slider with repeats."""
    tick = grid.snap(first_span.time, first_span.divisor)
    span = tick.exact - begin if tick else 0.0
    if span <= MIN_SPAN_MS or end <= begin:
        return slides, end
    counted = max(1, round((end - begin) / span))
    by_spans = begin + counted * span
    if abs(by_spans - end) <= _AGREE_MS:
        return counted, by_spans
    even = (end - begin) / slides / grid.beat_at(begin)
    if abs(by_spans - end) <= LIMIT_MS or not grid.is_sensible(even):
        return counted, by_spans
    return slides, end


def _finish(draft: Draft, begin: float, end: float, tick: Tick | None) -> float:
    """Spinners and holds end on whole ms; lengths that the game computes keep their exact duration."""
    if draft.kind in (Kind.SPINNER, Kind.HOLD, Kind.DENDEN):
        return float(tick.time if tick else round(end))
    return draft.time + (end - begin)


def _long_enough(draft: Draft) -> bool:
    return draft.end - draft.time >= MIN_LONG_MS and draft.span_ms >= MIN_SPAN_MS


def place_kiai(changes: list[Change], grid: Grid, resnap: bool) -> None:
    """Kiai begins and ends on a measure within half a beat, else on a beat within a quarter, else where it was.

    Sorts the changes by time.
    """
    changes.sort(key=lambda change: change.start.time)
    for change in changes:
        time = change.start.time
        change.time = round(time)
        if not resnap:
            continue
        beat = grid.beat_at(time)
        measure, tick = grid.downbeat_near(time), grid.nearest(time, 1)
        if abs(measure.time - time) <= beat / 2:
            change.time = measure.time
        elif tick is not None and abs(tick.time - time) <= beat / 4:
            change.time = tick.time
        else:
            snapped = grid.snap(time, change.start.divisor)
            change.time = snapped.time if snapped else change.time


def place_speeds(changes: list[Change], grid: Grid, resnap: bool) -> None:
    """Scroll speed changes go to the tick they name; those said to be off the grid stay there."""
    for change in changes:
        change.time = round(change.start.time)
        if resnap and change.start.divisor:
            tick = grid.snap(change.start.time, change.start.divisor)
            change.time = tick.time if tick else change.time
