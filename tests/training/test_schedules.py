"""The rate of a step is a pure function of the step, and the published one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osuT5.training.options import OptimOptions
from osuT5.training.schedules import learning_rate


def settings_of(**values) -> OptimOptions:
    return OptimOptions(**{"name": "muon", "batch_size": 8, "grad_acc": 1, "warmup_steps": 0, **values})


def test_published_tables(golden):
    """Every recorded step, also past the end; the number of processes changes nothing."""
    rows = json.loads((golden / "training" / "optim" / "lr_schedules.json").read_text())
    assert len(rows) >= 6
    for row in rows:
        row.pop("num_processes")
        if row.pop("error", None):
            with pytest.raises(ValueError, match="'cosine' or 'linear'"):
                settings_of(**row)
            continue
        expected = row.pop("lr_used_at_optimizer_step_1_to_n")
        settings = settings_of(**row)
        found = [learning_rate(step, settings.base_lr, settings) for step in range(1, len(expected) + 1)]
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-12), row


def test_decay_steps_are_the_last_of_the_run():
    by_decay = settings_of(total_steps=100, warmup_steps=10, decay_steps=30)
    by_sustain = settings_of(total_steps=100, warmup_steps=10, sustain_steps=60)
    for step in range(1, 110):
        assert learning_rate(step, 0.01, by_decay) == learning_rate(step, 0.01, by_sustain)


def test_without_decay_the_rate_stays_to_the_last_step():
    settings = settings_of(total_steps=20, warmup_steps=5, decay_steps=0, final_cosine=1e-4)
    assert [learning_rate(s, 0.01, settings) for s in range(6, 21)] == [0.01] * 15
    assert learning_rate(21, 0.01, settings) == 1e-4


@given(
    total=st.integers(1, 400),
    warmup=st.integers(0, 100),
    sustain=st.integers(0, 100),
    shape=st.sampled_from(["cosine", "linear"]),
    step=st.integers(1, 400),
)
def test_rates_lie_between_the_ends_and_groups_keep_their_ratio(total, warmup, sustain, shape, step):
    total = max(total, warmup + sustain, 1)
    settings = settings_of(
        total_steps=total, warmup_steps=warmup, sustain_steps=sustain, lr_scheduler=shape, base_lr=0.02
    )
    step = min(step, total)
    rate = learning_rate(step, 0.02, settings)
    assert settings.final_cosine <= rate <= 0.02
    assert learning_rate(step, 0.001, settings) == pytest.approx(rate / 20, rel=1e-9)
