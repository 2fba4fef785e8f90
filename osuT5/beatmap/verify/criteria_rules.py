"""Class C: ranking criteria that need no more than the map. Reported, never mended. Facts: Mapset Verifier's checks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from osuT5.beatmap.numbers import parse_float
from osuT5.beatmap.types import CLAP, FINISH, WHISTLE, GameMode, Slider, Spinner
from osuT5.beatmap.verify.facts import Facts
from osuT5.beatmap.verify.findings import INFO, WARNING, Fault
from osuT5.beatmap.verify.limits import MIN_LINE_VOLUME

MIN_DRAIN_MS = 30000.0
SPECIAL_TICK_RATES, TICK_RATE_TOLERANCE = (0.5, 1.333, 1.5), 0.001
ERROR_DARK, WARNING_DARK, GLARING = 30.0, 43.0, 250.0
LINE_NEAR_MS, LINE_SPEED_CHANGE = 5.0, 1.0
QUIET_WARNING, QUIET_INFO = 10, 20
KIAI_UNSNAP_MS, KIAI_UNSNAP_TAIKO_MS = 10.0, 5.0
# (ms, objects, ms + 200 * objects) that all have to be exceeded
SILENCE_ERROR, SILENCE_WARNING = (36000, 8, 30000), (12000, 2, 10000)
ADDITIONS = WHISTLE | FINISH | CLAP
_ONE_DECIMAL_KEYS = ("HPDrainRate", "CircleSize", "OverallDifficulty", "ApproachRate")


def drain_time(facts: Facts) -> Iterator[Fault]:
    """C001: 30 s of play."""
    if facts.objects and facts.drain_ms < MIN_DRAIN_MS:
        yield Fault(f"The map lasts {facts.drain_ms / 1000:.1f} s without breaks; 30 s are needed to be ranked",
                    value=facts.drain_ms, limit=MIN_DRAIN_MS)  # fmt: skip


def preview(facts: Facts) -> Iterator[Fault]:
    """C002: a preview point."""
    if facts.beatmap.preview_time < 0:
        yield Fault("No preview time is set; choose where the song's preview begins", value=facts.beatmap.preview_time)


def romanised(facts: Facts) -> Iterator[Fault]:
    """C007: Title, Artist and Creator in plain characters (a difficulty's name: warning)."""
    for key in ("Title", "Artist", "Creator", "Version"):
        value = facts.beatmap.metadata.get(key)
        if not value.isascii():
            yield Fault(f"{key} is {value!r}; write it in plain Latin letters (the Unicode fields keep the original)",
                        value=value, severity=WARNING if key == "Version" else None)  # fmt: skip


def decimals(facts: Facts) -> Iterator[Fault]:
    """C010: difficulty settings with one decimal at most."""
    for key in _ONE_DECIMAL_KEYS:
        text = facts.beatmap.difficulty.get(key)
        try:
            value = parse_float(text)
        except ValueError:
            continue
        if abs(value * 10 - round(value * 10)) > 1e-6:
            yield Fault(f"{key} is {text}; one decimal is allowed", value=value, limit=round(value, 1))


def tick_rate(facts: Facts) -> Iterator[Fault]:
    """C012: a whole tick rate, 0.5, 1.333 or 1.5."""
    rate = facts.beatmap.tick_rate
    nearest = min((*SPECIAL_TICK_RATES, float(max(round(rate), 1))), key=lambda allowed: abs(allowed - rate))
    if abs(nearest - rate) > TICK_RATE_TOLERANCE:
        yield Fault(f"The slider tick rate is {rate:g}; use {nearest:g}", value=rate, limit=nearest)


def colours(facts: Facts) -> Iterator[Fault]:
    """C013: combo colours and slider border neither too dark, nor glaring in kiai."""
    kiai = any(point.kiai for point in facts.timing.points)
    custom = False
    for key, text in facts.beatmap.colours.values.items():
        if not key.startswith("Combo") and key != "SliderBorder":
            continue
        custom = custom or key.startswith("Combo")
        try:
            red, green, blue = (parse_float(part) for part in text.split(",")[:3])
        except ValueError:
            continue  # A021 names it
        light = math.sqrt(0.299 * red**2 + 0.587 * green**2 + 0.114 * blue**2)
        if light < WARNING_DARK:
            yield Fault(f"{key} is too dark (luminosity {light:.0f}); lighten it to {WARNING_DARK:g}", value=light,
                        limit=ERROR_DARK, severity=WARNING if light >= ERROR_DARK else None)  # fmt: skip
        elif light > GLARING and kiai:
            yield Fault(f"{key} glares in kiai (luminosity {light:.0f}); darken it", value=light, limit=GLARING,
                        severity=WARNING)  # fmt: skip
    if not custom and not facts.beatmap.general.get("SkinPreference"):
        yield Fault("There are no combo colours and no preferred skin; the player's would be used", severity=WARNING)


def lines_after_heads(facts: Facts) -> Iterator[Fault]:
    """C015: no change of speed just after the object that it is meant for (taiko: nor just before)."""
    if facts.grid is None:
        return
    points = facts.timing.points
    speeds = [60000.0 / facts.timing.beat_length_at(p.time) * p.slider_velocity for p in points]
    taiko = facts.mode == GameMode.TAIKO
    for (before, point), (old, new) in zip(pairwise(points), pairwise(speeds), strict=True):
        if before.time == point.time or abs(new - old) <= LINE_SPEED_CHANGE:
            continue
        for place in facts.between(point.time - LINE_NEAR_MS, point.time + LINE_NEAR_MS):
            o = facts.objects[place]
            late = point.time - o.time
            meant = late > 0 and (taiko or isinstance(o, Slider)) or late < 0 and taiko
            if meant and abs(facts.grid.unsnap(o.time)) <= 1:
                yield Fault(f"The line lies {late:+.0f} ms from the object and changes the speed; move it onto it",
                            o.time, (facts.indices[place],), late, 0)  # fmt: skip


def quiet_sounds(facts: Facts) -> Iterator[Fault]:
    """C022: heads and repeats are to be heard. One finding for each stretch under one line."""
    last = None
    for place, o in enumerate(facts.objects):
        if isinstance(o, Spinner):
            continue
        line = facts.timing.sound_line_at(o.time)
        volume = max(o.sample.volume or (line.volume if line else 100), MIN_LINE_VOLUME)
        quiet = volume <= QUIET_INFO
        if quiet and (line is not last or o.sample.volume):
            yield Fault(f"The object is played at {volume} %; raise the volume", o.time, (facts.indices[place],),
                        volume, QUIET_WARNING, None if volume <= QUIET_WARNING else INFO)  # fmt: skip
        last = line if quiet else None


def kiai_toggles(facts: Facts) -> Iterator[Fault]:
    """C024: kiai begins and ends on ticks; in taiko it does not flash."""
    if facts.grid is None:
        return
    limit = KIAI_UNSNAP_TAIKO_MS if facts.mode == GameMode.TAIKO else KIAI_UNSNAP_MS
    on, toggles = False, []
    for point in facts.timing.points:
        if point.kiai != on:
            on = point.kiai
            toggles.append(point.time)
            off = abs(facts.grid.unsnap(point.time))
            if off >= 1:
                yield Fault(f"Kiai {'begins' if on else 'ends'} {off:.0f} ms off the nearest tick", point.time,
                            value=off, limit=limit, severity=None if on and off >= limit else INFO)  # fmt: skip
    if facts.mode == GameMode.TAIKO:
        for first, second in pairwise(toggles):
            beat = normalised_beat(facts.timing.beat_length_at(first))
            if second - first <= math.ceil(beat / 2):
                yield Fault(f"Kiai flashes: two toggles within {second - first:.0f} ms", first, value=second - first,
                            limit=math.ceil(beat / 3), severity=None if second - first <= math.ceil(beat / 3) else INFO,
                            end=second)  # fmt: skip


def silent_stretches(facts: Facts) -> Iterator[Fault]:
    """C021: additions or changes of sample set do not stay away for long (breaks and spinners do not count)."""
    since, count, begin, last_end, last_set = 0.0, 0, None, None, None

    def fault(until: float) -> Iterator[Fault]:
        for (most_ms, most, weighted), severity in ((SILENCE_ERROR, None), (SILENCE_WARNING, WARNING)):
            if since > most_ms and count > most and since + 200 * count > weighted:
                yield Fault(f"No additions or sample set changes for {since / 1000:.0f} s and {count} objects", begin,
                            value=since, limit=most_ms, severity=severity, end=until)  # fmt: skip
                return

    for o in facts.objects:
        if isinstance(o, Spinner):
            last_end = None
            continue
        if last_end is not None:
            since += 0 if facts.has_break(last_end, o.time) else o.time - last_end
        line = facts.timing.sound_line_at(o.time)
        sample_set = o.sample.normal_set or (line.sample_set if line else 0)
        edges = getattr(o, "edge_sounds", ())
        sounds = (o.hitsound | _any_bits(edges)) & ADDITIONS or sample_set != last_set
        if sounds:
            yield from fault(o.time)
            since, count, begin = 0.0, 0, o.time
        else:
            count += 1
        last_set, last_end = sample_set, o.time
    if facts.objects:
        yield from fault(facts.drain_end)


def _any_bits(sounds: list[int]) -> int:
    bits = 0
    for sound in sounds:
        bits |= sound
    return bits


def normalised_beat(beat: float) -> float:
    """A beat in ms brought to about 130-270 BPM: 120 BPM -> 333.3, 180 BPM stays."""
    while beat <= 60000 / 270:
        beat *= 2
    while beat >= 60000 / 110:
        beat /= 2
    while beat >= 60000 / 130:
        beat /= 1.5
    return beat
