"""The timing score promises: tempo raw and folded, offsets to the ms, half beats told from being late."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osuT5.beatmap import TimingLines, TimingPoint
from osuT5.evaluation.tempo import compare_timing

SONG_MS = 90_000.0


def lines(*rows):
    return TimingLines([TimingPoint(time, 60000 / bpm) for time, bpm in rows])


def test_the_truth_is_perfect():
    truth = lines((137, 174), (41_000, 120))
    same = compare_timing(truth, truth, SONG_MS)
    assert same.bpm_error == same.bpm_error_folded == 0
    assert same.tempo_share == 1.0
    assert same.offset_ms == pytest.approx(0, abs=1e-6)
    assert same.half_beat_slip is False
    assert same.beat_f1 == (1.0, 1.0)


@settings(max_examples=40, deadline=None)
@given(
    bpm=st.floats(70, 240), start=st.floats(0, 900), moved=st.integers(-40, 40), whole=st.integers(-3, 3),
    octave=st.integers(-1, 2),
)  # fmt: skip
def test_an_offset_is_found_at_every_metrical_level(bpm, start, moved, whole, octave):
    beat = 60000 / bpm
    moved = float(np.clip(moved, -beat / 2 ** max(octave, 1) / 2.5, beat / 2 ** max(octave, 1) / 2.5))
    found = lines((start + moved + whole * beat, bpm * 2.0**octave))
    compared = compare_timing(found, lines((start, bpm)), SONG_MS)
    assert compared.octave == octave
    assert compared.bpm_error == pytest.approx(2.0**octave - 1)
    assert compared.bpm_error_folded == pytest.approx(0, abs=1e-9)
    assert compared.offset_ms == pytest.approx(moved, abs=0.01)
    assert compared.offset_worst_ms == pytest.approx(abs(moved), abs=0.01)
    assert compared.half_beat_slip is False
    if octave == 0:
        assert compared.beat_f1_shifted[0] > 0.98


@pytest.mark.parametrize("late", [-12.0, 0.0, 7.0])
def test_a_slip_by_half_a_beat_is_flagged_and_its_offset_still_measured(late):
    truth = lines((200, 150))
    compared = compare_timing(lines((200 + 200 + late, 150)), truth, SONG_MS)
    assert compared.half_beat_slip is True
    assert compared.offset_ms == pytest.approx(late, abs=0.01)
    assert compared.beat_f1 == (0.0, 0.0)
    assert compared.beat_f1_shifted[0] > 0.98


def test_twice_the_tempo_cannot_slip():
    assert compare_timing(lines((400, 300)), lines((200, 150)), SONG_MS).half_beat_slip is False


def test_another_tempo_has_no_offset():
    compared = compare_timing(lines((0, 120)), lines((0, 180)), SONG_MS)
    assert compared.offset_ms is None
    assert compared.half_beat_slip is None
    assert compared.bpm_error == pytest.approx(-1 / 3)
    assert abs(compared.bpm_error_folded) == pytest.approx(1 / 3)
    assert compared.tempo_share == 0.0


def test_a_tempo_a_little_off_drifts():
    compared = compare_timing(lines((0, 150.03)), lines((0, 150)), SONG_MS)
    assert compared.bpm_error == pytest.approx(0.0002)
    assert compared.offset_worst_ms == pytest.approx(SONG_MS * 0.0002, abs=0.5)
    assert abs(compared.offset_ms) == pytest.approx(SONG_MS * 0.0001, abs=0.5)


def test_the_share_of_the_song_with_the_right_tempo_is_told():
    compared = compare_timing(lines((0, 150)), lines((0, 150), (SONG_MS * 0.75, 180)), SONG_MS)
    assert compared.tempo_share == pytest.approx(0.75, abs=0.01)
