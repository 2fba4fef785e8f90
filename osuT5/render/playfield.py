"""osu!standard: the playfield during a stretch, everything that is hit in it at once, with order and rhythm.

Circles have the map's size, slider bodies follow their real paths, thin lines lead from object to object, stacks
are spread as in the game. Below each playfield its rhythm: ticks for circles, bars for sliders, stems for spacing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from osuT5.beatmap import Beatmap, HitObject, Slider, SliderPath, Spinner, TimingLines
from osuT5.render import theme
from osuT5.render.canvas import Canvas, Colour, Point, mix
from osuT5.render.spans import Span, objects_in, ticks

FIELD_W, FIELD_H = 512.0, 384.0
MARGIN_X, MARGIN_Y = 52.0, 46.0  # osu! px around the playfield
RHYTHM_H = 46.0
STACK_DISTANCE_PX = 3.0
MAX_SPACING_PX = 400.0
ASPECT = (FIELD_H + 2 * MARGIN_Y) / (FIELD_W + 2 * MARGIN_X)


@dataclass(frozen=True)
class Numbered:
    """An object as it is drawn: number in its combo, colour, how deep it lies in a stack."""

    number: int
    colour: Colour
    stack: int


class StandardPainter:
    """Draws stretches of one map; combos and stacks are worked out once."""

    def __init__(self, beatmap: Beatmap, timing: TimingLines):
        self.beatmap, self.timing = beatmap, timing
        self.radius = max(54.4 - 4.48 * min(max(beatmap.cs, 0.0), 10.0), 8.0)
        self.objects = sorted(beatmap.hit_objects, key=lambda o: o.time)
        self.paths = {id(o): SliderPath.of(o) for o in self.objects if isinstance(o, Slider)}
        self.faces = self._faces()

    def height_of(self, width: float) -> float:
        """Height of a panel of that width in px."""
        return 20 + width * ASPECT + RHYTHM_H

    def paint(self, canvas: Canvas, x: float, y: float, width: float, span: Span, label: str) -> None:
        """One panel, its upper left corner at (x, y)."""
        height = width * ASPECT
        canvas.text((x + 2, y + 9), label, 11, theme.DIM)
        y += 20
        canvas.rect(x, y, width, height, theme.PANEL, 6)
        scale = width / (FIELD_W + 2 * MARGIN_X)
        field = Field(x + MARGIN_X * scale, y + MARGIN_Y * scale, scale)
        shown = objects_in(self.beatmap, self.timing, span)
        with canvas.clipped(x, y, width, height):
            self._grid(canvas, field)
            self._order(canvas, field, shown)
            for item, _ in reversed(shown):  # what comes first lies on top, as in the game
                self._object(canvas, field, item)
        self._rhythm(canvas, x, y + height + 4, width, RHYTHM_H - 10, span, shown)

    def _faces(self) -> dict[int, Numbered]:
        colours = theme.combo_colours(self.beatmap)
        depths = self._stacks()
        faces, number, combo = {}, 0, -1
        for item, depth in zip(self.objects, depths, strict=True):
            if combo < 0 or item.new_combo or isinstance(item, Spinner):
                number, combo = 0, combo + 1 + (item.combo_skip if combo >= 0 else 0)
            number += 1
            faces[id(item)] = Numbered(number, colours[combo % len(colours)], depth)
        return faces

    def _stacks(self) -> list[int]:
        """How many following objects lie on each one's end, close enough in time to be stacked."""
        ar = min(max(self.beatmap.ar, 0.0), 10.0)
        preempt = 1800 - 120 * ar if ar < 5 else 1950 - 150 * ar
        window = preempt * self.beatmap.stack_leniency
        depths = [0] * len(self.objects)
        for i in range(len(self.objects) - 2, -1, -1):
            item, following = self.objects[i], self.objects[i + 1]
            if isinstance(item, (Spinner, Slider)) or isinstance(following, Spinner):
                continue
            near = math.dist((item.x, item.y), (following.x, following.y)) < STACK_DISTANCE_PX
            if near and following.time - item.time <= window:
                depths[i] = depths[i + 1] + 1
        return depths

    def _head(self, field: Field, item: HitObject) -> Point:
        shift = self.faces[id(item)].stack * self.radius / 10
        return field.at((item.x - shift, item.y - shift))

    def _tail(self, field: Field, item: HitObject) -> Point:
        path = self.paths.get(id(item))
        if path is None or item.slides % 2 == 0:  # type: ignore[attr-defined]
            return self._head(field, item)
        return field.at(path.end)

    def _grid(self, canvas: Canvas, field: Field) -> None:
        for part in range(5):
            across, down = FIELD_W * part / 4, FIELD_H * part / 4
            shade = theme.BEAT if part in (0, 4) else mix(theme.PANEL, theme.LINE, 0.6)
            canvas.path([field.at((across, 0)), field.at((across, FIELD_H))], 1, shade)
            canvas.path([field.at((0, down)), field.at((FIELD_W, down))], 1, shade)

    def _order(self, canvas: Canvas, field: Field, shown: list[tuple[HitObject, float]]) -> None:
        for (item, _), (following, _) in zip(shown, shown[1:], strict=False):
            if isinstance(item, Spinner) or isinstance(following, Spinner):
                continue
            ends = [self._tail(field, item), self._head(field, following)]
            canvas.path(ends, 1.5, mix(theme.PANEL, theme.WHITE, 0.34))

    def _object(self, canvas: Canvas, field: Field, item: HitObject) -> None:
        face, radius = self.faces[id(item)], self.radius * field.scale
        if isinstance(item, Spinner):
            centre = field.at((FIELD_W / 2, FIELD_H / 2))
            for share in (1.0, 0.66, 0.06):
                canvas.disc(centre, 170 * field.scale * share, None, theme.SPINNER, 2)
            return
        path = self.paths.get(id(item))
        if path is not None:
            body = [field.at(p) for p in path.points]
            canvas.path(body, 2 * radius, mix(face.colour, theme.WHITE, 0.55))
            canvas.path(body, 2 * radius * 0.86, mix(theme.PANEL, face.colour, 0.34))
            self._repeats(canvas, body, radius, item.slides)  # type: ignore[attr-defined]
        self._circle(canvas, self._head(field, item), radius, face)

    def _circle(self, canvas: Canvas, at: Point, radius: float, face: Numbered) -> None:
        canvas.disc(at, radius + 0.8, theme.BACKGROUND)
        canvas.disc(at, radius, theme.WHITE)
        canvas.disc(at, radius * 0.88, face.colour)
        canvas.disc(at, radius * 0.7, mix(face.colour, (0, 0, 0), 0.28))
        canvas.text(at, str(face.number), radius * (1.0 if face.number < 10 else 0.8), theme.WHITE, "mm")

    def _repeats(self, canvas: Canvas, body: list[Point], radius: float, slides: int) -> None:
        """An arrow at each end where the ball turns round."""
        turns = [(body[-1], body[max(len(body) - 2, 0)])] if slides > 1 else []
        turns += [(body[0], body[min(1, len(body) - 1)])] if slides > 2 else []
        for tip, before in turns:
            angle = math.atan2(before[1] - tip[1], before[0] - tip[0])
            corners = [
                (tip[0] + radius * 0.55 * math.cos(angle + a), tip[1] + radius * 0.55 * math.sin(angle + a))
                for a in (0.0, 2.3, -2.3)
            ]
            canvas.polygon(corners, theme.WHITE)

    def _rhythm(
        self, canvas: Canvas, x: float, y: float, width: float, height: float, span: Span,
        shown: list[tuple[HitObject, float]],
    ) -> None:
        """Time to the right: a stem as high as the distance from the object before, a bar where a slider lasts."""
        base = y + height - 8
        for tick in ticks(self.timing, span):
            at = x + span.part(tick.time) * width
            colour = (theme.LINE, theme.BEAT, theme.MEASURE)[tick.rank]
            canvas.path([(at, base + 8 - (3, 5, 8)[tick.rank]), (at, base + 8)], 1, colour)
        canvas.path([(x, base), (x + width, base)], 1, theme.LINE)
        before: HitObject | None = None
        for item, end in shown:
            colour = theme.SPINNER if isinstance(item, Spinner) else self.faces[id(item)].colour
            left = max(x + span.part(item.time) * width, x)
            if end > item.time + 1:
                right = min(x + span.part(end) * width, x + width)
                canvas.rect(left, base - 4, right - left, 4, mix(theme.PANEL, colour, 0.6), 2)
            if before is not None and not isinstance(item, Spinner) and not isinstance(before, Spinner):
                distance = math.dist(self._tail(UNIT, before), (item.x, item.y))
                high = min(distance / MAX_SPACING_PX, 1.0) * (height - 14)
                canvas.path([(left, base), (left, base - high)], 1.5, mix(theme.PANEL, colour, 0.75))
            if item.time >= span.start - 2:
                canvas.disc((left, base), 2.6, colour)
            before = item


@dataclass(frozen=True)
class Field:
    """Where a playfield lies on the canvas, and how large an osu! px is there."""

    x: float
    y: float
    scale: float

    def at(self, position: tuple[float, float]) -> Point:
        return self.x + position[0] * self.scale, self.y + position[1] * self.scale


UNIT = Field(0.0, 0.0, 1.0)
