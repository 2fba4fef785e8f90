"""Onset strength: where sounds begin, on the song clock."""

import numpy as np
import pytest

from osuT5.errors import InputError
from osuT5.timing.onset import find_onsets


@pytest.mark.parametrize("rate", [16000, 44100])
def test_the_strength_of_a_click_peaks_within_3_ms_of_it(rate):
    rng = np.random.default_rng(0)
    samples = 0.01 * rng.normal(size=2 * rate)
    clicks = [400.0, 911.0, 1500.0]
    for time in clicks:
        start, length = round(time * rate / 1000), rate // 50
        samples[start : start + length] += rng.normal(size=length) * np.exp(-np.arange(length) * 200 / rate)
    onsets = find_onsets(samples, rate)
    for time in clicks:
        near = int((time - onsets.first_ms) / onsets.period_ms)
        peak = near - 12 + int(np.argmax(onsets.strength[near - 12 : near + 13]))
        assert abs(onsets.first_ms + peak * onsets.period_ms - time) <= 3.0


def test_values_cover_the_whole_song_at_5_ms_or_finer():
    onsets = find_onsets(np.random.default_rng(1).normal(size=16000 * 7), 16000)
    assert onsets.period_ms <= 5.0
    assert onsets.duration_ms == pytest.approx(7000, abs=2 * onsets.period_ms)
    for values in (onsets.low, onsets.high, onsets.energy, onsets.change):
        assert len(values) == len(onsets.strength)


def test_loudness_of_the_file_does_not_matter():
    samples = np.random.default_rng(2).normal(size=16000) * np.exp(-np.arange(16000) % 4000 / 500)
    np.testing.assert_allclose(
        find_onsets(samples, 16000).strength, find_onsets(samples * 0.01, 16000).strength, rtol=1e-3, atol=1e-4
    )


def test_a_rate_too_low_to_time_is_an_error():
    with pytest.raises(InputError, match="2000 Hz"):
        find_onsets(np.zeros(100), 2000)
