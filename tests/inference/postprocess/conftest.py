"""Golden vectors and made-up event streams as the arguments of `place` and `build`, and what every map must satisfy."""

from __future__ import annotations

import gzip
import itertools
import json
import random
from pathlib import Path
from types import SimpleNamespace

import fosu
import pytest
import rosu_pp_py
import slider

from osuT5.beatmap import Beatmap, Slider, SliderPath, TimingPoint, read, write
from osuT5.events import Event, EventSequence, EventType, load_profile
from osuT5.inference.postprocess import Assembly, MapSettings, build, place

GOLDEN = Path(__file__).parents[2] / "golden" / "postprocess"


def golden(name: str):
    data = (GOLDEN / name).read_bytes()
    return json.loads(gzip.decompress(data) if name.endswith(".gz") else data)


def sequence(events) -> EventSequence:
    """Events from [name, value] pairs; post-processing reads the times from the events themselves."""
    typed = [Event(EventType(name), value) for name, value in events]
    return EventSequence(typed, [0.0] * len(typed))


def timing(rows) -> list[TimingPoint]:
    return [
        TimingPoint(
            row["time_ms"], row["beat_length"], row.get("meter", 4), row.get("sample_set", 2),
            row.get("sample_index", -1), row.get("volume", 100), row.get("red", True), int(row.get("kiai", False)),
        )
        for row in rows or []
    ]


def lines(text: list[str]) -> list[TimingPoint]:
    """Timing points of golden lines."""
    return [
        TimingPoint(float(f[0]), float(f[1]), int(f[2]), int(f[3]), int(f[4]), int(f[5]), f[6] == "1", int(f[7]))
        for f in (line.split(",") for line in text)
    ]


def profile(options):
    return load_profile("v32").replace(
        types_first=options["types_first"], add_positions=options["add_positions"], add_sv=options["add_sv"],
        mania_bpm_normalized_scroll_speed=options["mania_bpm_normalized_scroll_speed"],
    )


def settings(case, **changes) -> MapSettings:
    config, options = case["beatmap_config"], case["options"]
    values = dict(
        gamemode=config["mode"], keycount=int(config.get("circle_size", 4)), hp=config.get("hp_drain_rate", 5),
        cs=config.get("circle_size", 4), od=config.get("overall_difficulty", 8), ar=config.get("approach_rate", 9),
        slider_multiplier=config["slider_multiplier"], bpm=options["bpm"], offset=options["offset"], resnap=False,
    )
    return MapSettings(**values | changes)


def made(events: EventSequence, timing, profile, settings: MapSettings) -> Assembly:
    """The map of a sequence: placed and built."""
    return build(place(events, timing, profile, settings), profile, settings)


def simple(events, *, reds=((1000, 500.0),), version="v32", **changes) -> Assembly:
    """A map from [name, value] pairs and (time, beat length) pairs."""
    return made(
        sequence(events), [TimingPoint(time, beat) for time, beat in reds], load_profile(version),
        MapSettings(**changes),
    )


def random_events(seed: int, types_first: bool, size: int) -> EventSequence:
    """A stream no model would write: any type at any place, missing ends, times that stand still or run back."""
    rng = random.Random(seed)
    kinds = [
        k for k in EventType
        if k.value in {
            "circle", "spinner", "spinner_end", "slider_head", "bezier_anchor", "perfect_anchor", "catmull_anchor",
            "red_anchor", "last_anchor", "slider_end", "kiai", "hold_note", "hold_note_end", "drumroll",
            "drumroll_end", "denden", "denden_end", "scroll_speed_change", "beat", "measure",
        }
    ]
    events, time = [], rng.randrange(3000)
    for _ in range(size):
        time += rng.choice([0, 10, 50, 330, 1000, -40, 6000] if rng.random() < 0.3 else [0, 80, 160, 250])
        group = []
        if rng.random() < 0.9:
            group.append(("t", time))
        if rng.random() < 0.8:
            group.append(("snap", rng.randrange(17)))
        if rng.random() < 0.85:
            group += [("pos_x", rng.randrange(-256, 768)), ("pos_y", rng.randrange(-256, 640))]
        if rng.random() < 0.3:
            group.append(("column", rng.randrange(18)))
        if rng.random() < 0.2:
            group.append(("new_combo", 0))
        if rng.random() < 0.5:
            group.append(("scroll_speed", rng.choice([1, 5, 30, 100, 100, 150, 999])))
        for _ in range(rng.choice([0, 1, 1, 2, 4])):
            group.append(("hitsound", rng.randrange(73)))
            if rng.random() < 0.9:
                group.append(("volume", rng.randrange(101)))
        kind = (rng.choice(kinds).value, rng.randrange(2))
        events += [kind, *group] if types_first else [*group, kind]
    return sequence(events)


def assert_playable(beatmap: Beatmap, tmp_path: Path) -> None:
    """Reads back equal, sorted, without overlaps, inside the playfield, paths long enough, lines not redundant."""
    text = write(beatmap)
    again = read(text)
    assert again == beatmap and not again.diagnostics
    mania, view = beatmap.mode == 3, beatmap.timing
    ends: dict[int, float] = {}
    previous = None
    for item in beatmap.hit_objects:
        assert previous is None or previous.time <= item.time
        previous = item
        assert 0 <= item.x <= 512 and 0 <= item.y <= 384
        lane = item.x if mania else 0
        assert item.time > ends.get(lane, -1.0), f"{item} begins before the object before it ends"
        ends[lane] = beatmap.end_time(item, view)
        assert ends[lane] >= item.time >= 0
        if isinstance(item, Slider):
            assert_whole(item)
    order = [(p.time, not p.uninherited) for p in beatmap.timing_points]
    assert order == sorted(set(order))
    assert beatmap.timing_points[0].uninherited and not beatmap.timing_points[0].kiai
    for before, line in itertools.pairwise(beatmap.timing_points):
        if not line.uninherited:
            velocity = -100.0 if before.uninherited else before.beat_length
            assert (line.beat_length, line.volume, line.kiai) != (velocity, before.volume, before.kiai)
    assert all(5 <= p.volume <= 100 for p in beatmap.timing_points)
    if beatmap.hit_objects:
        assert_loads_elsewhere(text, mania, tmp_path)


def assert_whole(item: Slider) -> None:
    assert SliderPath(item.curve, [(item.x, item.y), *item.points]).length >= item.length - 1e-6 > 0
    for x, y in SliderPath.of(item).points:
        assert -1.5 <= x <= 513.5 and -1.5 <= y <= 385.5
    assert len(item.edge_sounds) == len(item.edge_sets) == item.slides + 1


def assert_loads_elsewhere(text: str, mania: bool, tmp_path: Path) -> None:
    path = tmp_path / "map.osu"
    path.write_text(text, encoding="utf-8")
    assert rosu_pp_py.Difficulty().calculate(rosu_pp_py.Beatmap(content=text)).stars >= 0
    assert fosu.parse_file(str(path)) is not None
    if not mania:  # that library rejects every hold note in its real form
        slider.Beatmap.from_path(path)


@pytest.fixture(scope="session")
def cases() -> SimpleNamespace:
    """The functions of this file."""
    return SimpleNamespace(
        golden=golden, sequence=sequence, timing=timing, lines=lines, profile=profile, settings=settings,
        made=made, simple=simple, random_events=random_events, assert_playable=assert_playable,
        assert_whole=assert_whole,
    )
