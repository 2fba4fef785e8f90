"""Token-balanced batches: a pool of windows dealt so that every batch has about the same number of tokens.

Facts: the published loader: windows by falling length (equal lengths keep their order), each to the batch with the
fewest tokens that has room, the first of them where several are equal.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence


def token_balanced_batches(lengths: Sequence[int], batch_size: int, buffer_size: int | None = None) -> list[list[int]]:
    """Deals windows to batches of exactly `batch_size`.

    Args:
        lengths: tokens of each window, in the order of the stream.
        batch_size: windows in a batch, at least 1.
        buffer_size: windows dealt together, a multiple of `batch_size`; None = all of them.

    Returns:
        Indices into `lengths`. What does not fill a last batch is left out.
    """
    whole = len(lengths) - len(lengths) % batch_size
    step = buffer_size or max(whole, batch_size)
    batches: list[list[int]] = []
    for begin in range(0, whole, step):
        numbers = range(begin, min(begin + step, whole))
        batches += _deal(sorted(numbers, key=lambda i: -lengths[i]), lengths, batch_size)
    return batches


def _deal(numbers: Sequence[int], lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    batches: list[list[int]] = [[] for _ in range(len(numbers) // batch_size)]
    open_batches = [(0, place) for place in range(len(batches))]  # (tokens, place), a heap
    for number in numbers:
        tokens, place = heapq.heappop(open_batches)
        batches[place].append(number)
        if len(batches[place]) < batch_size:
            heapq.heappush(open_batches, (tokens + lengths[number], place))
    return batches
