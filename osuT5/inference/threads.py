"""How many threads a decoder step should use: measured where it runs, because under load two can be slower than one.

A step is many small products with a barrier after each. If another process holds a core, every barrier waits for the
scheduler: on a busy machine two threads were 13 times slower than one. The tokens are the same either way.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from osuT5.model import Mapperatorinator

WORTH = 0.8  # more threads must need at most this share of the time of one
HOPELESS = 4  # times the median of one thread: a core is taken by somebody else
STEPS = 8  # of a round
ROUNDS = 3
LONGEST_S = 1.5  # of the whole measurement, for large models


@contextmanager
def intra_op_threads(count: int | None) -> Iterator[None]:
    """Runs the body with so many threads; None changes nothing."""
    before = torch.get_num_threads()
    if count is None or count == before:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@torch.inference_mode()
def threads_for_steps(model: Mapperatorinator, encoder_hidden: torch.Tensor) -> int | None:
    """1, or all threads that torch may use if steps gain by them now; None where the question does not arise.

    Args:
        encoder_hidden: (1, S, D) of any window.
    """
    most = torch.get_num_threads()
    if model.device.type != "cpu" or most == 1:
        return None
    cache = model.new_cache(1, STEPS + 1, encoder_hidden)
    ids = torch.full((1, 1), model.vocabulary.sos_id)
    alone: list[float] = []
    together: list[float] = []
    began = time.perf_counter()
    for _ in range(ROUNDS):
        for threads, seconds in ((1, alone), (most, together)):
            with intra_op_threads(threads):
                cache.reset()
                model.step(ids, cache)  # the first step of a round finds cold memory
                for _ in range(STEPS):
                    start = time.perf_counter()
                    model.step(ids, cache)
                    seconds.append(time.perf_counter() - start)
                    if threads > 1 and seconds[-1] > HOPELESS * statistics.median(alone):
                        return 1
        if time.perf_counter() - began > LONGEST_S:
            break
    return most if statistics.median(together) < WORTH * statistics.median(alone) else 1
