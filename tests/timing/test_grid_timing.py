"""Timing from the signal alone: a song of clicks or drums with a known grid gives that grid."""

import numpy as np
import pytest

from osuT5.audio import Song
from osuT5.errors import OptionErrors
from osuT5.timing import GAME_CLOCK_LEAD_MS, Candidate, choose, find_grid, find_timing, to_game, to_song
from osuT5.timing.grid import round_bpm

RATE = 16000


def hit(kind: str, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(int(0.12 * RATE)) / RATE
    if kind == "kick":
        return np.sin(2 * np.pi * 60 * t) * np.exp(-t / 0.04)
    if kind == "snare":
        return 0.6 * rng.normal(size=len(t)) * np.exp(-t / 0.03)
    return 0.2 * rng.normal(size=len(t)) * np.exp(-t / 0.008)


def drums(beats_ms: list[float], seconds: float, seed: int = 0, offbeats: bool = True) -> np.ndarray:
    """Kick and snare in turn on the beats, hats between, over faint noise."""
    rng = np.random.default_rng(seed)
    out = 0.003 * rng.normal(size=int(seconds * RATE))
    sounds = [(t, "kick" if i % 2 == 0 else "snare") for i, t in enumerate(beats_ms)]
    if offbeats:
        sounds += [((a + b) / 2, "hat") for a, b in zip(beats_ms[:-1], beats_ms[1:], strict=True)]
    for time, kind in sounds:
        start = round(time * RATE / 1000)
        sound = hit(kind, rng)[: max(0, len(out) - start)]
        out[start : start + len(sound)] += sound
    return out.astype(np.float32)


def grid_ms(bpm: float, offset: float, seconds: float) -> list[float]:
    return list(np.arange(offset, seconds * 1000 - 200, 60000 / bpm))


def away(time: float, truth: float, period: float) -> float:
    return abs((time - truth + period / 2) % period - period / 2)


@pytest.mark.parametrize("bpm, offset", [(120, 250.0), (174, 731.0), (145.5, 40.0), (182.37, 505.0), (96, 1234.0)])
def test_tempo_and_phase_of_a_drum_beat_are_exact(bpm, offset):
    grid = find_grid(drums(grid_ms(bpm, offset, 60), 60), RATE)
    assert grid.bpm == pytest.approx(bpm, rel=5e-5)
    assert away(grid.offset_ms, offset, 60000 / bpm) < 4.0
    assert grid.residual_ms < 5.0


@pytest.mark.parametrize("rate", [8000, 22050, 44100])
def test_any_sample_rate_gives_the_same_grid(rate):
    low = drums(grid_ms(150, 300, 30), 30)
    samples = np.interp(np.arange(30 * rate) / rate, np.arange(len(low)) / RATE, low).astype(np.float32)
    grid = find_grid(samples, rate)
    assert grid.bpm == pytest.approx(150, rel=1e-4)
    assert away(grid.offset_ms, 300, 400) < 5.0


def test_find_timing_answers_on_the_game_clock():
    timing = find_timing(Song(drums(grid_ms(160, 400, 40), 40), RATE))
    (point,) = timing.points
    assert away(point.time, 400 - GAME_CLOCK_LEAD_MS, 375) < 4.0
    assert away(timing.candidates[0].offset_ms, 400 - GAME_CLOCK_LEAD_MS, 375) < 4.0
    assert (point.meter, point.sample_set, point.sample_index, point.volume, point.uninherited) == (4, 2, 0, 100, True)


def test_a_songs_own_lead_replaces_the_usual_one():
    song = Song(drums(grid_ms(160, 400, 40), 40), RATE)
    assert find_timing(song, lead_ms=0.0).points[0].time == find_timing(song, lead_ms=30.0).points[0].time + 30.0


def test_the_clocks_are_each_others_inverse():
    assert to_game(123.0) == 100.0
    assert to_song(to_game(7.5)) == 7.5


def test_candidates_hold_the_octaves_and_the_half_beat():
    grid = find_grid(drums(grid_ms(150, 300, 40), 40), RATE)
    assert {75.0, 150.0, 300.0} <= {c.bpm for c in grid.candidates}
    phases = [away(c.offset_ms, 300, 400) for c in grid.candidates if c.bpm == 150]
    assert min(phases) < 4.0 and max(phases) > 190.0
    assert [c.score for c in grid.candidates] == sorted((c.score for c in grid.candidates), reverse=True)
    assert 0.0 < grid.confidence <= 1.0


def test_a_scorer_can_overrule_the_prior():
    samples = drums(grid_ms(150, 300, 40), 40)
    grid = find_grid(samples, RATE, lambda candidates: [50.0 * (c.bpm == 75) for c in candidates])
    assert grid.bpm == 75


def test_a_scorer_hears_candidates_on_the_game_clock():
    song = Song(drums(grid_ms(150, 300, 40), 40), RATE)
    heard = []
    find_timing(song, score=lambda candidates: heard.extend(candidates) or [0.0] * len(candidates))
    assert min(away(c.offset_ms, 300 - GAME_CLOCK_LEAD_MS, 400) for c in heard if c.bpm == 150) < 4.0


def test_a_scorer_that_forgets_a_candidate_is_an_error():
    with pytest.raises(ValueError, match="1 scores for 2"):
        choose([Candidate(400, 0), Candidate(800, 0)], lambda candidates: [1.0])


def test_round_tempos_are_preferred_only_while_the_song_cannot_tell():
    assert round_bpm(174.003, 120_000) == 174
    assert round_bpm(174.03, 120_000) == pytest.approx(174.03)
    assert round_bpm(87.5004, 120_000) == 87.5


def test_silence_gives_a_grid_without_confidence():
    timing = find_timing(Song(np.zeros(RATE * 20, dtype=np.float32), RATE))
    assert len(timing.points) == 1 and timing.points[0].beat_length > 0
    assert timing.confidence == 0.0 and not timing.candidates


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.5, 3.0])
def test_short_songs_do_not_crash(seconds):
    rng = np.random.default_rng(3)
    timing = find_timing(Song(rng.normal(size=int(seconds * RATE)).astype(np.float32), RATE))
    assert np.isfinite(timing.points[0].time) and 100 < timing.points[0].beat_length < 2000


def test_a_tempo_change_gets_its_own_line():
    first = grid_ms(130, 500, 40)
    border = first[-1] + 60000 / 130
    beats = first + list(np.arange(border, 79_000, 60000 / 172))
    timing = find_timing(Song(drums(beats, 80), RATE))
    lengths = [p.beat_length for p in timing.points]
    assert lengths[0] == pytest.approx(60000 / 130, rel=2e-3)
    assert lengths[-1] == pytest.approx(60000 / 172, rel=2e-3)
    assert away(timing.points[-1].time, border - GAME_CLOCK_LEAD_MS, lengths[-1]) < 12.0
    assert len(timing.points) <= 4


def test_a_steady_song_keeps_one_line_through_a_break():
    beats = [t for t in grid_ms(165, 300, 80) if not 30_000 < t < 42_000]
    assert len(find_timing(Song(drums(beats, 80), RATE)).points) == 1


def test_unknown_providers_are_named():
    with pytest.raises(OptionErrors, match="timing=guess.*grid"):
        find_timing(Song(np.zeros(100, dtype=np.float32), RATE), provider="guess")
