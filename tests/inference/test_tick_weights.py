"""Ticks of the beat grid: where they lie in a window and what makes one likelier than another."""

import numpy as np

from osuT5.audio import Song
from osuT5.beatmap import TimingPoint
from osuT5.inference.tick_weights import OnsetLogits, TickWeights, audio_salience


def test_only_ticks_of_the_grid_can_be_chosen():
    weights = TickWeights([TimingPoint(100, 400)], 5.0, None).window(0, 2000, 250)
    steps = np.flatnonzero(np.isfinite(weights))
    ticks = {100 + 400 * k / d for d in (3, 4) for k in range(-8, 40)}
    assert all(min(abs(s * 10 + 5 - t) for t in ticks) <= 6.5 for s in steps)
    for tick in (100, 200, 300, 400, 500, 1900):
        assert np.isfinite(weights[tick // 10])


def test_easy_maps_prefer_beats_more_than_hard_ones():
    easy, hard = (TickWeights([TimingPoint(0, 400)], stars, None).window(0, 1000, 100) for stars in (1.5, 6.0))
    beat, half, quarter = 40, 20, 10
    assert easy[beat] == hard[beat] == 0
    assert easy[half] < hard[half] < 0
    assert easy[quarter] < hard[quarter] < hard[half]


def test_each_red_line_rules_its_own_part():
    weights = TickWeights([TimingPoint(0, 400), TimingPoint(1000, 300)], 3.0, None).window(0, 2000, 250)
    assert np.isfinite(weights[80]) and np.isfinite(weights[130])
    assert np.argmax(weights[126:134]) + 126 in (129, 130)


def test_sound_at_a_tick_makes_it_likelier_on_the_game_clock():
    rate = 16000
    samples = np.zeros(4 * rate, dtype=np.float32)
    for k in range(4):  # a click on every second beat of 400 ms, 23 ms after the map's time
        at = int((0.023 + 0.4 + 0.8 * k) * rate)
        samples[at : at + 200] += np.hanning(200).astype(np.float32)
    loud = audio_salience(Song(samples, rate))
    weights = TickWeights([TimingPoint(0, 400)], 3.0, loud).window(0, 3000, 300)
    assert weights[40] > weights[80] + 1 and weights[120] > weights[160] + 1


def test_ticks_where_the_onset_head_expects_one_come_first():
    logits = np.full(128, -6.0)
    logits[[25, 75]] = 4.0  # 16 ms slices: 400 and 1200 ms
    onsets = OnsetLogits(logits, 16.0)
    p = onsets.probability(np.array([0.0, 400.0, 800.0, 1200.0]))
    assert p[[1, 3]].min() > 0.9 and p[[0, 2]].max() < 0.05
    line = [TimingPoint(0, 400)]
    weights = TickWeights(line, 3.0, None, prior_weight=0, onset_weight=1.0).window(0, 2000, 200, onsets)
    assert weights[40] > weights[0] and weights[40] > weights[80]
    assert TickWeights(line, 3.0, None, prior_weight=0, onset_weight=0).window(0, 2000, 200, onsets)[40] == 0
