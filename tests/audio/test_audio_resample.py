"""Resampling: the published formula told by its slow definition, blocks, rates, speed, silence."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osuT5.audio import RawAudio, normalize_peak, resample_for_model
from osuT5.audio.resample import RESAMPLERS
from osuT5.errors import InputError

RATES = st.sampled_from([8000, 11025, 15999, 16000, 22050, 32000, 44100, 48000, 96000])


def by_definition(channel, source_rate, target_rate, width):
    """The loop of training §4.1 step 3, one frame at a time."""
    divisor = math.gcd(source_rate, target_rate)
    i, o = source_rate // divisor, target_rate // divisor
    shift = 32 - 8 * width
    out, d, previous, current = [], -o, 0, 0
    if i == o:
        return [int(x) for x in channel]
    for x in channel:
        previous, current = current, int(x) << shift
        d += o
        while d >= 0:
            out.append(int((float(previous) * d + float(current) * (o - d)) / o) >> shift)
            d -= i
    return out


@settings(deadline=None, max_examples=60)
@given(rate=RATES, width=st.sampled_from([1, 2, 4]), seed=st.integers(0, 1000), n=st.integers(1, 300))
def test_published_is_the_loop_of_its_definition(rate, width, seed, n):
    low, high = -(1 << (8 * width - 1)), (1 << (8 * width - 1)) - 1
    samples = np.random.default_rng(seed).integers(low, high, (n, 1), endpoint=True).astype(f"i{width}")
    samples[seed % n] = low  # the greatest value that there is
    made = resample_for_model(RawAudio(samples, width, rate), normalize=False)
    expected = by_definition(samples[:, 0], rate, 16000, width)
    assert made.tolist() == np.array(expected, np.float32).tolist()


@pytest.mark.parametrize("name", RESAMPLERS)
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_blocks_make_no_difference(name, rate):
    samples = np.random.default_rng(3).integers(-30000, 30000, (5000, 2)).astype(np.int16)
    whole = resample_for_model(RawAudio(samples, 2, rate), resampler=name, normalize=False)
    machine = RESAMPLERS[name](rate, 16000, 2, 2)
    cuts = [0, 1, 1, 3, 700, 701, 4999, 5000]
    parts = [machine.push(samples[a:b]) for a, b in zip(cuts, cuts[1:], strict=False)]
    parts.append(machine.finish())
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-6)


@pytest.mark.parametrize("name", RESAMPLERS)
@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000, 96000])
def test_time_zero_and_length_stay(name, rate):
    samples = np.zeros((rate, 2), np.int16)
    samples[rate // 4] = 20000
    made = resample_for_model(RawAudio(samples, 2, rate), resampler=name)
    assert abs(int(np.argmax(np.abs(made))) - 4000) <= 1
    assert abs(len(made) - 16000) <= 1


def test_band_limited_removes_what_published_folds_back():
    time = np.arange(44100) / 44100
    tone = (20000 * np.sin(2 * np.pi * 11000 * time)).astype(np.int16)[:, None]  # above 8 kHz: inaudible to a model
    raw = RawAudio(tone, 2, 44100)
    folded = resample_for_model(raw, normalize=False) / 32768
    clean = resample_for_model(raw, resampler="band_limited", normalize=False)[200:-200]
    assert np.abs(folded).max() > 0.3
    assert np.abs(clean).max() < 0.001


def test_band_limited_keeps_what_lies_in_the_band():
    time = np.arange(44100) / 44100
    tone = np.rint(20000 * np.sin(2 * np.pi * 1000 * time)).astype(np.int16)[:, None]
    made = resample_for_model(RawAudio(tone, 2, 44100), resampler="band_limited", normalize=False)
    expected = 20000 / 32768 * np.sin(2 * np.pi * 1000 * np.arange(len(made)) / 16000)
    np.testing.assert_allclose(made[200:-200], expected[200:-200], atol=1e-3)


@pytest.mark.parametrize("name", RESAMPLERS)
def test_speed_divides_the_duration(name):
    raw = RawAudio(np.ones((44100, 2), np.int16), 2, 44100)
    assert abs(len(resample_for_model(raw, resampler=name, speed=1.25)) - 12800) <= 1


def test_loud_stereo_does_not_overflow():
    for value in (-(2**31), 2**31 - 1):
        raw = RawAudio(np.full((10, 2), value, np.int32), 4, 16000)
        assert resample_for_model(raw, normalize=False).tolist() == [np.float32(value)] * 10


@pytest.mark.parametrize("name", RESAMPLERS)
def test_silence_stays_silence(name):
    made = resample_for_model(RawAudio(np.zeros((4410, 2), np.int16), 2, 44100), resampler=name)
    assert len(made) == 1600
    assert not made.any()


def test_the_peak_becomes_one():
    assert normalize_peak(np.array([0.5, -2.0, 1.0], np.float32)).tolist() == [0.25, -1.0, 0.5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resampler": "best"}, "known: published, band_limited"),
        ({"speed": 0}, "speed is 0"),
        ({"speed": float("nan")}, "speed is nan"),
        ({"sample_rate": 0}, "sample_rate is 0"),
    ],
)
def test_senseless_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        resample_for_model(RawAudio(np.ones((10, 1), np.int16), 2, 44100), **options)
