"""Logit filters give what the published models were sampled with."""

import numpy as np
import pytest
import torch
from golden_inference import FOLDER, load_json

from osuT5.events import ContextType, EventType, Vocabulary, load_profile
from osuT5.inference import filters as f

RECORDED = load_json("logits_processors.json")
ARRAYS = np.load(FOLDER / "logits_processors.npz")


class Ids:
    """The id layout of a recording: what a filter asks of a vocabulary."""

    def __init__(self, layout):
        row = RECORDED["tokenizers"][layout]
        self.event_start = {EventType(k): v for k, v in row["event_start"].items()}
        self.event_end = {EventType(k): v for k, v in row["event_end"].items()}
        self.context_sos = {ContextType(k.lower()): v for k, v in row["context_sos"].items()}
        self.context_eos = {ContextType(k.lower()): v for k, v in row["context_eos"].items()}
        self.vocab_size_out = row["vocab_size_out"]
        self.vocab_size_in = row.get("vocab_size_in") or max(self.event_end.values())
        self.sos_id, self.eos_id = 1, 2

    def has(self, kind):
        return kind in self.event_start


def array(name, part):
    return torch.from_numpy(ARRAYS[f"{name}.{part}"])


def assert_same(ours, name):
    expected = array(name, "out")
    assert torch.equal(torch.isinf(ours), torch.isinf(expected))
    finite = ~torch.isinf(expected)
    torch.testing.assert_close(ours[finite], expected[finite], rtol=1e-5, atol=1e-6)


def build(case):
    vocabulary = Ids(case["name"].split(".")[0])
    p = case["params"]
    profile = load_profile(case["name"].split(".")[0])
    kinds = {
        "monotonic": lambda: f.MonotonicTime(vocabulary),
        "timeshift_bias": lambda: f.TimeShiftBias(vocabulary, p["bias"]),
        "temperature": lambda: f.Temperature(p["temperature"]),
        "top_p": lambda: f.TopP(p["top_p"], p["min_tokens_to_keep"]),
        "top_k": lambda: f.TopK(p["top_k"]),
        "conditional_temperature": lambda: f.ConditionalTemperature(
            f.temperature_rules(
                vocabulary, profile, p["timing_temperature"], p["mania_column_temperature"], p["taiko_hit_temperature"]
            ),
            p["temperature"],
        ),
    }
    return kinds[case["processor"]]()


PLAIN = [c for c in RECORDED["cases"] if c["processor"] not in ("lookback_bias", "cfg")]


@pytest.mark.parametrize("case", PLAIN, ids=lambda c: c["name"])
def test_filter_equals_recording(case):
    rule = build(case)
    name = case["name"]
    rule.begin(array(name, "ids"))
    if name.endswith("batch_row0_decides"):
        # the recording lets row 0 decide for all rows; ours decides per row, so only row 0 is comparable
        ours = rule.apply(array(name, "in").clone())
        torch.testing.assert_close(ours[0], array(name, "out")[0])
        assert not torch.allclose(ours[1], array(name, "out")[1])
        return
    ours = rule.apply(array(name, "in").clone())
    if case["processor"] == "top_p":  # equal logits at the cut may go either way
        expected = array(name, "out")
        assert torch.equal((~torch.isinf(ours)).sum(1), (~torch.isinf(expected)).sum(1))
        smallest = [row[~torch.isinf(row)].min() for row in ours]
        assert smallest == [row[~torch.isinf(row)].min() for row in expected]
        return
    assert_same(ours, name)


@pytest.mark.parametrize("layout", ["v31", "v32"])
def test_lookback_rule_equals_recording_step_by_step(layout):
    vocabulary = Ids(layout)
    first = next(c for c in RECORDED["cases"] if c["name"] == f"{layout}.lookback_bias.step0")
    kind = f.LookbackBias if first["params"]["types_first"] else f.NoLookback
    rule = kind(vocabulary, first["params"]["lookback_time_ms"])
    rule.begin(array(first["name"], "ids"))
    for step in range(5):
        name = f"{layout}.lookback_bias.step{step}"
        if step:
            rule.accept(array(name, "ids")[:, -1])
        assert_same(rule.apply(array(name, "in").clone()), name)


@pytest.mark.parametrize("layout", ["v31", "v32"])
def test_guidance_is_the_recorded_formula_with_the_halves_exchanged(layout):
    both = array(f"{layout}.cfg", "in")
    half = len(both) // 2
    negative, positive = both[:half], both[half:]
    expected = array(f"{layout}.cfg", "out")
    torch.testing.assert_close(f.guide(positive, negative, 2.0), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(f.guide(negative, positive, 2.0), 2 * positive - negative)


@pytest.mark.parametrize(
    "row", RECORDED["eos_sets"], ids=lambda r: f"{r['preset']}-{r['context']}-{r['lookback']}-{r['lookahead']}"
)
def test_end_ids_equal_recording(row):
    vocabulary = Vocabulary.from_profile(load_profile(row["preset"]))
    context = ContextType(row["context"].lower()) if row["context"] else None
    window = row["window_ms"]
    ids = f.end_ids(vocabulary, context, row["lookback"] * window, row["lookahead"] * window)
    expected = [i for first, last in row["id_runs_inclusive"] for i in range(first, last + 1)]
    assert ids == expected
    assert len(ids) == row["count"]


def test_time_never_runs_backwards_after_accepting():
    vocabulary = Vocabulary.from_profile(load_profile("mini"))
    rule = f.MonotonicTime(vocabulary)
    first = vocabulary.event_start[EventType.TIME_SHIFT]
    rule.begin(torch.tensor([[1, vocabulary.context_sos[ContextType.MAP]]]))
    rule.accept(torch.tensor([first + 7]))
    scores = rule.apply(torch.zeros(1, vocabulary.vocab_size_out))
    assert torch.isinf(scores[0, first : first + 7]).all()
    assert not torch.isinf(scores[0, first + 7 :]).any()


def test_temperature_zero_keeps_the_best_id_only():
    scores = f.Temperature(0.0).apply(torch.tensor([[1.0, 3.0, 2.0]]))
    assert torch.isfinite(scores).tolist() == [[False, True, False]]


def test_ticks_share_the_probability_that_times_had_together():
    vocabulary = Vocabulary.from_profile(load_profile("mini"))
    times = slice(vocabulary.event_start[EventType.TIME_SHIFT], vocabulary.event_end[EventType.TIME_SHIFT])
    weights = torch.full((times.stop - times.start,), float("-inf"))
    weights[10::20] = 0.0
    scores = torch.randn(2, vocabulary.vocab_size_out, generator=torch.Generator().manual_seed(1))
    before = scores.softmax(1)[:, times].sum(1)
    after = f.OnGrid(vocabulary, weights).apply(scores).softmax(1)
    torch.testing.assert_close(after[:, times].sum(1), before)
    assert (after[:, times][:, weights.isinf()] == 0).all()


def test_a_window_without_ticks_keeps_its_times():
    vocabulary = Vocabulary.from_profile(load_profile("mini"))
    count = vocabulary.event_end[EventType.TIME_SHIFT] - vocabulary.event_start[EventType.TIME_SHIFT]
    scores = torch.randn(1, vocabulary.vocab_size_out)
    torch.testing.assert_close(f.OnGrid(vocabulary, torch.full((count,), float("-inf"))).apply(scores.clone()), scores)


def test_end_penalty_touches_end_marks_only():
    vocabulary = Vocabulary.from_profile(load_profile("mini"))
    scores = f.EndPenalty(vocabulary, 4.0).apply(torch.zeros(1, vocabulary.vocab_size_out))
    assert sorted((scores[0] == -4).nonzero().flatten().tolist()) == sorted([2, *vocabulary.context_eos.values()])
    assert scores.sum() == -4 * (1 + len(vocabulary.context_eos))
