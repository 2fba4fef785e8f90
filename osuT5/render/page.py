"""The whole picture: what the map is, panels of it, and the map from end to end on one line."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from osuT5.beatmap import Beatmap, Circle, GameMode, Hold, Slider, Spinner, TimingLines, stars
from osuT5.errors import InputError
from osuT5.render import theme
from osuT5.render.canvas import Canvas, Raster, Vector, mix
from osuT5.render.lanes import CatchPainter, ManiaPainter, TaikoPainter
from osuT5.render.playfield import StandardPainter
from osuT5.render.spans import Span, map_span, panel_spans

WIDTH, EDGE, GAP = 1600, 28, 16
HEADER_H, TIMELINE_H = 74, 118
DENSITY_BIN_MS = 1000.0
MODE_NAMES = {GameMode.STD: "osu!", GameMode.TAIKO: "taiko", GameMode.CATCH: "catch", GameMode.MANIA: "mania"}
CANVASES = {".png": Raster, ".svg": Vector}


@dataclass(frozen=True)
class Layout:
    """How a mode is laid out: its painter, panels in a row, rows without a range, most rows, measures in a panel."""

    painter: type
    across: int
    rows: int
    most_rows: int
    measures: int


LAYOUTS = {
    GameMode.STD: Layout(StandardPainter, 4, 2, 6, 2),
    GameMode.TAIKO: Layout(TaikoPainter, 1, 10, 16, 4),
    GameMode.CATCH: Layout(CatchPainter, 7, 1, 2, 4),
    GameMode.MANIA: Layout(ManiaPainter, 7, 1, 2, 4),
}


def render_map(
    beatmap: Beatmap, path: str | os.PathLike[str], start_ms: float | None = None, end_ms: float | None = None
) -> Path:
    """Draws a map into a file.

    Args:
        path: `.png` (at most 200 kB) or `.svg`; a file of that name is replaced.
        start_ms, end_ms: with a range, measure after measure of it; without one, samples from the whole map.
    Returns: the path.
    Raises:
        InputError: another suffix, a range that is empty, or a place that cannot be written to.
    """
    path = Path(path)
    canvas_type = CANVASES.get(path.suffix.lower())
    if canvas_type is None:
        raise InputError(f"out={path}: pictures are .png or .svg; choose one of these suffixes")
    for name, value in (("start", start_ms), ("end", end_ms)):
        if value is not None and not math.isfinite(value):
            raise InputError(f"{name}={value:g} is no time; give milliseconds")
    if end_ms is not None and end_ms <= (start_ms or 0.0):
        raise InputError(f"end={end_ms:g} is not after start={start_ms or 0:g}; give a later end")
    timing = beatmap.timing
    whole = map_span(beatmap, timing)
    layout = LAYOUTS[beatmap.mode]
    painter = layout.painter(beatmap, timing)
    spans = panel_spans(
        timing, whole, layout.across * layout.rows, layout.measures, start_ms, end_ms, layout.across * layout.most_rows
    )
    panel_w = (WIDTH - 2 * EDGE - (layout.across - 1) * GAP) / layout.across
    row_h = painter.height_of(panel_w) + (GAP if layout.across > 1 else 4)
    rows = math.ceil(len(spans) / layout.across)
    canvas = canvas_type(WIDTH, round(HEADER_H + rows * row_h + TIMELINE_H + EDGE), theme.BACKGROUND)
    _header(canvas, beatmap, timing, whole)
    for number, span in enumerate(spans):
        row, column = divmod(number, layout.across)
        x, y = EDGE + column * (panel_w + GAP), HEADER_H + row * row_h
        kiai = "   kiai" if timing.kiai_at(span.start + span.length / 2) else ""
        painter.paint(canvas, x, y, panel_w, span, f"{clock(span.start)} - {clock(span.end)}{kiai}")
    _timeline(canvas, HEADER_H + rows * row_h + 4, beatmap, timing, whole, spans)
    return _save(path, canvas.encode())


def _save(path: Path, picture: bytes) -> Path:
    """Puts a picture in its place, whole or not at all; an older picture of that name is replaced."""
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(picture)
        os.replace(partial, path)
    except OSError as error:
        raise InputError(f"out={path}: cannot be written ({error.strerror or error}); choose another place") from error
    return path


def clock(time: float) -> str:
    """m:ss.t"""
    tenths = round(abs(time) / 100)
    return f"{'-' if time < 0 and tenths else ''}{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def _header(canvas: Canvas, beatmap: Beatmap, timing: TimingLines, whole: Span) -> None:
    title = f"{beatmap.artist or 'unknown artist'} - {beatmap.title or 'untitled'}"
    canvas.text((EDGE, 30), _short(title, 80), 22, theme.TEXT)
    canvas.text((WIDTH - EDGE, 30), _short(f"[{beatmap.version}]", 50), 18, theme.ACCENT, "rm")
    rating = stars(beatmap)
    tempos = [red.bpm for red in timing.reds if math.isfinite(red.bpm)]
    facts = [MODE_NAMES[beatmap.mode], "unrated" if rating is None else f"{rating:.2f} stars"]
    if tempos:
        low, high = min(tempos), max(tempos)
        facts.append(f"{low:.4g} BPM" if high - low < 0.5 else f"{low:.4g} - {high:.4g} BPM")
    minutes = whole.length / 60000
    facts.append(f"{len(beatmap.hit_objects)} objects in {clock(whole.length)}")
    facts.append(f"{len(beatmap.hit_objects) / minutes:.0f} a minute")
    kinds = [(Circle, "circles"), (Slider, "sliders"), (Spinner, "spinners"), (Hold, "holds")]
    counts = [(sum(type(o) is kind for o in beatmap.hit_objects), name) for kind, name in kinds]
    facts += [f"{count} {name}" for count, name in counts if count]
    facts += [f"CS {beatmap.cs:g}  AR {beatmap.ar:g}  OD {beatmap.od:g}  HP {beatmap.hp:g}"]
    if beatmap.creator:
        facts.append(f"by {beatmap.creator}")
    canvas.text((EDGE, 54), _short("   ·   ".join(facts), 200), 13, theme.DIM)


def _timeline(
    canvas: Canvas, y: float, beatmap: Beatmap, timing: TimingLines, whole: Span, spans: list[Span]
) -> None:
    """Objects a second over the whole map; kiai, breaks, red lines, and where the panels come from."""
    left, width, height = EDGE, WIDTH - 2 * EDGE, TIMELINE_H - 34
    span = Span(min(whole.start, spans[0].start), max(whole.end, spans[-1].end))

    def x_of(time: float) -> float:
        return left + min(max(span.part(time), 0.0), 1.0) * width

    canvas.rect(left, y, width, height, theme.PANEL, 6)
    for start, end in _kiai(timing, span):
        canvas.rect(x_of(start), y, x_of(end) - x_of(start), height, mix(theme.PANEL, theme.KIAI, 0.22))
    for start, end in beatmap.breaks:
        canvas.rect(x_of(start), y, x_of(end) - x_of(start), height, mix(theme.PANEL, theme.BACKGROUND, 0.8))
    bins = min(max(math.ceil(span.length / DENSITY_BIN_MS), 1), int(width // 2))
    counts, edges = np.histogram([o.time for o in beatmap.hit_objects], bins, (span.start, span.end))
    top = max(int(counts.max()), 1)
    for count, start, end in zip(counts, edges, edges[1:], strict=False):
        tall = (height - 14) * count / top
        colour = mix(theme.ACCENT, theme.KIAI, 0.75) if timing.kiai_at((start + end) / 2) else theme.ACCENT
        canvas.rect(x_of(start), y + height - tall, max(x_of(end) - x_of(start) - 1, 1), tall, colour, 1)
    for red in timing.reds[:400]:
        if span.start <= red.time <= span.end:
            canvas.path([(x_of(red.time), y), (x_of(red.time), y + height)], 1, theme.WARN)
    for panel in spans:
        canvas.rect(x_of(panel.start), y + height + 3, max(x_of(panel.end) - x_of(panel.start), 3), 4, theme.TEXT, 2)
    peak = top / (span.length / bins / 1000)
    for part in range(9):
        at = span.start + span.length * part / 8
        align = {0: "lm", 8: "rm"}.get(part, "mm")
        canvas.text((x_of(at), y + height + 18), clock(at), 10, theme.DIM, align)
    canvas.text((left + 6, y + 9), f"objects a second, highest {peak:.1f}", 10, theme.DIM)


def _kiai(timing: TimingLines, span: Span) -> list[tuple[float, float]]:
    """Stretches of kiai within a span."""
    found: list[tuple[float, float]] = []
    ends = [line.time for line in timing.points[1:]] + [span.end]
    for line, stop in zip(timing.points, ends, strict=False):  # without lines there is one end too many
        start, end = max(line.time, span.start), min(stop, span.end)
        if line.kiai and end > start:
            if found and start - found[-1][1] < 1:
                found[-1] = (found[-1][0], end)
            else:
                found.append((start, end))
    return found


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."
