"""Flattened slider paths, each curve flattened once however often its map is looked at or its length changes."""

from __future__ import annotations

from osuT5.beatmap.slider_path import SliderPath
from osuT5.beatmap.types import Slider


class Paths:
    """A cache by shape; one belongs to a check, or to a repair with all its rounds."""

    def __init__(self) -> None:
        self._natural: dict[tuple, SliderPath] = {}

    def natural(self, o: Slider) -> SliderPath:
        """The whole curve, neither cut nor extended. Not to be changed."""
        shape = (o.curve, o.x, o.y, *o.points)
        path = self._natural.get(shape)
        if path is None:
            path = self._natural[shape] = SliderPath(o.curve, [(o.x, o.y), *o.points])
        return path

    def of(self, o: Slider) -> SliderPath:
        """The curve cut or extended to the slider's length."""
        natural = self.natural(o)
        if not o.length > 0 or o.length == natural.length:
            return natural
        return SliderPath("L", natural.points, o.length)
