"""Slider geometry: exact curves, human velocities, right durations, bodies inside the playfield."""

import math
import random

import pytest

from osuT5.beatmap import SliderPath
from osuT5.events import EventType
from osuT5.inference.postprocess.drafts import Anchor, Draft, Kind, Moment
from osuT5.inference.postprocess.sliders import (
    control_points,
    drumroll_points,
    human_velocity,
    length_px,
    progress_of,
    shape_slider,
)

RED, BEZIER, PERFECT, CATMULL, LAST = (
    EventType.RED_ANCHOR, EventType.BEZIER_ANCHOR, EventType.PERFECT_ANCHOR, EventType.CATMULL_ANCHOR,
    EventType.LAST_ANCHOR,
)


def draft(head, anchors, *, duration=500.0, slides=1, velocity=1.0):
    made = Draft(Kind.SLIDER, Moment(1000), *head, velocity=velocity)
    made.anchors = [Anchor(x, y, kind) for x, y, kind in anchors]
    made.time, made.end, made.slides = 1000, 1000 + duration * slides, slides
    return made


def body(shape):
    return SliderPath(shape.curve, [shape.head, *shape.points], shape.length).points


def test_velocities_equal_the_recorded_ones(cases):
    for row in cases.golden("numeric_helpers.json")["human_sv_and_length"]:
        args = row["span_ms"], row["beat_length"], row["slider_multiplier"]
        velocity = human_velocity(row["required_length"], *args, row["last_sv"], row["new_combo"])
        reduced = length_px(velocity, *args) > 1.5 * row["path_length"]
        if not reduced:  # too long for its path: ours grows the path first
            assert velocity == pytest.approx(row["sv"], rel=1e-9)
            assert length_px(velocity, *args) == pytest.approx(row["length"], rel=1e-9)


def test_drumrolls_run_as_recorded(cases):
    for row in cases.golden("numeric_helpers.json")["drumroll_control_points"]:
        assert [list(p) for p in drumroll_points(row["length"])] == row["points"]


@pytest.mark.parametrize(
    ("anchors", "curve", "points"),
    [
        ([(50, 0, LAST)], "L", [(0, 0), (50, 0)]),
        ([(50, 0, RED), (50, 50, LAST)], "L", [(0, 0), (50, 0), (50, 50)]),
        ([(50, 20, PERFECT), (90, 0, LAST)], "P", [(0, 0), (50, 20), (90, 0)]),
        ([(50, 0, PERFECT), (90, 0, LAST)], "L", [(0, 0), (50, 0), (90, 0)]),
        ([(50, 20, BEZIER), (90, 0, LAST)], "B", [(0, 0), (50, 20), (90, 0)]),
        ([(50, 20, CATMULL), (90, 0, LAST)], "C", [(0, 0), (50, 20), (90, 0)]),
        ([(20, 30, BEZIER), (50, 0, RED), (90, 9, LAST)], "B", [(0, 0), (20, 30), (50, 0), (50, 0), (90, 9)]),
    ],
)
def test_the_curve_is_the_simplest_exact_one(anchors, curve, points):
    assert control_points((0, 0), [Anchor(*a) for a in anchors]) == (curve, points)


def test_the_point_on_the_path_is_found_whatever_its_length():
    for size in (20, 100, 2000):
        path = SliderPath("L", [(0, 0), (size, 0)])
        assert progress_of(path, (0.25 * size, 3)) == pytest.approx(0.25)
        assert progress_of(path, (2 * size, 0)) == 1


@pytest.mark.parametrize("seed", range(150))
def test_random_sliders_last_as_long_as_they_should_and_stay_inside(seed, cases):
    rng = random.Random(seed)
    kinds = rng.choice([[RED], [BEZIER], [PERFECT], [CATMULL], [RED, BEZIER, CATMULL, PERFECT]])
    head = rng.uniform(0, 512), rng.uniform(0, 384)
    count = rng.randrange(0, 2 if kinds == [PERFECT] else 7)
    x, y = head
    anchors = []
    for i in range(count + 1):
        x, y = x + rng.gauss(0, 90), y + rng.gauss(0, 90)
        anchors.append((x, y, LAST if i == count else rng.choice(kinds)))
    duration, beat, multiplier = rng.uniform(20, 4000), rng.uniform(200, 1000), rng.uniform(0.4, 3.6)
    made = draft(head, anchors, duration=duration, slides=rng.randrange(1, 4), velocity=rng.uniform(0.05, 11))
    shape = shape_slider(made, beat, multiplier, 1.0)
    assert 0.1 <= shape.velocity <= 10
    assert shape.length * beat / (100 * multiplier * shape.velocity) == pytest.approx(duration, abs=0.01)
    assert SliderPath(shape.curve, [shape.head, *shape.points]).length >= shape.length
    assert 0 <= shape.head[0] <= 512 and 0 <= shape.head[1] <= 384
    for px, py in body(shape):
        assert -1.5 <= px <= 513.5 and -1.5 <= py <= 385.5


def test_a_short_path_grows_and_keeps_the_velocity():
    shape = shape_slider(draft((100, 100), [(160, 100, LAST)]), 500, 1.4, 1.0)
    assert (shape.velocity, shape.length, shape.points) == (1.0, 140.0, [(240, 100)])


def test_a_path_that_cannot_grow_gets_a_lower_velocity():
    shape = shape_slider(draft((100, 100), [(110, 100, LAST)], velocity=5.0), 500, 1.4, 1.0)
    assert shape.velocity < 5 and shape.length <= 3 * 10 + 1e-6


def test_a_slider_without_extent_points_to_the_centre():
    shape = shape_slider(draft((10, 10), [(10, 10, LAST)]), 500, 1.4, 1.0)
    assert shape.length > 0 and shape.points[0][0] > 10 and shape.points[0][1] > 10


def test_a_slider_over_the_border_is_turned_back():
    shape = shape_slider(draft((500, 200), [(640, 200, LAST)]), 500, 1.4, 1.0)
    assert shape.length == 140 and shape.velocity == 1.0
    assert max(x for x, _ in body(shape)) <= 512.5


def test_a_tiny_used_part_of_a_long_path_becomes_a_small_whole_shape():
    shape = shape_slider(draft((100, 100), [(300, 100, RED), (300, 300, LAST)], velocity=0.5), 500, 1.4, 1.0)
    assert math.dist(shape.head, shape.points[-1]) > 0.6 * shape.length
