"""Logits processors give what the published models were sampled with, row by row and for all positions at once."""

import types

import numpy as np
import pytest
import torch
from golden_inference import find, load_json

from osuT5.audio import WindowSpan
from osuT5.events import ContextType, Event, EventType, Vocabulary, load_profile
from osuT5.inference import logits_processors as lp
from osuT5.inference.options import Request
from osuT5.inference.resolve import resolve_options
from osuT5.inference.token_history import TokenHistory, time_range

RECORDED = load_json("logits_processors.json")
ARRAYS = np.load(find("logits_processors.npz"))


class Ids:
    """The id layout of a recording: what a processor asks of a vocabulary."""

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
        "monotonic": lambda: lp.MonotonicTime(vocabulary),
        "timeshift_bias": lambda: lp.TimeShiftBias(vocabulary, p["bias"]),
        "temperature": lambda: lp.Temperature(vocabulary, p["temperature"]),
        "top_p": lambda: lp.TopP(vocabulary, p["top_p"]),
        "top_k": lambda: lp.TopK(vocabulary, p["top_k"]),
        "conditional_temperature": lambda: lp.Temperature(
            vocabulary,
            p["temperature"],
            lp.temperature_rules(
                vocabulary, profile, p["timing_temperature"], p["mania_column_temperature"], p["taiko_hit_temperature"]
            ),
        ),
    }
    return kinds[case["processor"]]()


def apply(processor, name, rows):
    """The stacked processor on recorded logits after recorded ids."""
    history = TokenHistory(processor.vocabulary, array(name, "ids"), 0)
    return lp.stack([[processor]] * rows)[0](array(name, "in").clone(), history)


PLAIN = [
    c
    for c in RECORDED["cases"]
    if c["processor"] not in ("lookback_bias", "cfg") and c["params"].get("min_tokens_to_keep", 1) == 1
]


def test_most_recorded_operations_are_compared():
    assert len(PLAIN) >= 5


@pytest.mark.parametrize("case", PLAIN, ids=lambda c: c["name"])
def test_processor_equals_recording(case):
    name = case["name"]
    expected = array(name, "out")
    ours = apply(build(case), name, len(expected))
    if name.endswith("batch_row0_decides"):
        # the recording lets row 0 decide for all rows; ours decides per row, so only row 0 is comparable
        torch.testing.assert_close(ours[0], expected[0])
        assert not torch.allclose(ours[1], expected[1])
    elif case["processor"] == "top_p":  # equal logits at the cut may go either way
        assert torch.equal((~torch.isinf(ours)).sum(1), (~torch.isinf(expected)).sum(1))
        smallest = [row[~torch.isinf(row)].min() for row in ours]
        assert smallest == [row[~torch.isinf(row)].min() for row in expected]
    else:
        assert_same(ours, name)


@pytest.mark.parametrize("layout", ["v31", "v32"])
def test_lookback_rule_equals_recording_step_by_step(layout):
    vocabulary = Ids(layout)
    first = next(c for c in RECORDED["cases"] if c["name"] == f"{layout}.lookback_bias.step0")
    kind = lp.LookbackBias if first["params"]["types_first"] else lp.ForbidLookback
    history = TokenHistory(vocabulary, array(first["name"], "ids"), 5)
    rule = lp.stack([[kind(vocabulary, first["params"]["lookback_time_ms"])]] * len(history.ids))[0]
    for step in range(5):
        name = f"{layout}.lookback_bias.step{step}"
        if step:
            history.append(array(name, "ids")[:, -1])
        assert_same(rule(array(name, "in").clone(), history), name)


@pytest.mark.parametrize("layout", ["v31", "v32"])
def test_guidance_is_the_recorded_formula_with_the_halves_exchanged(layout):
    both = array(f"{layout}.cfg", "in")
    half = len(both) // 2
    negative, positive = both[:half], both[half:]
    expected = array(f"{layout}.cfg", "out")
    torch.testing.assert_close(lp.classifier_free_guidance(positive, negative, 2.0), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(lp.classifier_free_guidance(negative, positive, 2.0), 2 * positive - negative)


@pytest.mark.parametrize(
    "row", RECORDED["eos_sets"], ids=lambda r: f"{r['preset']}-{r['context']}-{r['lookback']}-{r['lookahead']}"
)
def test_end_ids_equal_recording(row):
    vocabulary = Vocabulary.from_profile(load_profile(row["preset"]))
    context = ContextType(row["context"].lower()) if row["context"] else None
    window = row["window_ms"]
    ids = lp.end_ids(vocabulary, context, row["lookback"] * window, row["lookahead"] * window)
    expected = [i for first, last in row["id_runs_inclusive"] for i in range(first, last + 1)]
    assert ids == expected
    assert len(ids) == row["count"]


@pytest.fixture(scope="module")
def mini():
    return Vocabulary.from_profile(load_profile("mini"))


def step_of(vocabulary, processors, ids, logits):
    history = TokenHistory(vocabulary, torch.tensor(ids), 0)
    for processor in lp.stack(processors):
        logits = processor(logits, history)
    return logits


def test_time_never_runs_backwards_within_a_context(mini):
    times = time_range(mini)
    history = TokenHistory(mini, torch.tensor([[1, mini.context_sos[ContextType.MAP]]]), 9)
    rule = lp.MonotonicTime(mini)

    def allowed():
        return torch.isfinite(rule(torch.zeros(1, mini.vocab_size_out), history)[0, times]).tolist()

    count = times.stop - times.start
    assert allowed() == [True] * count
    history.append(torch.tensor([times.start + 7]))
    assert allowed() == [False] * 7 + [True] * (count - 7)
    history.append(torch.tensor([times.start + 9]))
    history.append(torch.tensor([mini.event_start[EventType.CIRCLE]]))
    assert allowed() == [False] * 9 + [True] * (count - 9)
    history.append(torch.tensor([mini.context_sos[ContextType.SV]]))
    assert allowed() == [True] * count


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_each_rows_own_rules_decide_its_temperature(types_first, order):
    """Beside a row that has the rule of less precedence only, in either order."""
    v = types_first
    beat, column = (1, lp.BEAT_TYPES, 0.1), (3, lp.COLUMN_TYPES, 0.5)
    rows = [[lp.Temperature(v, 0.9, [column])], [lp.Temperature(v, 0.9, [beat, column])]]
    ids = [[v.event_start[EventType.CIRCLE], 1, v.event_start[EventType.BEAT]]] * 2
    logits = torch.ones(2, v.vocab_size_out)
    scaled = step_of(v, [rows[i] for i in order], ids, logits)[:, 0]
    expected = [1 / 0.5, 1 / 0.1]
    assert scaled.tolist() == pytest.approx([expected[i] for i in order])


def test_a_rule_without_a_place_in_the_order_is_refused(mini):
    class Unknown(lp.LogitsProcessor):
        pass

    with pytest.raises(TypeError, match="Unknown has no place"):
        lp.stack([[Unknown(mini)]])


def test_temperature_zero_keeps_the_best_id_only(mini):
    logits = torch.zeros(1, mini.vocab_size_out)
    logits[0, 7] = 1.0
    kept = torch.isfinite(step_of(mini, [[lp.Temperature(mini, 0.0)]], [[1]], logits))
    assert kept.nonzero().tolist() == [[0, 7]]


def test_ticks_share_the_probability_that_times_had_together(mini):
    times = time_range(mini)
    weights = torch.full((times.stop - times.start,), float("-inf"))
    weights[10::20] = 0.0
    logits = torch.randn(2, mini.vocab_size_out, generator=torch.Generator().manual_seed(1))
    before = logits.softmax(1)[:, times].sum(1)
    on_grid = lp.GridTimes(mini, weights)
    after = step_of(mini, [[on_grid], [on_grid]], [[1], [1]], logits).softmax(1)
    torch.testing.assert_close(after[:, times].sum(1), before)
    assert (after[:, times][:, weights.isinf()] == 0).all()


def test_a_window_without_ticks_keeps_its_times(mini):
    times = time_range(mini)
    logits = torch.randn(1, mini.vocab_size_out)
    nowhere = lp.GridTimes(mini, torch.full((times.stop - times.start,), float("-inf")))
    torch.testing.assert_close(step_of(mini, [[nowhere]], [[1]], logits.clone()), logits)


def test_end_penalty_touches_end_marks_only(mini):
    scores = step_of(mini, [[lp.EndPenalty(mini, 4.0)]], [[1]], torch.zeros(1, mini.vocab_size_out))
    assert sorted((scores[0] == -4).nonzero().flatten().tolist()) == sorted([2, *mini.context_eos.values()])
    assert scores.sum() == -4 * (1 + len(mini.context_eos))


# ---- masses of exactly 0 and 1


@pytest.fixture(scope="module")
def types_first():
    return Vocabulary.from_profile(load_profile("v31"))


def lookback_after(vocabulary, before, now, lookback_ms=4000):
    """Logits of a time after its type was chosen, with the lookback rule; `before` are those of the type."""
    history = TokenHistory(vocabulary, torch.tensor([[1]]), 2)
    rule = lp.LookbackBias(vocabulary, lookback_ms)
    rule(before.clone(), history)
    history.append(torch.tensor([vocabulary.event_start[EventType.CIRCLE]]))
    return rule(now.clone(), history)


@pytest.mark.parametrize("temperature", [0.0, 0.02])
def test_all_probability_in_the_lookback_ends_the_window(types_first, temperature):
    """A greedy model that wants a time of the last window has nothing else to say: the end id, not NaN."""
    v = types_first
    before = torch.full((1, v.vocab_size_out), -90.0)
    before[0, v.event_start[EventType.CIRCLE]] = 90.0
    now = torch.full((1, v.vocab_size_out), -90.0)
    now[0, time_range(v).start + 30] = 90.0
    cold = lp.Temperature(v, temperature)
    none = TokenHistory(v, torch.tensor([[1]]), 0)
    adjusted = lookback_after(v, cold(before, none), cold(now, none))
    p = adjusted.softmax(1)
    assert torch.isfinite(p).all() and p.sum() == pytest.approx(1, abs=1e-4)
    assert not p[0, lp.lookback_range(v, 4000)][1:].any()
    if temperature == 0:
        assert p[0, time_range(v).start] == 1


def test_lookback_rule_keeps_the_probability_that_the_formula_gives(types_first):
    v = types_first
    generator = torch.Generator().manual_seed(3)
    before, now = (torch.randn(1, v.vocab_size_out, generator=generator) * 3 for _ in range(2))
    q, p = before.double().softmax(1)[0], now.double().softmax(1)[0]
    lookback = lp.lookback_range(v, 4000)
    e, inside = q[lp.end_marks(v)].sum(), p[lookback].sum()
    d = (1 - inside) * (1 - e) + e
    expected = p / d
    expected[lookback] = 0
    expected[lookback.start] = inside * e / d
    ours = lookback_after(v, before, now)[0].exp().double()
    torch.testing.assert_close(ours, expected, atol=1e-7, rtol=1e-4)


@pytest.mark.parametrize("e", [0.0, 1.0])
@pytest.mark.parametrize("inside", [0.0, 1.0])
def test_lookback_rule_at_the_ends_of_its_range(types_first, e, inside):
    v = types_first
    before, now = (torch.full((1, v.vocab_size_out), -torch.inf) for _ in range(2))
    before[0, v.eos_id if e else v.event_start[EventType.CIRCLE]] = 0.0
    times = time_range(v)
    now[0, times.start + 5 if inside else times.stop - 1] = 0.0
    p = lookback_after(v, before, now).softmax(1)
    assert torch.isfinite(p).all() and p.sum() == pytest.approx(1)
    assert p[0, times.start if inside else times.stop - 1] == pytest.approx(1)


def test_lookback_rule_where_nearly_everything_lies_in_the_lookback(types_first):
    """Of 1e-11 for all other times a float knows nothing once it is taken from 1; the other times still share it."""
    v = types_first
    before, now = (torch.full((1, v.vocab_size_out), -torch.inf) for _ in range(2))
    before[0, v.event_start[EventType.CIRCLE]] = 0.0
    times = time_range(v)
    now[0, times.start + 5] = 25.0
    now[0, times.stop - 1], now[0, times.stop - 2] = 1.0, 0.0
    p = lookback_after(v, before, now).softmax(1)[0]
    expected = torch.tensor([0.0, 1.0]).softmax(0)
    torch.testing.assert_close(p[times.stop - 2 : times.stop], expected)


# ---- rows of a batch


def different_rows(v):
    """Rows that differ in every parameter, and one without any rule."""
    times = time_range(v)
    ticks = torch.full((times.stop - times.start,), float("-inf"))
    ticks[::7] = 0.0
    return [
        [],
        [lp.MonotonicTime(v), lp.Temperature(v, 0.7), lp.TopK(v, 5)],
        [lp.ForbidIds(v, [9]), lp.MonotonicTime(v), lp.GridTimes(v, ticks), lp.LookbackBias(v, 3000), lp.TopP(v, 0.8)],
        [lp.TimeShiftBias(v, -1.5), lp.EndPenalty(v, 2.0), lp.Temperature(v, 1.2, [(1, lp.BEAT_TYPES, 0.1)])],
        [lp.ForbidLookback(v, 1000), lp.MonotonicTime(v), lp.Temperature(v, 0.0), lp.TopK(v, 2), lp.TopP(v, 0.5)],
        [lp.LookbackBias(v, 500), lp.MonotonicTime(v), lp.TopP(v, 0.3)],
    ]


def walk(v, rows, tokens, logits, swap=None):
    """Stepping of rows over given tokens (R, T) and logits (T, R, V); `swap` (step, index) reorders the rows."""
    history = TokenHistory(v, tokens[:, :1], tokens.shape[1])
    chain = lp.stack(rows)
    found = []
    for step in range(tokens.shape[1]):
        scores = logits[step].clone()
        for processor in chain:
            scores = processor(scores, history)
        found.append(scores)
        if swap and step == swap[0]:
            history.select(torch.tensor(swap[1]))
            chain = [p.select(swap[1], torch.device("cpu")) for p in chain]
            tokens, logits = tokens[swap[1]], logits[:, swap[1]]
        if step + 1 < tokens.shape[1]:
            history.append(tokens[:, step + 1])
    return found


def tokens_and_logits(v, rows, length=24, seed=0):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(0, v.vocab_size_out, (rows, length), generator=generator)
    typed = v.event_start[EventType.CIRCLE]
    times = time_range(v)
    tokens[:, 1::3] = typed
    tokens[:, 2::3] = torch.randint(times.start, times.stop, (rows, len(range(2, length, 3))), generator=generator)
    return tokens, torch.randn(length, rows, v.vocab_size_out, generator=generator) * 4


def test_rows_get_in_a_batch_what_they_get_alone(types_first):
    v = types_first
    rows = different_rows(v)
    tokens, logits = tokens_and_logits(v, len(rows))
    together = walk(v, rows, tokens, logits)
    for number, row in enumerate(rows):
        alone = walk(v, [row], tokens[number : number + 1], logits[:, number : number + 1])
        for a, b in zip(together, alone, strict=True):
            torch.testing.assert_close(a[number], b[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("after", [9, 10, 11], ids=["before a type", "before its time", "after it"])
def test_reordered_rows_take_their_state_along(after, types_first):
    """As beams do: after a step row 0 goes on as row 2 was, and two rows as row 5 was."""
    v = types_first
    rows = different_rows(v)
    tokens, logits = tokens_and_logits(v, len(rows))
    index = [2, 5, 5, 1]
    straight = walk(v, rows, tokens, logits)
    swapped = walk(v, rows, tokens, logits, swap=(after, index))
    for step in range(after + 1, tokens.shape[1]):
        torch.testing.assert_close(swapped[step], straight[step][index], atol=1e-6, rtol=0)


def test_a_rule_stays_harmless_when_the_rows_that_had_it_have_left(types_first):
    v = types_first
    rows = different_rows(v)
    tokens, logits = tokens_and_logits(v, len(rows))
    left = walk(v, rows, tokens, logits, swap=(3, [0, 0]))
    for step in range(4, tokens.shape[1]):
        torch.testing.assert_close(left[step], logits[step, [0, 0]])


# ---- all positions of a prompt


PROMPTS = [c for c in load_json("prompts.json.gz")["cases"] if not c.get("error") and c["prompts"]]


@pytest.mark.parametrize("preset", sorted({c["preset"] for c in PROMPTS}))
def test_all_positions_of_golden_prompts_equal_stepping(preset):
    """The product's rules over a whole prompt at once give what stepping through it gives, at every position."""
    profile = load_profile(preset)
    vocabulary = Vocabulary.load(load_json("prompts.json.gz")["tokenizers"][preset]["state"])
    compared = 0
    for case, ids in [(c, row["ids"]) for c in PROMPTS if c["preset"] == preset for row in c["prompts"]]:
        start = ids.index(vocabulary.sos_id)
        if len(ids) - start < 3:
            continue
        options = types.SimpleNamespace(
            do_sample=True, temperature=0.9, timing_temperature=0.1, mania_column_temperature=0.5,
            taiko_hit_temperature=0.5, gamemode=case["generation_config"].get("gamemode", 0), timeshift_bias=0.3,
            end_penalty=0.0, top_k=40, top_p=0.9,
        )  # fmt: skip
        span = WindowSpan(0, profile.window_ms, 0.5 * profile.window_ms, 0.4 * profile.window_ms)
        context = ContextType[case["stages"][case["stage_index"]]]
        rules = lp.processors_for(options, profile, vocabulary, context, span)
        generator = torch.Generator().manual_seed(len(ids))
        logits = torch.randn(len(ids), vocabulary.vocab_size_out, generator=generator) * 3
        at_once = lp.process_prompt(rules, vocabulary, ids, logits.clone(), start)
        history = TokenHistory(vocabulary, torch.tensor([ids[: start + 1]]), len(ids))
        chain = lp.stack([rules])
        for position in range(start, len(ids)):
            if position > start:
                history.append(torch.tensor([ids[position]]))
            scores = logits[position : position + 1].clone()
            for processor in chain:
                scores = processor(scores, history)
            torch.testing.assert_close(scores[0], at_once[position], atol=1e-5, rtol=0)
            compared += 1
    assert compared


# ---- the product's list


def names_for(version, mode, context=ContextType.MAP, lookback=True, lookahead=True, ticks=False, **changes):
    profile = load_profile(version)
    vocabulary = Vocabulary.from_profile(profile)
    request = Request(**{"audio_path": "song.mp3", "gamemode": mode, **changes})
    options = resolve_options(request, profile, None)
    length = profile.window_ms
    span = WindowSpan(0, length, options.lookback * length * lookback, options.lookahead * length * lookahead)
    times = time_range(vocabulary)
    weights = torch.zeros(times.stop - times.start) if ticks else None
    rules = lp.processors_for(options, profile, vocabulary, context, span, weights)
    return [f"{type(p).__name__}{describe(p)}" for p in rules]


def describe(processor):
    """What tells a rule from another of its class."""
    if isinstance(processor, lp.Temperature):
        base, rules = processor.parameters
        kinds = {lp.BEAT_TYPES: "beat", lp.COLUMN_TYPES: "column", (EventType.SNAPPING,): "column"}
        return f"({base:g}" + "".join(f" {kinds.get(types, 'hit')}@{back}={t:g}" for back, types, t in rules) + ")"
    if isinstance(processor, (lp.TopK, lp.TopP)):
        return f"({processor.parameters[0]:g})"
    return ""


TABLE = [
    # version, mode, other arguments of names_for -> rules in their order
    ("v29", 0, {}, "ForbidIds MonotonicTime Temperature(0.9 beat@1=0.1) LookbackBias TopP(0.9)"),
    ("v29", 1, {}, "ForbidIds MonotonicTime Temperature(0.9 beat@1=0.1 hit@1=0.8) LookbackBias TopP(0.9)"),
    ("v29", 2, {}, "ForbidIds MonotonicTime Temperature(0.9 beat@1=0.1) LookbackBias TopP(0.9)"),
    ("v29", 3, {}, "ForbidIds MonotonicTime Temperature(0.9 beat@1=0.1 column@3=0.8) LookbackBias TopP(0.9)"),
    ("v29", 0, {"lookback": False}, "ForbidIds MonotonicTime Temperature(0.9 beat@1=0.1) TopP(0.9)"),
    ("v29", 0, {"do_sample": False}, "ForbidIds MonotonicTime LookbackBias"),
    ("v29", 0, {"temperature": 0.1}, "ForbidIds MonotonicTime Temperature(0.1) LookbackBias TopP(0.9)"),
    ("v28", 0, {"top_k": 7, "top_p": 1.0}, "ForbidIds MonotonicTime Temperature(1 beat@1=0.1) LookbackBias TopK(7)"),
    ("v31", 0, {}, "ForbidIds MonotonicTime Temperature(0.9 beat@1=0.1) LookbackBias TopP(0.9)"),
    ("v30", 0, {}, "ForbidIds ForbidLookback MonotonicTime Temperature(0.9 beat@1=0.1) TopP(0.9)"),
    ("v32", 3, {}, "ForbidIds ForbidLookback MonotonicTime Temperature(0.9 beat@1=0.1 column@1=0.8) TopP(0.9)"),
    ("v32", 1, {"timeshift_bias": -1}, "ForbidIds TimeShiftBias ForbidLookback MonotonicTime "
     "Temperature(0.9 beat@1=0.1 hit@1=0.8) TopP(0.9)"),
    ("mini", 0, {"ticks": True}, "ForbidIds EndPenalty ForbidLookback MonotonicTime GridTimes "
     "Temperature(0.9 beat@1=0.1) TopP(0.9)"),
    ("mini", 3, {"ticks": True}, "ForbidIds EndPenalty ForbidLookback MonotonicTime GridTimes "
     "Temperature(0.9 beat@1=0.1 column@1=0.8) TopP(0.9)"),
    ("mini", 0, {"ticks": True, "lookahead": False}, "ForbidIds ForbidLookback MonotonicTime GridTimes "
     "Temperature(0.9 beat@1=0.1) TopP(0.9)"),
    ("mini", 0, {"ticks": True, "context": ContextType.TIMING}, "ForbidIds ForbidLookback MonotonicTime "
     "Temperature(0.9 beat@1=0.1) TopP(0.9)"),
    ("mini", 0, {"ticks": True, "context": ContextType.KIAI, "lookback": False}, "ForbidIds MonotonicTime GridTimes "
     "Temperature(0.9 beat@1=0.1) TopP(0.9)"),
]  # fmt: skip


@pytest.mark.parametrize("version, mode, arguments, expected", TABLE, ids=str)
def test_the_products_list(version, mode, arguments, expected):
    assert " ".join(names_for(version, mode, **arguments)) == expected


def test_the_chain_runs_in_the_published_order(mini):
    rules = [p for row in different_rows(mini) for p in row]
    kinds = [type(p) for p in lp.stack([rules[::-1]])]
    assert kinds == [lp.MonotonicTime, lp.GridTimes, lp.LogitBias, lp.Temperature, lp.LookbackBias, lp.TopK, lp.TopP]


def test_ids_that_no_sample_holds_are_forbidden():
    vocabulary = Vocabulary.from_profile(load_profile("v29"))
    forbidden = set(lp.forbidden_ids(vocabulary))
    assert {0, vocabulary.encode(Event(EventType.SCROLL_SPEED, 0))} <= forbidden
