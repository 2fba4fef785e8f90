"""Wrong optimiser options are named, all of them at once."""

import pytest

from osuT5.errors import OptionErrors
from osuT5.training.options import OptimOptions, TrainOptions


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"name": "muonn"}, ["optim.name", "muonn", "did you mean 'muon'", "adafactor"]),
        ({"lr_scheduler": "none"}, ["optim.lr_scheduler", "cosine, linear"]),
        ({"second_rate": "both"}, ["optim.second_rate", "decay_only"]),
        ({"decay": "all"}, ["optim.decay", "matrices"]),
        ({"total_steps": 100, "warmup_steps": 60, "sustain_steps": 50}, ["total_steps 100", "warmup_steps 60", "50"]),
        ({"total_steps": 100, "warmup_steps": 60, "decay_steps": 50}, ["total_steps 100", "decay_steps 50"]),
        ({"warmup_steps": -1}, ["optim.warmup_steps", "at least 0", "-1"]),
        ({"total_steps": 0}, ["optim.total_steps", "at least 1"]),
        ({"total_steps": 1.5}, ["optim.total_steps", "whole number"]),
        ({"base_lr": 0.0}, ["optim.base_lr", "above 0"]),
        ({"base_lr_2": float("nan")}, ["optim.base_lr_2", "number", "nan"]),
        ({"base_lr": "fast"}, ["optim.base_lr", "fast"]),
        ({"weight_decay": -0.1}, ["optim.weight_decay"]),
        ({"grad_clip": -1}, ["optim.grad_clip"]),
        ({"ema_decay": 1.0}, ["optim.ema_decay", "below 1"]),
        ({"batch_size": 10, "grad_acc": 4}, ["optim.batch_size 10", "optim.grad_acc 4"]),
        ({"grad_acc": 0}, ["optim.grad_acc", "at least 1"]),
        ({"betas": (0.9,)}, ["optim.betas"]),
        ({"betas": (0.9, 1.0)}, ["optim.betas"]),
    ],
)
def test_one_mistake_is_one_sentence(values, words):
    with pytest.raises(OptionErrors) as caught:
        TrainOptions(optim=values)
    assert len(caught.value.problems) == 1
    for word in words:
        assert word in str(caught.value)


def test_all_mistakes_at_once():
    with pytest.raises(OptionErrors) as caught:
        TrainOptions(optim={"name": "sgd", "base_lr": -1, "batch_size": 3, "grad_acc": 2, "warmup_steps": None})
    assert len(caught.value.problems) == 4


def test_defaults_split_the_batch():
    assert OptimOptions(grad_acc=8).micro_batch == 16


def test_lengths_of_the_phases():
    options = OptimOptions(total_steps=100, warmup_steps=10, decay_steps=25)
    assert (options.sustained_steps, options.falling_steps) == (65, 25)
