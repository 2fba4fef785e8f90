"""The robust timing fitter: beats that are rounded, jittered, missing or doubled give the red lines they came from."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest

from osuT5.beatmap.types import TimingPoint
from osuT5.events.types import Event, EventSequence, EventType
from osuT5.timing import Marker, fit_timing, markers_from_events, markers_from_passes
from osuT5.timing.fit import round_period

GOLDEN = Path(__file__).parents[1] / "golden" / "postprocess"


@functools.cache
def golden(name: str) -> list[dict]:
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def sequence(events: list) -> EventSequence:
    out = EventSequence()
    for name, value in events:
        out.append(Event(EventType(name), value), value if name == "t" else 0)
    return out


def fault(points: list[TimingPoint], truth: list[dict], jitter_ms: float = 0.0) -> str:
    """What breaks the acceptance of the fitter; empty when nothing does."""
    if len(points) != len(truth):
        return f"{len(points)} lines for {len(truth)}"
    bpm_share, offset_ms = (0.005, 10.0) if jitter_ms > 10 else (0.001, 5.0)
    for point, line in zip(points, truth, strict=True):
        measure = point.beat_length * point.meter
        away = (point.time - line["offset"] + measure / 2) % measure - measure / 2
        if point.meter != line["meter"]:
            return f"meter {point.meter}"
        if abs(point.bpm / line["bpm"] - 1) > bpm_share:
            return f"bpm {point.bpm}"
        if abs(away) > offset_ms:
            return f"offset {away}"
    return ""


def truth_names(name: str) -> list[str]:
    return [case["name"] for case in golden(name) if case.get("truth")]


@pytest.mark.parametrize("name", truth_names("timing_fit"))
def test_recorded_beats_give_their_true_lines(name):
    case = next(c for c in golden("timing_fit") if c["name"] == name)
    points = fit_timing(sequence(case["events"]), case["types_first"])
    assert not fault(points, case["truth"], jitter_ms=25 if name.startswith("jitter25") else 0), points


@pytest.mark.parametrize("name", [n for n in truth_names("super_timing") if n != "waltz_with_gap"])
def test_beats_of_super_timing_give_their_true_lines(name):
    case = next(c for c in golden("super_timing") if c["name"] == name)
    points = fit_timing(sequence(case["output_events"]), case["types_first"])
    assert not fault(points, case["truth"]), points


def votes(case: dict) -> list[Marker]:
    markers = [markers_from_events(sequence(run["events"]), case["types_first"]) for run in case["runs"]]
    shifts = [run["audio_offset_ms"] for run in case["runs"]]
    return markers_from_passes(zip(markers, shifts, strict=True), case["song_ms"])


@pytest.mark.parametrize("name", truth_names("super_timing"))
def test_the_votes_of_all_passes_give_the_true_lines_without_a_walk_between(name):
    case = next(c for c in golden("super_timing") if c["name"] == name)
    points = fit_timing(votes(case))
    assert not fault(points, case["truth"]), points


@pytest.mark.parametrize("name", ["no_beats", "no_measures"])
def test_votes_that_crashed_the_older_system_give_a_line(name):
    case = next(c for c in golden("super_timing") if c["name"] == name)
    (point,) = fit_timing(votes(case))
    assert 30 <= point.bpm <= 400 and point.meter == 4


@pytest.mark.parametrize("case", golden("timing_fit"), ids=lambda c: c["name"])
def test_every_recorded_case_gives_plausible_sorted_lines(case):
    points = fit_timing(sequence(case["events"]), case["types_first"])
    assert points and all(p.uninherited and 30 <= p.bpm <= 400 and 2 <= p.meter <= 7 for p in points)
    assert [p.time for p in points] == sorted(p.time for p in points)
    assert all(p.time == int(p.time) for p in points)


def random_song(seed: int, jitter_ms: float, tempos: int) -> tuple[list[Marker], list[dict]]:
    """Beats of the spec's table: halves of BPM 80..260, 3/4 or 4/4, 24..70 beats a tempo, 3 % missing, 10 ms grid."""
    rng = np.random.default_rng(seed)
    time, markers, truth = float(rng.integers(200, 3000)), [], []
    for part in range(tempos):
        bpm = rng.integers(160, 521) / 2
        while truth and abs(bpm - truth[-1]["bpm"]) < 1:
            bpm = rng.integers(160, 521) / 2
        meter, beats = int(rng.choice([3, 4])), int(rng.integers(24, 71))
        beats -= beats % meter
        truth.append({"offset": time, "bpm": bpm, "meter": meter})
        for beat in range(beats + (part == tempos - 1)):
            if rng.random() >= 0.03:
                downbeat = EventType.MEASURE if beat else EventType.TIMING_POINT
                kind = EventType.BEAT if beat % meter else downbeat
                markers.append(Marker(round((time + beat * 60000 / bpm + rng.normal(0, jitter_ms)) / 10) * 10, kind))
        time += beats * 60000 / bpm
    return markers, truth


@pytest.mark.parametrize(
    "jitter_ms, tempos, at_least", [(0, 1, 59), (0, 2, 55), (3, 1, 59), (3, 2, 56), (8, 1, 56), (8, 2, 46)]
)
def test_random_songs_are_fitted_as_often_as_the_sketch_promises(jitter_ms, tempos, at_least):
    passed = sum(not fault(fit_timing(m), t) for m, t in (random_song(s, jitter_ms, tempos) for s in range(60)))
    assert passed >= at_least


def steady(count: int = 64, period: float = 353.0, start: float = 500.0) -> list[Marker]:
    kinds = [EventType.BEAT if i % 4 else EventType.MEASURE for i in range(count)]
    return [Marker(round((start + i * period) / 10) * 10, kind) for i, kind in enumerate(kinds)]


def test_spurious_and_doubled_beats_leave_one_line():
    beats = steady() + [Marker(500 + 353 * 10 + 170), Marker(500 + 353 * 30 + 12), Marker(500 + 353 * 45 + 180)]
    (point,) = fit_timing(beats)
    assert point.beat_length == pytest.approx(353.0, rel=1e-3) and point.meter == 4


def test_a_gap_of_odd_length_leaves_one_line_when_the_grid_goes_on():
    beats = steady(100)
    (point,) = fit_timing(beats[:40] + beats[57:])
    assert point.beat_length == pytest.approx(353.0, rel=1e-3)


def test_the_order_of_the_markers_does_not_matter():
    beats = steady()
    shuffled = [beats[i] for i in np.random.default_rng(0).permutation(len(beats))]
    assert fit_timing(shuffled) == fit_timing(beats)


def test_one_wrong_downbeat_changes_no_meter():
    beats = steady()
    beats[9] = Marker(beats[9].time, EventType.MEASURE)
    beats[12] = Marker(beats[12].time, EventType.BEAT)
    (point,) = fit_timing(beats)
    assert point.meter == 4 and abs(point.time - 500) <= 5


def test_the_first_line_reaches_the_first_object_in_whole_measures():
    (plain,) = fit_timing(steady())
    (early,) = fit_timing(steady(), start_ms=-2000.0)
    measures = (plain.time - early.time) / (4 * plain.beat_length)
    assert early.time <= -2000.0 and measures == pytest.approx(round(measures), abs=2e-3)


def test_beats_without_a_time_of_their_own_are_left_out():
    events = sequence([["beat", 0], ["t", 100], ["beat", 0], ["circle", 0], ["beat", 0], ["t", 600], ["measure", 0]])
    assert [m.time for m in markers_from_events(events, types_first=False)] == [100, 600]
    assert [m.time for m in markers_from_events(events, types_first=True)] == [100, 600]
    assert [m.kind for m in markers_from_events(events, types_first=False)] == [EventType.BEAT, EventType.MEASURE]


def test_without_beats_the_fallback_is_used_or_said_to_be_missing(caplog):
    fallback = [TimingPoint(12.0, 400.0)]
    assert fit_timing([], fallback=fallback) == fallback
    assert not caplog.records
    assert fit_timing(EventSequence())[0].bpm == 120
    assert "no beats" in caplog.text


def test_a_lone_beat_takes_the_tempo_of_the_fallback():
    (point,) = fit_timing([Marker(777.0)], fallback=[TimingPoint(0.0, 345.0)])
    assert (point.time, point.beat_length) == (777.0, 345.0)


def test_a_rounder_tempo_needs_to_be_within_the_error_and_the_drift():
    assert round_period(60000 / 170.02, error=0.03, beats=80) == 60000 / 170
    assert round_period(60000 / 170.02, error=0.001, beats=80) != 60000 / 170
    assert round_period(60000 / 170.02, error=0.03, beats=800) != 60000 / 170


def test_votes_outside_the_song_are_left_out():
    votes = markers_from_passes([([Marker(50.0), Marker(1000.0), Marker(9000.0)], 100.0)], end_ms=5000.0)
    assert [m.time for m in votes] == [900.0]


@pytest.mark.slow
def test_a_twenty_minute_song_is_fitted_in_seconds():
    rng = np.random.default_rng(0)
    beats = [
        Marker(round((300 + k * 300.3 + rng.normal(0, 4)) / 10) * 10, EventType.BEAT if k % 4 else EventType.MEASURE)
        for k in range(4000)
    ]
    (point,) = fit_timing(beats)
    assert point.beat_length == pytest.approx(300.3, rel=1e-5) and abs(point.time - 300) <= 1
