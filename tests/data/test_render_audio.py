"""What rendered songs promise: the same samples for the same seed, and sounds 23 ms after the map's times."""

import numpy as np
import pytest

from osuT5.beatmap import Beatmap, Circle, GameMode, Hold, Slider, Spinner, TimingPoint
from osuT5.data import render_audio
from osuT5.data.arrangement import draw_arrangement, lay_out
from osuT5.data.mix import Mix
from osuT5.data.parts import play_decoys
from osuT5.data.score import HEAD, ROLL, TAIL, grid_of, prefers_thirds, same_timing, sounds_of, together
from osuT5.errors import InputError
from osuT5.timing import GAME_CLOCK_LEAD_MS

RATE = 16000


def a_map(times, beat=500.0, mode=GameMode.STD, first=0.0) -> Beatmap:
    beatmap = Beatmap(timing_points=[TimingPoint(first, beat)])
    beatmap.mode, beatmap.cs = mode, 4
    rng = np.random.default_rng(len(times))
    beatmap.hit_objects = [Circle(int(rng.integers(512)), int(rng.integers(384)), int(t)) for t in times]
    return beatmap


def off_grid_times(count=60):
    """Times that no drum pattern or decoy lies on, so that only the notes of the map sound there."""
    rng = np.random.default_rng(7)
    return np.cumsum(rng.integers(430, 560, count)) + 1000


def flux(samples: np.ndarray) -> np.ndarray:
    """Rise of log energy, one value a ms, in windows of 4 ms that begin at that ms."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, 64)[::16]
    power = np.log(np.abs(np.fft.rfft(frames * np.hanning(64))) ** 2 + 1e-4)
    return np.maximum(power[4:] - power[:-4], 0).mean(axis=1)


def best_shift(samples: np.ndarray, times: np.ndarray) -> float:
    """By how many ms the sounds follow these times."""
    strength = flux(samples)
    shifts = np.arange(-60, 100)
    return float(shifts[np.argmax([strength[times + shift].mean() for shift in shifts])]) + BIAS_MS


def _bias() -> float:
    """What `best_shift` reads too little, on clicks whose time is known."""
    clicks = np.zeros(RATE * 40, np.float32)
    times = off_grid_times(60)
    for time in times:
        clicks[time * 16 : time * 16 + 400] = np.random.default_rng(time).normal(0, 0.3, 400)
    strength = flux(clicks)
    shifts = np.arange(-60, 60)
    return -float(shifts[np.argmax([strength[times + shift].mean() for shift in shifts])])


BIAS_MS = _bias()


def test_same_seed_same_samples_and_another_seed_another_song():
    beatmap = a_map(range(500, 9000, 250))
    one, again, other = (render_audio(beatmap, seed, 10_000) for seed in (3, 3, 4))
    assert np.array_equal(one, again)
    assert not np.allclose(one, other, atol=0.05)


def test_samples_are_mono_float32_within_one_and_last_as_asked():
    samples = render_audio(a_map(range(500, 5000, 250)), 1, duration_ms=6000, sample_rate=22050)
    assert samples.dtype == np.float32 and samples.shape == (132300,)
    assert 0.2 < np.abs(samples).max() <= 1 and np.isfinite(samples).all()


@pytest.mark.parametrize("seed", range(8))
def test_sounds_come_23_ms_after_the_objects(seed):
    times = off_grid_times()
    samples = render_audio(a_map(times, beat=487.0), seed, duration_ms=float(times[-1] + 2000), stars=8)
    assert abs(best_shift(samples, times) - GAME_CLOCK_LEAD_MS) <= 3


@pytest.mark.parametrize("seed", range(4))
def test_the_beat_of_the_red_line_sounds_23_ms_late_too(seed):
    beatmap = a_map(range(137, 40_000, 500), first=137.0)
    samples = render_audio(beatmap, seed, duration_ms=40_000)
    beats = np.arange(137, 39_000, 500)
    assert abs(best_shift(samples, beats) - GAME_CLOCK_LEAD_MS) <= 3


def test_an_easy_map_leaves_more_of_the_music_unmapped():
    beatmap = a_map(range(0, 60_000, 1000))

    heard, grid = sounds_of(beatmap), grid_of(beatmap, 0, 60_000)

    def unmapped_energy(stars: float, seed: int) -> float:
        rng = np.random.default_rng(seed)
        mix = Mix(RATE, np.zeros(60 * RATE, np.float32), np.zeros(60 * RATE, np.float32))
        band = draw_arrangement(rng, RATE)
        play_decoys(mix, lay_out(beatmap, heard, grid, rng), heard, band, stars)
        return float(np.square(mix.dry).sum())

    for seed in range(3):
        energies = [unmapped_energy(stars, seed) for stars in (1.0, 4.0, 7.0)]
        assert energies[0] > 1.3 * energies[1] > 1.3**2 * energies[2] > 0


def test_kiai_is_louder():
    beatmap = a_map(range(0, 64_000, 250))
    beatmap.timing_points.append(TimingPoint(32_000, -100, uninherited=False, effects=1))
    ratios = []
    for seed in range(5):
        samples = render_audio(beatmap, seed, 64_000, sample_rate=8000)
        ratios.append(np.std(samples[33 * 8000 : 63 * 8000]) / np.std(samples[8000 : 31 * 8000]))
    assert np.median(ratios) > 1.03


def test_notes_of_other_difficulties_join_the_music_if_they_share_the_beat():
    easy, hard = a_map(range(0, 20_000, 1000)), a_map(range(0, 20_000, 125))
    late = a_map(range(0, 20_000, 125), first=60.0)
    assert same_timing(easy, hard) and not same_timing(easy, late)
    alone = render_audio(easy, 5, 20_000, stars=8)
    assert not np.array_equal(alone, render_audio(easy, 5, 20_000, stars=8, others=[hard]))
    assert np.array_equal(alone, render_audio(easy, 5, 20_000, stars=8, others=[late]))
    heard = together(sounds_of(easy), [sounds_of(hard, mapped=False)])
    assert len(heard) == 160 and heard.mapped.sum() == 20
    assert (np.diff(heard.time) > 0).all()


def test_held_objects_sound_for_their_length():
    beatmap = a_map([])
    beatmap.slider_multiplier = 1.0
    beatmap.hit_objects = [
        Slider(0, 0, 1000, curve="L", points=[(100, 0)], length=100, slides=3),
        Hold(0, 0, 4000, end=4700),
        Spinner(256, 192, 6000, end=8000),
    ]
    heard = sounds_of(beatmap)
    assert list(heard.time) == [1000, 1500, 2000, 2500, 4000, 4700, 6000, 8000]
    assert [heard.end[i] for i in (0, 4, 6)] == [2500, 4700, 8000]
    assert heard.strength[3] < heard.strength[1] < heard.strength[0]
    assert heard.part[3] == TAIL


def test_a_drum_roll_is_rolled():
    beatmap = a_map([], mode=GameMode.TAIKO)
    beatmap.hit_objects = [Slider(0, 0, 1000, curve="L", points=[(140, 0)], length=140)]
    heard = sounds_of(beatmap)
    assert list(heard.time[heard.part == HEAD]) == [1000]
    assert list(heard.time[heard.part == ROLL]) == [1125, 1250, 1375]


def test_thirds_are_told_from_quarters():
    swung = [t + k for t in range(0, 20_000, 500) for k in (0, 166, 333)]
    straight = [t + k for t in range(0, 20_000, 500) for k in (0, 125, 250)]
    for times, expected in ((swung, True), (straight, False)):
        beatmap = a_map(times)
        assert prefers_thirds(sounds_of(beatmap), grid_of(beatmap, 0, 20_000)) is expected


def test_the_grid_follows_every_red_line_and_reaches_back_before_the_first():
    beatmap = Beatmap(timing_points=[TimingPoint(1100, 400, 4), TimingPoint(5000, 600, 3)])
    grid = grid_of(beatmap, 0, 9000)
    assert grid.time[0] == pytest.approx(0) and np.diff(grid.time).max() == pytest.approx(150)
    assert grid.step[grid.time == 5000] == 0 and grid.step[np.isclose(grid.time, 1100)] == 0
    assert set(grid.step[grid.time >= 5000]) == set(range(12))


@pytest.mark.parametrize("beat", (5.0, 1e5, -100.0, float("nan"), 0.0))
def test_absurd_maps_still_get_a_song(beat):
    beatmap = a_map([1000, 1000, 1001, 2000], beat=beat)
    assert np.isfinite(render_audio(beatmap, 1, 4000)).all()
    assert np.isfinite(render_audio(Beatmap(), 1)).all()


@pytest.mark.parametrize("options", ({"duration_ms": 0}, {"duration_ms": 1e9}, {"sample_rate": 100}))
def test_impossible_durations_and_rates_are_refused(options):
    with pytest.raises(InputError, match=next(iter(options))):
        render_audio(a_map([1000]), 1, **options)
