"""How many threads to use: measured where it runs, because under load two can be slower than one.

A step is many small products with a barrier after each. If another process holds a core, every barrier waits for the
scheduler: on a busy machine two threads were 13 times slower than one. The tokens are the same either way.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Threads:
    """Intra-op threads of decoder steps and of the encoder; None leaves them as torch has them."""

    decoder: int | None = None
    encoder: int | None = None


@torch.inference_mode()
def measure_threads(model: Mapperatorinator) -> Threads:
    """Steps of one row with one thread and with all that torch may use; about 50 ms for a small model.

    The encoder, whose products are large, keeps all threads unless a core is taken by somebody else.
    """
    most = torch.get_num_threads()
    if model.device.type != "cpu" or most == 1:
        return Threads()
    backbone = model.config.backbone
    hidden = torch.zeros(1, backbone.max_source_positions, backbone.d_model, dtype=model.compute_dtype)
    cache = model.new_cache(1, STEPS + 1, hidden)
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
                        return Threads(1, 1)
        if time.perf_counter() - began > LONGEST_S:
            break
    worth = statistics.median(together) < WORTH * statistics.median(alone)
    return Threads(most if worth else 1, most)
