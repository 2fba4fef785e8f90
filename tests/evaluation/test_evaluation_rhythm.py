"""The rhythm score promises: one to one, as many pairs as can be, and the onsets that people hear."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from osuT5.beatmap import Beatmap, Circle, Hold, Slider, Spinner, TimingPoint
from osuT5.evaluation.rhythm import matches, nearest_in_density, onsets, score, without_chords

TIMES = st.lists(st.integers(0, 400), max_size=18).map(lambda ts: np.array(sorted(ts), dtype=float))


@settings(deadline=None)
@given(TIMES, TIMES)
def test_no_other_pairing_finds_more_partners(ours, theirs):
    allowed = np.abs(ours[:, None] - theirs[None, :]) <= 25
    rows, columns = linear_sum_assignment(~allowed)
    assert matches(ours, theirs, 25.0) == (allowed[rows, columns].sum() if allowed.size else 0)


@settings(deadline=None)
@given(TIMES, TIMES)
def test_the_score_does_not_depend_on_who_is_whom(ours, theirs):
    forth, back = score(ours, theirs), score(theirs, ours)
    assert (forth.precision, forth.recall) == (back.recall, back.precision)
    assert forth.f1 == pytest.approx(back.f1)


def test_a_rhythm_scores_fully_against_itself_and_not_at_all_when_shifted():
    rhythm = np.arange(50) * 200.0
    assert score(rhythm, rhythm).f1 == 1.0
    assert score(rhythm + 25, rhythm).f1 == 1.0
    assert score(rhythm + 26, rhythm).f1 == 0.0


def test_one_onset_cannot_serve_two_notes():
    assert matches(np.array([100.0]), np.array([90.0, 110.0])) == 1


def test_twice_the_notes_halve_the_precision():
    rhythm = np.arange(40) * 400.0
    double = np.arange(80) * 200.0
    assert score(double, rhythm).precision == 0.5
    assert score(double, rhythm).recall == 1.0
    assert score(double, rhythm).f1 == pytest.approx(2 / 3)


def test_nothing_scores_nothing():
    assert score(np.zeros(0), np.array([1.0])).f1 == 0.0
    assert score(np.array([1.0]), np.zeros(0)).f1 == 0.0


def test_chords_are_one_onset():
    assert without_chords([500, 100, 105, 112, 113]).tolist() == [100, 113, 500]


def test_slider_repeats_and_ends_count_only_when_asked_for():
    beatmap = Beatmap(timing_points=[TimingPoint(0, 500)])
    beatmap.slider_multiplier = 1.0
    beatmap.hit_objects = [
        Circle(0, 0, 1000),
        Slider(0, 0, 2000, curve="L", points=[(50, 0)], slides=2, length=50),  # half a beat each way
        Hold(0, 0, 4000, end=4500),
        Spinner(256, 192, 5000, end=6000),
    ]
    assert onsets(beatmap).tolist() == [1000, 2000, 4000]
    assert onsets(beatmap, with_ends=True).tolist() == [1000, 2000, 2250, 2500, 4000, 6000]


def test_the_nearest_density_is_nearest_in_ratio():
    assert nearest_in_density(100, [40, 60, 180]) == 1
    assert nearest_in_density(150, [100, 210]) == 1
    assert nearest_in_density(0, [5, 3]) == 1
