"""Window plans: the recorded ones exactly, and what else a plan promises."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osuT5.audio import plan_windows
from osuT5.errors import InputError

CASES = json.loads((Path(__file__).parents[1] / "golden" / "inference" / "windows.json").read_text())
DEFAULTS = {"lookback": 0.5, "lookahead": 0.4}  # of the recorded presets
WINDOW_SAMPLES = {"v28": 130944, "v30": 524160, "v32": 262016}
SONG = {"window_samples": 130944, "sample_rate": 16000, **DEFAULTS}


def plan_of(case, **changes):
    options = {**DEFAULTS, **case["options"]}
    return plan_windows(
        case["samples"],
        window_samples=WINDOW_SAMPLES[case["preset"]],
        sample_rate=16000,
        lookback=options["lookback"],
        lookahead=options["lookahead"],
        start_ms=options.get("start_time"),
        end_ms=options.get("end_time"),
        parallel=case["parallel"],
        begin_pad=case["begin_pad"],
        end_pad=case["end_pad"],
        **changes,
    )


def name(case):
    return f"{case['preset']}-{case['samples']}-{case['parallel']}-{case['begin_pad']}-{case['options']}"


@pytest.mark.parametrize("case", [c for c in CASES if "error" not in c], ids=name)
def test_recorded_plan(case):
    plan = plan_of(case)
    times = plan.times_ms.tolist()
    assert len(plan) == case["count"]
    assert (times[:6] + ["..."] + times[-6:] if "..." in case["times"] else times) == case["times"]
    assert plan.stride_samples == case["stride_samples"]
    assert plan.window_ms == case["ms_per_window"]
    assert plan.song_length_ms == case["song_length_ms"]

    windows = plan.windows(np.ones(case["samples"], np.float32))
    assert windows.shape == (case["count"], case["window_samples"])
    shown = windows if len(windows) < 40 else np.concatenate((windows[:3], windows[-3:]))
    assert shown.sum(axis=1).tolist() == case["ones_per_window"]


@pytest.mark.parametrize("case", [c for c in CASES if "error" in c], ids=name)
def test_recorded_crashes_are_messages(case):
    with pytest.raises(InputError, match="not less than 1"):
        plan_of(case)


@given(
    n=st.integers(0, 5000),
    window=st.integers(1, 700),
    lookback=st.floats(0, 0.5),
    lookahead=st.floats(0, 0.4),
    begin_pad=st.integers(0, 50),
)
def test_windows_hold_the_song_at_their_starts_and_zeros_beyond(n, window, lookback, lookahead, begin_pad):
    if window * (1 - lookback - lookahead) < 1:
        return
    samples = np.arange(1, n + 1, dtype=np.float32)
    plan = plan_windows(
        n, window_samples=window, sample_rate=1000, lookback=lookback, lookahead=lookahead, begin_pad=begin_pad
    )
    windows = plan.windows(samples)
    position = plan.starts_samples[:, None] + np.arange(window)
    heard = (position >= 0) & (position < n)
    np.testing.assert_array_equal(windows, np.where(heard, position + 1, 0))
    # the whole song is heard, and the last window begins less than a stride too late to be needed
    assert plan.starts_samples[0] == -begin_pad
    assert plan.starts_samples[-1] + window >= n
    assert len(plan) == 1 or plan.starts_samples[-2] + window < n


def test_windows_are_a_view_that_costs_no_more_than_the_song():
    samples = np.zeros(25 * 60 * 16000, np.float32)
    tracemalloc.start()
    windows = plan_windows(len(samples), **SONG).windows(samples)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert windows.nbytes > 9 * samples.nbytes
    assert peak_bytes < 1.1 * samples.nbytes


def test_a_range_copies_only_what_its_windows_hear():
    samples = np.arange(25 * 60 * 16000, dtype=np.float32)
    plan = plan_windows(len(samples), start_ms=600_000, end_ms=610_000, **SONG)
    windows = plan.windows(samples)
    assert 590_000 < plan.times_ms[0] and plan.times_ms[-1] < 610_000
    np.testing.assert_array_equal(windows[3], samples[plan.starts_samples[3] :][:130944])


def test_integer_times_are_exact_and_float32_times_are_off_by_at_most_one():
    n = 2 * 3600 * 16000
    exact = plan_windows(n, integer=True, **SONG)
    published = plan_windows(n, **SONG)
    assert exact.times_ms.tolist() == [k * 13094 * 1000 // 16000 for k in range(len(exact))]
    difference = published.times_ms - exact.times_ms
    assert set(difference.tolist()) <= {-1, 0, 1}
    assert difference.any()
    assert not difference[exact.times_ms < 1_000_000].any()


def test_first_and_last_are_those_that_were_kept():
    plan = plan_windows(960000, start_ms=20000, end_ms=30000, **SONG)
    assert plan.times_ms[0] > 0
    assert [plan.is_first(k) for k in range(len(plan))] == [True] + [False] * (len(plan) - 1)
    assert [plan.is_last(k) for k in range(len(plan))] == [False] * (len(plan) - 1) + [True]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lookback": -0.1}, "lookback is -0.1"),
        ({"lookahead": float("nan")}, "lookahead is nan"),
        ({"lookback": 0.999999999, "lookahead": 0.0}, "less than one sample"),
        ({"start_ms": 2000, "end_ms": 1000}, "start_time 2000 ms lies after end_time 1000 ms"),
        ({"end_ms": float("inf")}, "end_time is inf"),
        ({"window_samples": 0}, "window_samples is 0"),
        ({"begin_pad": -1}, "begin_pad is -1"),
    ],
)
def test_impossible_plans_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        plan_windows(960000, **{**SONG, **changes})


def test_another_song_is_refused():
    with pytest.raises(InputError, match="16000 samples"):
        plan_windows(16000, **SONG).windows(np.zeros(16001, np.float32))
