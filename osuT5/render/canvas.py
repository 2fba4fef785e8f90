"""Surfaces to draw on, in pixels of the finished picture: `Raster` makes a PNG, `Vector` an SVG.

Both know the same six shapes, so that whoever draws a map does not know what it is drawn on. A raster is drawn at
twice its size and scaled down, which smooths every edge.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from html import escape
from typing import Protocol

from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
Point = tuple[float, float]

OVERSAMPLING = 2
MAX_PNG_BYTES = 200_000
PALETTE_SIZES = (192, 96, 48, 24)


class Canvas(Protocol):
    """What can be drawn. `align` is a Pillow anchor: l/m/r for the column, m for the middle of the line."""

    width: int
    height: int

    def rect(self, x: float, y: float, w: float, h: float, fill: Colour, radius: float = 0) -> None: ...

    def disc(self, at: Point, radius: float, fill: Colour | None, edge: Colour | None = None, width: float = 1) -> None:
        """A filled circle, a ring, or both; the ring lies inside the radius."""

    def path(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """A line with round joints and ends."""

    def polygon(self, points: Sequence[Point], fill: Colour) -> None: ...

    def text(self, at: Point, text: str, size: float, colour: Colour, align: str = "lm") -> None: ...

    def clipped(self, x: float, y: float, w: float, h: float):
        """A context within which nothing outside the rectangle is drawn."""

    def encode(self) -> bytes:
        """The finished file."""


class Raster:
    """A PNG."""

    def __init__(self, width: int, height: int, background: Colour):
        self.width, self.height = width, height
        self.image = Image.new("RGB", (width * OVERSAMPLING, height * OVERSAMPLING), background)
        self.draw = ImageDraw.Draw(self.image)

    def rect(self, x: float, y: float, w: float, h: float, fill: Colour, radius: float = 0) -> None:
        if w <= 0 or h <= 0:
            return
        (left, top), (right, bottom) = _scaled((x, y)), _scaled((x + w, y + h))
        # Pillow's boxes include their last pixel
        box = (left, top, max(right - 1, left), max(bottom - 1, top))
        self.draw.rounded_rectangle(box, radius * OVERSAMPLING, fill)

    def disc(self, at: Point, radius: float, fill: Colour | None, edge: Colour | None = None, width: float = 1) -> None:
        (x, y), r = _scaled(at), radius * OVERSAMPLING
        self.draw.ellipse((x - r, y - r, x + r, y + r), fill, edge, max(round(width * OVERSAMPLING), 1) if edge else 0)

    def path(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        scaled = [_scaled(p) for p in points]
        wide = max(round(width * OVERSAMPLING), 1)
        self.draw.line(scaled, colour, wide)
        if wide > 3:
            for x, y in scaled:
                r = wide / 2
                self.draw.ellipse((x - r, y - r, x + r, y + r), colour)

    def polygon(self, points: Sequence[Point], fill: Colour) -> None:
        self.draw.polygon([_scaled(p) for p in points], fill)

    def text(self, at: Point, text: str, size: float, colour: Colour, align: str = "lm") -> None:
        self.draw.text(_scaled(at), text, colour, _font(round(size * OVERSAMPLING)), align)

    @contextmanager
    def clipped(self, x: float, y: float, w: float, h: float) -> Iterator[None]:
        outer = self.image
        (left, top), (right, bottom) = _scaled((x, y)), _scaled((x + w, y + h))
        box = (math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom))
        self.image = outer.copy()
        self.draw = ImageDraw.Draw(self.image)
        try:
            yield
        finally:
            outer.paste(self.image.crop(box), box[:2])
            self.image, self.draw = outer, ImageDraw.Draw(outer)

    def encode(self) -> bytes:
        """A PNG of at most 200 kB where fewer colours, or then fewer pixels, can make it so."""
        whole = self.image.reduce(OVERSAMPLING)
        shrink = 1.0
        while True:
            size = (max(round(whole.width * shrink), 1), max(round(whole.height * shrink), 1))
            picture = whole if shrink == 1.0 else whole.resize(size, Image.Resampling.LANCZOS)
            for colours in PALETTE_SIZES:
                out = io.BytesIO()
                flat = picture.quantize(colours, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
                flat.save(out, "PNG", optimize=True)
                if out.tell() <= MAX_PNG_BYTES or min(size) <= 64:
                    return out.getvalue()
            shrink *= 0.8


class Vector:
    """An SVG."""

    def __init__(self, width: int, height: int, background: Colour):
        self.width, self.height = width, height
        self.parts: list[str] = []
        self.clips = 0
        self.rect(0, 0, width, height, background)

    def rect(self, x: float, y: float, w: float, h: float, fill: Colour, radius: float = 0) -> None:
        if w > 0 and h > 0:
            rounded = f' rx="{radius:g}"' if radius else ""
            self.parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}"{rounded} fill="{_hex(fill)}"/>'
            )

    def disc(self, at: Point, radius: float, fill: Colour | None, edge: Colour | None = None, width: float = 1) -> None:
        ring = f' stroke="{_hex(edge)}" stroke-width="{width:.1f}"' if edge else ""
        inner = max(radius - width / 2 if edge else radius, 0.0)
        paint = _hex(fill) if fill else "none"
        self.parts.append(f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="{inner:.1f}" fill="{paint}"{ring}/>')

    def path(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        if len(points) == 1:  # a line without extent is not drawn by every viewer
            self.disc(points[0], width / 2, colour)
            return
        self.parts.append(
            f'<polyline points="{_joined(points)}" fill="none" stroke="{_hex(colour)}" stroke-width="{width:.1f}" '
            'stroke-linecap="round" stroke-linejoin="round"/>'
        )

    def polygon(self, points: Sequence[Point], fill: Colour) -> None:
        self.parts.append(f'<polygon points="{_joined(points)}" fill="{_hex(fill)}"/>')

    def text(self, at: Point, text: str, size: float, colour: Colour, align: str = "lm") -> None:
        anchor = {"l": "start", "m": "middle", "r": "end"}[align[0]]
        # 0.35 em below the middle: where viewers that do not know dominant-baseline put the line too
        self.parts.append(
            f'<text x="{at[0]:.1f}" y="{at[1] + 0.35 * size:.1f}" font-size="{size:.1f}" fill="{_hex(colour)}" '
            f'text-anchor="{anchor}">{escape(_printable(text))}</text>'
        )

    @contextmanager
    def clipped(self, x: float, y: float, w: float, h: float) -> Iterator[None]:
        self.clips += 1
        box = f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}"/>'
        self.parts.append(f'<clipPath id="c{self.clips}">{box}</clipPath><g clip-path="url(#c{self.clips})">')
        try:
            yield
        finally:
            self.parts.append("</g>")

    def encode(self) -> bytes:
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{self.height}" '
            f'viewBox="0 0 {self.width} {self.height}" font-family="Inter, Helvetica, Arial, sans-serif">'
        )
        return "\n".join([head, *self.parts, "</svg>\n"]).encode("utf-8")


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """`share` of b in a, 0..1."""
    return tuple(round(p + (q - p) * share) for p, q in zip(a, b, strict=True))  # type: ignore[return-value]


def _scaled(point: Point) -> Point:
    return point[0] * OVERSAMPLING, point[1] * OVERSAMPLING


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(max(size, 4))


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _joined(points: Sequence[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _printable(text: str) -> str:
    """Without the control characters that XML does not allow."""
    return "".join(c for c in text if c.isprintable())
