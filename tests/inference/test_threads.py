"""The number of threads of a step: measured, used in steps only, and without influence on the result."""

from types import SimpleNamespace

import pytest
import torch

from osuT5.beatmap import write
from osuT5.inference import session as session_module
from osuT5.inference import threads
from osuT5.inference.threads import Threads, intra_op_threads, measure_threads


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def clock(monkeypatch):
    """`clock(together, spike)`: a step of one thread takes 1 ms, one of two `together` ms and now and then `spike`."""

    def measure(together, spike=0.0):
        readings = []

        def now():
            number = len(readings)
            passed = 0.001 if torch.get_num_threads() == 1 else together / 1000
            if spike and torch.get_num_threads() == 2 and number % 8 == 5:
                passed += spike / 1000
            readings.append((readings[-1] if readings else 0.0) + passed)
            return readings[-1]

        monkeypatch.setattr(threads, "time", SimpleNamespace(perf_counter=now))

    return measure


@pytest.mark.parametrize(
    "together, spike, decoder, encoder",
    [(0.5, 0, 2, 2), (0.7, 0, 2, 2), (0.9, 0, 1, 2), (1.0, 0, 1, 2), (13.0, 0, 1, 1), (0.5, 20, 1, 1)],
    ids=["twice as fast", "faster", "hardly faster", "as fast", "slower", "fast but for pauses"],
)
def test_more_threads_are_used_where_they_gain(together, spike, decoder, encoder, small_model, clock, two_threads):
    clock(together, spike)
    assert measure_threads(small_model) == Threads(decoder, encoder)
    assert torch.get_num_threads() == 2


def test_with_one_thread_nothing_is_measured(small_model, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(small_model, "step", lambda *a: pytest.fail("a step was measured"))
    assert measure_threads(small_model) == Threads()


def test_the_number_of_threads_comes_back_also_after_an_error(two_threads):
    with pytest.raises(ZeroDivisionError), intra_op_threads(1):
        assert torch.get_num_threads() == 1
        raise ZeroDivisionError
    assert torch.get_num_threads() == 2
    with intra_op_threads(None):
        assert torch.get_num_threads() == 2


@pytest.mark.parametrize("chosen", [1, 2])
def test_one_and_two_threads_write_the_same_bytes(chosen, models, click, monkeypatch, two_threads):
    """Of steps as chosen; between them and afterwards torch has the number that it had."""
    model, used, encoders = models("v28"), set(), set()

    def spy_on(method, counts):
        def spy(*arguments, **options):
            counts.add(torch.get_num_threads())
            return method(*arguments, **options)

        return spy

    monkeypatch.setattr(session_module, "measure_threads", lambda model: Threads(chosen, 3 - chosen))
    monkeypatch.setattr(model, "encode", spy_on(model.encode, encoders))
    monkeypatch.setattr(model, "step", spy_on(model.step, used))
    outside = set()
    found = click(model, lambda event: outside.add(torch.get_num_threads()), end_time=3000)
    assert (used, encoders, outside) == ({chosen}, {3 - chosen}, {2})
    assert torch.get_num_threads() == 2
    monkeypatch.undo()
    torch.set_num_threads(1)
    assert write(found.beatmaps[0]) == write(click(model, end_time=3000).beatmaps[0])
