"""Windows count for their template and their mode, and counts add up in any order."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from osuT5.data.balance import token_balanced_batches
from osuT5.events import EventType, Vocabulary, load_profile
from osuT5.events.types import ContextType
from osuT5.training.attribution import game_modes, template_rows
from osuT5.training.metrics import Metrics
from osuT5.training.tally import Tally

PROFILE = load_profile("v28")
VOCABULARY = Vocabulary.from_profile(PROFILE)
TIME = VOCABULARY.event_start[EventType.TIME_SHIFT]
SOS = VOCABULARY.sos_id


def mark(context: ContextType) -> int:
    return VOCABULARY.context_sos[context]


def window(*contexts: ContextType, mode: int | None = 0, outputs: tuple[ContextType, ...] = ()) -> list[int]:
    """Decoder input: marks of the input contexts, the mode, id 1, marks of the outputs; 8 ids long."""
    ids = [mark(c) for c in contexts]
    ids += [] if mode is None else [VOCABULARY.gamemode_id(mode)]
    ids += [SOS, *(mark(c) for c in outputs)]
    return ids + [0] * (8 - len(ids))


def batch_of(windows: list[list[int]], labels: list[int] | None = None) -> dict[str, torch.Tensor]:
    """Each window has one label, in its last place."""
    ids = torch.tensor(windows)
    wanted = torch.full_like(ids, -100)
    wanted[:, -1] = torch.tensor(labels if labels is not None else [TIME + 5] * len(windows))
    return {"decoder_input_ids": ids, "labels": wanted}


def saying(batch: dict[str, torch.Tensor], predictions: list[int]) -> torch.Tensor:
    """Logits whose best id in the last place of each row is the given one."""
    logits = torch.zeros(*batch["labels"].shape, VOCABULARY.vocab_size_out)
    for row, prediction in enumerate(predictions):
        logits[row, -1, prediction] = 5.0
    return logits


def test_templates_by_the_marks_before_the_map():
    none, no_hs, gd = ContextType.NONE, ContextType.NO_HS, ContextType.GD
    ids = torch.tensor(
        [
            window(none, outputs=(ContextType.MAP, ContextType.SV)),
            window(gd),
            window(no_hs, outputs=(gd,)),  # a mark behind id 1 is an output
            window(none, gd),
            window(),
        ]
    )
    found = template_rows(ids, VOCABULARY, PROFILE)
    assert {name: rows.tolist() for name, rows in found.items()} == {
        "none": [True, False, False, False, False],
        "no_hs": [False, False, True, False, False],
        "gd": [False, True, False, False, False],
    }


def test_a_template_without_inputs_takes_what_has_no_marks():
    profile = load_profile("v32")
    ids = torch.tensor([[5, SOS, 9], [7, 8, SOS]])
    assert template_rows(ids, Vocabulary.from_profile(profile), profile)[""].tolist() == [True, True]


def test_game_mode_is_the_last_said_before_the_map():
    other = [VOCABULARY.gamemode_id(1)]  # conditions of another map in front
    rows = [window(mode=3), other + window(mode=2)[:-1], window(mode=None), [SOS, *other, 0, 0, 0, 0, 0, 0]]
    assert game_modes(torch.tensor(rows), VOCABULARY).tolist() == [3, 2, -1, -1]


def test_names_and_values_by_template_and_mode():
    batch = batch_of([window(ContextType.NONE, mode=0), window(ContextType.NONE, mode=3), window(ContextType.GD)])
    metrics = Metrics(VOCABULARY, PROFILE)
    metrics.update(batch, saying(batch, [TIME + 5, TIME + 7, TIME + 8]))
    found = metrics.result()
    assert found["test/none/timing_acc"] == 0.5
    assert found["test/none/fuzzy_timing_acc"] == 1
    assert found["test/none/osu/timing_acc"] == 1
    assert found["test/none/mania/timing_acc"] == 0
    assert found["test/gd/timing_acc"] == found["test/gd/fuzzy_timing_acc"] == 0
    assert not any("volume" in name or "no_hs" in name or "taiko" in name for name in found)


def test_time_tokens_weigh_in_the_loss():
    batch = batch_of([window(ContextType.NONE)])
    logits = saying(batch, [TIME + 6])
    plain, weighted = Metrics(VOCABULARY, PROFILE), Metrics(VOCABULARY, PROFILE, rhythm_weight=3.0)
    plain.update(batch, logits)
    weighted.update(batch, logits)
    expected = -torch.log_softmax(logits[0, -1], 0)[TIME + 5].item()
    assert plain.result()["test/none/loss"] == pytest.approx(expected, rel=1e-5)
    assert weighted.result()["test/none/loss"] == pytest.approx(3 * expected, rel=1e-5)


def test_sample_weights_do_not_change_what_is_measured():
    batch = batch_of([window(ContextType.NONE), window(ContextType.NONE, mode=1)])
    logits = saying(batch, [TIME + 5, TIME + 9])
    plain, weighted = Metrics(VOCABULARY, PROFILE), Metrics(VOCABULARY, PROFILE)
    plain.update(batch, logits)
    weighted.update({**batch, "sample_weights": torch.tensor([0.1, 3.0])}, logits)
    assert weighted.result() == plain.result()


def test_processes_add_up_to_the_whole():
    batches = [
        batch_of([window(ContextType.NONE, mode=m) for m in modes], [TIME + m for m in modes])
        for modes in ([0, 1, 3], [3, 3], [2])
    ]
    whole, parts = Metrics(VOCABULARY, PROFILE, histograms=True), []
    for batch in batches:
        logits = saying(batch, [TIME + 3] * len(batch["labels"]))
        part = Metrics(VOCABULARY, PROFILE, histograms=True)
        for metrics in (whole, part):
            metrics.update(batch, logits)
        parts.append(part)
    together = parts[2]
    together.merge(parts[0].counts())
    together.merge(parts[1].counts())
    assert together.result() == pytest.approx(whole.result(), rel=1e-9)
    for name, (total, count) in whole.counts().items():
        np.testing.assert_allclose(together.counts()[name][0], total)
        np.testing.assert_array_equal(together.counts()[name][1], count)


def test_rhythm_complexity_has_twenty_bins_and_keeps_what_lies_beyond():
    complexities = [0.0, 0.19, 0.21, 3.99, 4.0, 17.0]
    batch = batch_of([window(ContextType.NONE)] * 6)
    batch["sample_weights"] = torch.tensor(complexities)
    metrics = Metrics(VOCABULARY, PROFILE, histograms=True)
    metrics.update(batch, saying(batch, [TIME + 5, TIME, TIME + 5, TIME + 5, TIME + 6, TIME]))
    found = metrics.histograms.described(metrics.counts())
    exact = found["test/none/timing_acc_over_rhythm_complexity"]
    fuzzy = found["test/none/fuzzy_timing_acc_over_rhythm_complexity"]
    assert len(exact["counts"]) == len(exact["bin_upper_edges"]) == 20
    assert exact["bin_upper_edges"][-1] == 4.0
    assert [exact["counts"][i] for i in (0, 1, 19)] == [2, 1, 3]
    assert [exact["totals"][i] for i in (0, 1, 19)] == [1, 1, 1]
    assert [fuzzy["totals"][i] for i in (0, 1, 19)] == [1, 1, 2]


def test_a_tally_knows_nothing_of_what_never_occurred():
    tally = Tally()
    tally.add("never", 0, 0)
    tally.add("once", 0, 2)
    tally.add("once", 1, 0)
    assert tally.means() == {"once": 0.5}


@given(st.lists(st.integers(0, 500), max_size=60), st.integers(1, 7))
def test_batches_are_full_and_use_every_window_once(lengths, batch_size):
    batches = token_balanced_batches(lengths, batch_size)
    used = [i for batch in batches for i in batch]
    assert all(len(batch) == batch_size for batch in batches)
    assert sorted(used) == list(range(len(lengths) - len(lengths) % batch_size))


@given(st.lists(st.integers(1, 500), min_size=8, max_size=64))
def test_token_totals_lie_within_the_longest_window(lengths):
    """The balance of greedy dealing with room in every batch: pairs of the longest with the shortest."""
    lengths = lengths[: len(lengths) - len(lengths) % 2]
    totals = [sum(lengths[i] for i in batch) for batch in token_balanced_batches(lengths, 2)]
    assert max(totals) - min(totals) <= max(lengths)
