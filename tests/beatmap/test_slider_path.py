"""What slider paths promise: the game's flattening, true arc length, cuts and extensions, and curve conversions."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osuT5.beatmap import Slider, SliderPath
from osuT5.beatmap.curves import b_spline_pieces, join_as_bezier
from osuT5.beatmap.slider_path import flatten

GOLDEN = Path(__file__).parents[1] / "golden" / "postprocess" / "slider_path.json"
CASES = json.loads(GOLDEN.read_text(encoding="utf-8"))
LETTERS = {"Bezier": "B", "Linear": "L", "PerfectCurve": "P", "Catmull": "C"}


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["name"])
def test_golden_paths(case):
    """Lengths, point counts, points and positions. (The recorded list keeps useless points behind a cut; ours ends.)"""
    path = SliderPath(LETTERS[case["kind"]], case["control_points"], case["expected_distance"])
    assert path.length == pytest.approx(case["distance"], abs=1e-6)
    assert len(path.points) == len(path.cumulative) == case["n_cumulative"]
    for progress, position in case["at"]:
        assert path.position_at(progress) == pytest.approx(position, abs=1e-6)
    for index, position, length in case["path_sample"]:
        if length is not None:
            assert path.points[index] == pytest.approx(position, abs=1e-6)
            assert path.cumulative[index] == pytest.approx(length, abs=1e-6)
    assert path.end == pytest.approx(case["end"], abs=1e-6)


coordinates = st.integers(-300, 800)
control_points = st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=9)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from("BCLP"), control_points, st.none() | st.floats(0.1, 3000))
def test_every_path_begins_at_its_head_and_measures_its_own_length(curve, points, expected):
    path = SliderPath(curve, points, expected)
    assert path.points[0] == pytest.approx(points[0], abs=1e-6)
    total = sum(math.dist(a, b) for a, b in zip(path.points, path.points[1:], strict=False))
    assert path.length == pytest.approx(total, abs=1e-6)
    assert path.cumulative == sorted(path.cumulative)
    if expected is not None and len(path.points) > 1:
        assert path.length == expected
    assert path.position_at(0) == pytest.approx(points[0], abs=1e-6)
    assert path.position_at(1) == pytest.approx(path.end, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from("BCLP"), control_points)
def test_natural_paths_end_at_the_last_point(curve, points):
    assert SliderPath(curve, points).end == pytest.approx(points[-1], abs=1e-6)


def test_positions_are_by_arc_length():
    path = SliderPath("L", [(0, 0), (100, 0), (100, 300)])
    assert path.position_at_length(50) == (50, 0)
    assert path.position_at(0.5) == (100, 100)
    assert path.position_at_length(-5) == (0, 0) and path.position_at_length(999) == (100, 300)


def test_a_slider_of_length_0_has_its_natural_length():
    slider = Slider(0, 0, 0, curve="L", points=[(100, 0)], length=0)
    assert SliderPath.of(slider).length == 100


def test_hostile_curves_end_soon():
    ring = [(256 + 200 * math.cos(i), 192 + 190 * math.sin(i)) for i in range(9000)]
    assert len(SliderPath("B", ring).points) == 9000
    assert len(SliderPath("B", [(-131072, 131072), (131072, -131072)] * 5).points) < 100_000
    with pytest.raises(ValueError, match="head"):
        flatten("B", [])


def distance_to(path: SliderPath, point) -> float:
    return min(math.dist(point, path.position_at_length(i * path.length / 400)) for i in range(401))


@pytest.mark.parametrize(
    "letter, points",
    [("P", [(100, 100), (200, 0)]), ("C", [(80, 90), (160, 20), (220, 100)]), ("L", [(50, 90), (9, 9)])],
)
def test_joined_curves_keep_their_shape(letter, points):
    """One Bézier made of another curve follows it within its flattening."""
    head = (0, 0)
    original = SliderPath(letter, [head, *points])
    joined = SliderPath("B", [head, *join_as_bezier(head, [(letter, points)])])
    assert joined.length == pytest.approx(original.length, rel=1e-3)
    for i in range(21):
        assert distance_to(joined, original.position_at(i / 20)) < 0.6


def test_joined_segments_meet_at_doubled_points():
    points = join_as_bezier((0, 0), [("L", [(100, 0)]), ("B", [(150, 50), (200, 0)])])
    assert points == [(100, 0), (100, 0), (150, 50), (200, 0)]


def cox_de_boor(points, degree, u):
    """The definition of a clamped uniform B-spline, as a second opinion."""
    spans = len(points) - degree
    knots = [0.0] * (degree + 1) + [float(i) for i in range(1, spans)] + [float(spans)] * (degree + 1)

    def basis(i, k):
        if k == 0:
            return 1.0 if knots[i] <= u < knots[i + 1] else 0.0
        left = knots[i + k] - knots[i]
        right = knots[i + k + 1] - knots[i + 1]
        value = (u - knots[i]) / left * basis(i, k - 1) if left else 0.0
        return value + ((knots[i + k + 1] - u) / right * basis(i + 1, k - 1) if right else 0.0)

    weights = [basis(i, degree) for i in range(len(points))]
    return tuple(sum(w * p[axis] for w, p in zip(weights, points, strict=True)) for axis in (0, 1))


@pytest.mark.parametrize("degree, count", [(2, 5), (3, 6), (3, 9), (4, 7), (1, 4)])
def test_b_splines_become_bezier_pieces(degree, count):
    points = [(37.0 * i % 200, 91.0 * i % 130) for i in range(count)]
    pieces = b_spline_pieces(points, degree)
    assert len(pieces) == count - degree and all(len(p) == degree + 1 for p in pieces)
    for number, piece in enumerate(pieces):
        for t in (0.0, 0.25, 0.6, 0.999):
            weights = [math.comb(degree, i) * t**i * (1 - t) ** (degree - i) for i in range(degree + 1)]
            ours = tuple(sum(w * p[axis] for w, p in zip(weights, piece, strict=True)) for axis in (0, 1))
            assert ours == pytest.approx(cox_de_boor(points, degree, number + t), abs=1e-9)
