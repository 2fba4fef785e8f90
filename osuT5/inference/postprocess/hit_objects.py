"""Drafts to the file's hit objects, with the slider velocities and volumes they need from timing lines.

One builder a kind of object, looked up in a table; positions and sounds go on the objects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from osuT5.beatmap.types import Circle, HitObject, HitSample, Hold, Slider, Spinner
from osuT5.inference.postprocess.difficulty_settings import MANIA, TAIKO
from osuT5.inference.postprocess.drafts import Draft, Kind, Sound
from osuT5.inference.postprocess.grid import Grid
from osuT5.inference.postprocess.moments import MIN_HOLD_MS, MIN_LONG_MS
from osuT5.inference.postprocess.positions import CENTRE, COLUMN_Y, with_head_inside
from osuT5.inference.postprocess.settings import MapSettings
from osuT5.inference.postprocess.sliders import (
    MAX_VELOCITY,
    MIN_VELOCITY,
    drumroll_points,
    length_px,
    shape_slider,
)

BODY_STEP = 20  # percent; smaller differences between the edges and the body of a slider get no lines of their own
BODY_DELAY_MS = 6  # sounds of an edge reach 5 ms further (the game's leniency)
MIN_SCROLL = 0.01  # taiko and mania scroll slower than a slider may


@dataclass(slots=True)
class Voice:
    """A sound at a time in ms. `own`: the object it belongs to can carry the volume itself."""

    time: float
    volume: int | None
    own: HitObject | None = None


@dataclass(slots=True)
class Built:
    """A hit object, the velocity it needs (None = any), its sounds in order, and when it ends in ms."""

    hit_object: HitObject
    end: float
    velocity: float | None = None
    voices: list[Voice] = field(default_factory=list)


class Builder:
    """Builds the objects of one map in order of time; remembers the slider velocity in force. Changes no draft."""

    def __init__(self, grid: Grid, settings: MapSettings, bottom: float):
        """`bottom`: lowest y in px that heads and slider bodies may reach."""
        self.grid = grid
        self.settings = settings
        self.bottom = bottom
        self.section, self.velocity = -1, 1.0

    def build(self, draft: Draft) -> Built:
        if self.grid.section_at(draft.time) != self.section:
            self.section, self.velocity = self.grid.section_at(draft.time), 1.0
        built = _BUILDERS[draft.kind](self, draft)
        if built.velocity is not None:
            self.velocity = built.velocity
        return built

    def scroll(self, draft: Draft) -> float | None:
        """Scroll speed of a taiko object."""
        if self.settings.gamemode != TAIKO or draft.velocity is None:
            return None
        return min(max(draft.velocity, MIN_SCROLL), MAX_VELOCITY)


def _sample(sound: Sound, volume: int = 0) -> HitSample:
    return HitSample(sound.normal_set, sound.addition_set, 0, volume, "")


def _place(draft: Draft) -> dict:
    sound = draft.sound
    return {
        "x": round(draft.x), "y": round(draft.y), "time": draft.time, "new_combo": draft.new_combo,
        "hitsound": sound.bits, "sample": _sample(sound),
    }


def _circle(builder: Builder, draft: Draft) -> Built:
    if builder.settings.gamemode != MANIA:
        draft = with_head_inside(draft, builder.bottom)
    circle = Circle(**_place(draft))
    return Built(circle, draft.time, builder.scroll(draft), [Voice(draft.time, draft.sound.volume, circle)])


def _hold(builder: Builder, draft: Draft) -> Built:
    hold = Hold(**_place(draft) | {"y": COLUMN_Y}, end=max(round(draft.end), draft.time + MIN_HOLD_MS))
    return Built(hold, hold.end, None, [Voice(draft.time, draft.sound.volume, hold)])


def _spinner(builder: Builder, draft: Draft) -> Built:
    place = _place(draft) | {"x": int(CENTRE[0]), "y": int(CENTRE[1]), "new_combo": True}
    spinner = Spinner(**place, end=max(round(draft.end), draft.time + round(MIN_LONG_MS)))
    return Built(spinner, spinner.end, builder.scroll(draft), [Voice(spinner.end, draft.sound.volume, spinner)])


def _drumroll(builder: Builder, draft: Draft) -> Built:
    velocity = draft.velocity if draft.velocity is not None else builder.velocity
    velocity = min(max(velocity, MIN_VELOCITY), MAX_VELOCITY)
    beat = builder.grid.beat_at(draft.time)
    length = round(length_px(velocity, draft.span_ms, beat, builder.settings.slider_multiplier), 6)
    head, *points = drumroll_points(length)
    sound = draft.sound
    sets = (sound.normal_set, sound.addition_set)
    place = _place(draft) | {"x": head[0], "y": head[1], "new_combo": False}
    roll = Slider(
        **place, curve="L", points=points, slides=1, length=length,
        edge_sounds=[sound.bits] * 2, edge_sets=[sets] * 2,
    )
    return Built(roll, draft.end, velocity, [Voice(draft.time, sound.volume)])


def _slider(builder: Builder, draft: Draft) -> Built:
    draft = with_head_inside(draft, builder.bottom)
    shape = shape_slider(
        draft, builder.grid.beat_at(draft.time), builder.settings.slider_multiplier, builder.velocity, builder.bottom
    )
    edges = _edges(draft)
    body = draft.body or Sound(0, edges[0].normal_set, edges[0].addition_set)
    place = _place(draft) | {"x": shape.head[0], "y": shape.head[1], "hitsound": body.bits, "sample": _sample(body)}
    slider = Slider(
        **place, curve=shape.curve, points=list(shape.points), slides=draft.slides, length=shape.length,
        edge_sounds=[edge.bits for edge in edges], edge_sets=[(e.normal_set, e.addition_set) for e in edges],
    )
    voices = [Voice(draft.time + i * draft.span_ms, edge.volume) for i, edge in enumerate(edges)]
    voices += _body_voices(draft, body, edges[0])
    return Built(slider, draft.end, shape.velocity, voices)


def _body_voices(draft: Draft, body: Sound, head: Sound) -> list[Voice]:
    """A body that is clearly louder or softer than its head gets its volume back after every edge."""
    if body.volume is None or head.volume is None or abs(body.volume - head.volume) < BODY_STEP:
        return []
    if draft.span_ms <= 2 * BODY_DELAY_MS:
        return []
    return [Voice(draft.time + i * draft.span_ms + BODY_DELAY_MS, body.volume) for i in range(draft.slides)]


def _edges(draft: Draft) -> list[Sound]:
    """Exactly slides + 1 sounds: missing ones are plain hits of the head's sets, surplus ones go before the tail."""
    sounds = draft.sounds or [Sound()]
    head, inner, tail = sounds[0], sounds[1:-1], sounds[-1]
    plain = Sound(0, head.normal_set, head.addition_set, head.volume)
    if len(sounds) == 1:
        tail = plain
    inner = (inner + [plain] * draft.slides)[: draft.slides - 1]
    return [head, *inner, tail]


_BUILDERS: dict[Kind, Callable[[Builder, Draft], Built]] = {
    Kind.CIRCLE: _circle,
    Kind.SLIDER: _slider,
    Kind.SPINNER: _spinner,
    Kind.HOLD: _hold,
    Kind.DRUMROLL: _drumroll,
    Kind.DENDEN: _spinner,
}
