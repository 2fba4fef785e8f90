"""The grid measure promises: everything on a map made of the truth, nothing between its lines, chance in between."""

import numpy as np
import pytest

from osuT5.beatmap import TimingLines, TimingPoint
from osuT5.evaluation.grid import beats, best_shift, chance_level, distances, share_on_grid

ONE_TEMPO = TimingLines([TimingPoint(120, 500)])
TWO_TEMPI = TimingLines([TimingPoint(120, 500), TimingPoint(10_010, 400)])


@pytest.mark.parametrize("divisor", [1, 2, 3, 4])
@pytest.mark.parametrize("timing", [ONE_TEMPO, TWO_TEMPI])
def test_parts_of_beats_are_on_the_grid_before_and_after_every_red_line(timing, divisor):
    times = beats(timing, -2000, 20_000, divisor)
    assert len(times) > 40
    assert share_on_grid(np.round(times), timing) == 1.0


def test_eighths_are_not_on_the_grid():
    times = beats(ONE_TEMPO, 120, 20_000, 8)[1::2]
    assert share_on_grid(times, ONE_TEMPO) == 0.0


def test_distance_is_signed_and_late_is_positive():
    assert distances(np.array([120, 123, 612, 287]), ONE_TEMPO) == pytest.approx([0, 3, -8, 287 - 120 - 500 / 3])


def test_the_tolerance_is_ten_ms():
    times = beats(ONE_TEMPO, 0, 20_000, 1)
    assert share_on_grid(times + 10, ONE_TEMPO) == 1.0
    assert share_on_grid(times + 11, ONE_TEMPO) == 0.0


def test_a_new_section_may_be_hit_a_little_early():
    assert abs(distances(np.array([10_005.0]), TWO_TEMPI)[0]) == pytest.approx(5)


def test_chance_is_the_share_of_time_within_reach_of_a_line():
    # 500 ms a beat: lines at 0, 125, 167, 250, 333, 375, each +-10 ms wide and apart
    assert chance_level(ONE_TEMPO, 0, 60_000) == pytest.approx(6 * 20 / 500, abs=0.002)
    # 100 ms a beat: the reaches of the lines overlap, only 10..15 and 85..90 ms are left free
    fast = TimingLines([TimingPoint(0, 100)])
    assert chance_level(fast, 0, 60_000) == pytest.approx(0.9, abs=0.002)
    random = np.random.default_rng(0).uniform(0, 60_000, 40_000)
    for timing in (ONE_TEMPO, fast):
        assert share_on_grid(random, timing) == pytest.approx(chance_level(timing, 0, 60_000), abs=0.01)


def test_a_constant_error_is_told_from_a_wrong_grid():
    times = beats(ONE_TEMPO, 0, 20_000, 2)
    shift, share = best_shift(times + 30, ONE_TEMPO)
    assert share == 1.0
    assert -40 <= shift <= -20
    wrong = beats(TimingLines([TimingPoint(0, 487)]), 0, 20_000, 2)
    assert best_shift(wrong, ONE_TEMPO)[1] < 0.6
    assert best_shift(times, ONE_TEMPO) == (0, 1.0)


def test_no_beat_is_counted_twice_where_sections_meet():
    times = beats(TWO_TEMPI, 0, 20_000)
    assert np.all(np.diff(times) > 300)
    assert 10_010 in times
