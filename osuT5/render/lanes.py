"""The scrolling modes: taiko as rows read from left to right, mania and catch as strips read upwards."""

from __future__ import annotations

from abc import ABC, abstractmethod

from osuT5.beatmap import CLAP, FINISH, WHISTLE, Beatmap, HitObject, Hold, Slider, SliderPath, Spinner, TimingLines
from osuT5.render import theme
from osuT5.render.canvas import Canvas, Point, mix
from osuT5.render.spans import Span, objects_in, ticks

TICK_COLOURS = (mix(theme.PANEL, theme.LINE, 0.7), theme.BEAT, theme.MEASURE)


class TaikoPainter:
    """Rows: red don, blue kat, big with finish, yellow rolls, violet dendens."""

    LANE = 62.0

    def __init__(self, beatmap: Beatmap, timing: TimingLines):
        self.beatmap, self.timing = beatmap, timing

    def height_of(self, width: float) -> float:
        return self.LANE + 20

    def paint(self, canvas: Canvas, x: float, y: float, width: float, span: Span, label: str) -> None:
        canvas.text((x + 2, y + 9), label, 11, theme.DIM)
        y += 20
        middle = y + (self.LANE - 8) / 2
        canvas.rect(x, y, width, self.LANE - 8, theme.PANEL, 6)
        left, usable = x + 24, width - 48
        with canvas.clipped(x, y, width, self.LANE - 8):
            for tick in ticks(self.timing, span):
                at = left + span.part(tick.time) * usable
                inset = (20, 12, 2)[tick.rank]
                canvas.path([(at, y + inset), (at, y + self.LANE - 8 - inset)], 1, TICK_COLOURS[tick.rank])
            for item, end in reversed(objects_in(self.beatmap, self.timing, span)):
                self._note(canvas, (left + span.part(item.time) * usable, middle), left + span.part(end) * usable, item)

    def _note(self, canvas: Canvas, at: Point, end: float, item: HitObject) -> None:
        big = bool(item.hitsound & FINISH)
        radius = 18.0 if big else 12.0
        if isinstance(item, (Slider, Spinner, Hold)):
            colour = theme.ROLL if isinstance(item, Slider) else theme.SPINNER
            canvas.path([at, (end, at[1])], 2 * radius, theme.WHITE)
            canvas.path([at, (end, at[1])], 2 * radius - 4, mix(theme.PANEL, colour, 0.75))
        else:
            colour = theme.KAT if item.hitsound & (WHISTLE | CLAP) else theme.DON
        canvas.disc(at, radius + 0.8, theme.BACKGROUND)
        canvas.disc(at, radius, theme.WHITE)
        canvas.disc(at, radius - 2.5, colour)


class StripPainter(ABC):
    """What mania and catch share: a strip of time that scrolls upwards, the beat grid and measure lines across it."""

    HEIGHT = 700.0

    def __init__(self, beatmap: Beatmap, timing: TimingLines):
        self.beatmap, self.timing = beatmap, timing

    def height_of(self, width: float) -> float:
        return self.HEIGHT + 20

    def paint(self, canvas: Canvas, x: float, y: float, width: float, span: Span, label: str) -> None:
        canvas.text((x + 2, y + 9), label, 11, theme.DIM)
        y += 20
        canvas.rect(x, y, width, self.HEIGHT, theme.PANEL, 6)
        strip = Strip(x + 8, y + 12, width - 16, self.HEIGHT - 30, span)
        with canvas.clipped(x, y, width, self.HEIGHT):
            self.ground(canvas, strip)
            for tick in ticks(self.timing, span):
                at = strip.y_of(tick.time)
                canvas.path([(x, at), (x + width, at)], 1, TICK_COLOURS[tick.rank])
            for item, end in objects_in(self.beatmap, self.timing, span):
                self.note(canvas, strip, item, end)

    def ground(self, canvas: Canvas, strip: Strip) -> None:  # noqa: B027 - a mode need not have any
        """What lies under the beat grid: nothing, unless a mode says so."""

    @abstractmethod
    def note(self, canvas: Canvas, strip: Strip, item: HitObject, end: float) -> None:
        """One object, which lasts until `end`."""


class ManiaPainter(StripPainter):
    """Columns with notes and holds."""

    @property
    def columns(self) -> int:
        return min(max(round(self.beatmap.cs), 1), 18)

    def ground(self, canvas: Canvas, strip: Strip) -> None:
        wide = strip.width / self.columns
        for column in range(self.columns):
            tint = mix(theme.PANEL, theme.column_colour(column, self.columns), 0.05)
            canvas.rect(strip.x + column * wide, strip.top - 12, wide - 1, strip.height + 30, tint)

    def note(self, canvas: Canvas, strip: Strip, item: HitObject, end: float) -> None:
        wide = strip.width / self.columns
        column = min(max(int(item.x * self.columns / 512), 0), self.columns - 1)
        colour = theme.column_colour(column, self.columns)
        left, bottom = strip.x + column * wide + 1, strip.y_of(item.time)
        if end > item.time:
            top = strip.y_of(end)
            canvas.rect(left + wide * 0.12, top, wide * 0.76 - 2, bottom - top, mix(theme.PANEL, colour, 0.55), 2)
        canvas.rect(left, bottom - 6, wide - 3, 7, colour, 2)


class CatchPainter(StripPainter):
    """Fruits where they fall; juice streams along the path that the ball takes; bananas as a band."""

    STEP_MS = 20.0

    def __init__(self, beatmap: Beatmap, timing: TimingLines):
        super().__init__(beatmap, timing)
        self.combos, combo = {}, -1
        for item in sorted(beatmap.hit_objects, key=lambda o: o.time):
            combo += 1 if combo < 0 or item.new_combo else 0
            self.combos[id(item)] = combo

    def note(self, canvas: Canvas, strip: Strip, item: HitObject, end: float) -> None:
        radius = max(54.4 - 4.48 * min(max(self.beatmap.cs, 0.0), 10.0), 8.0) * strip.width / 512
        if isinstance(item, (Spinner, Hold)):
            top = strip.y_of(end)
            canvas.rect(strip.x, top, strip.width, strip.y_of(item.time) - top, mix(theme.PANEL, theme.BANANA, 0.25), 4)
            return
        colour = theme.FRUITS[self.combos[id(item)] % len(theme.FRUITS)]
        if isinstance(item, Slider):
            path, span_ms = SliderPath.of(item), max((end - item.time) / max(item.slides, 1), 1.0)
            stream = []
            steps = max(round((end - item.time) / self.STEP_MS), 1)
            for step in range(steps + 1):
                past = (end - item.time) * step / steps
                number, rest = divmod(past / span_ms, 1.0)
                progress = rest if int(number) % 2 == 0 else 1.0 - rest
                stream.append((strip.x_of(path.position_at(progress)[0]), strip.y_of(item.time + past)))
            canvas.path(stream, 3, mix(theme.PANEL, colour, 0.6))
            ends = [path.points[0], path.end]
            for turn in range(1, item.slides + 1):
                at = (strip.x_of(ends[turn % 2][0]), strip.y_of(item.time + turn * span_ms))
                canvas.disc(at, radius * 0.8, mix(theme.PANEL, colour, 0.8), theme.WHITE, 1)
        canvas.disc((strip.x_of(item.x), strip.y_of(item.time)), radius, colour, theme.WHITE, 1.5)


class Strip:
    """Where a strip lies on the canvas; time runs upwards."""

    def __init__(self, x: float, top: float, width: float, height: float, span: Span):
        self.x, self.top, self.width, self.height, self.span = x, top, width, height, span

    def y_of(self, time: float) -> float:
        return self.top + self.height * (1.0 - self.span.part(time))

    def x_of(self, position_px: float) -> float:
        return self.x + self.width * position_px / 512
