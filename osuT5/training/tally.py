"""Sums and counts under names: what metrics add up over batches and over processes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch.distributed as dist

Pair = tuple[np.ndarray, np.ndarray]


class Tally:
    """Pooled means. A value is a number or an array of bins; each name keeps (sum, count), float64 of one shape."""

    def __init__(self) -> None:
        self._pairs: dict[str, Pair] = {}

    def add(self, name: str, total: float | np.ndarray, count: float | np.ndarray) -> None:
        """Adds to a name; one that was only ever given empty counts does not come into being."""
        total, count = np.asarray(total, dtype=np.float64), np.asarray(count, dtype=np.float64)
        if name in self._pairs:
            before = self._pairs[name]
            self._pairs[name] = (before[0] + total, before[1] + count)
        elif count.any():
            self._pairs[name] = (total, count)

    def counts(self) -> dict[str, Pair]:
        """{name: (sum, count)}."""
        return dict(self._pairs)

    def merge(self, counts: Mapping[str, Pair]) -> None:
        """Adds what another tally counted."""
        for name, (total, count) in counts.items():
            self.add(name, total, count)

    def gather(self) -> None:
        """Adds up the tallies of all processes, so that each has the whole. All of them must call it."""
        if not (dist.is_available() and dist.is_initialized()):
            return
        everyone: list[dict[str, Pair]] = [{} for _ in range(dist.get_world_size())]
        dist.all_gather_object(everyone, self._pairs)
        self._pairs = {}
        for counts in everyone:
            self.merge(counts)

    def means(self) -> dict[str, float]:
        """{name: sum / count} of the numbers, by name."""
        return {n: float(t / c) for n, (t, c) in sorted(self._pairs.items()) if t.ndim == 0}
