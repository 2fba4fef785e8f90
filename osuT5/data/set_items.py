"""The items of a data set for the training stream: every map once an epoch, in an order drawn anew each time.

The order depends only on (seed, epoch), so that a run resumes by number and workers need not talk to each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from osuT5.data.sets import MapSet, SetCutter
from osuT5.data.stream import Item, item_generator
from osuT5.errors import InputError


class SetItems:
    """Item factory of `stream`: (number, generator) -> one map with its sound, or None where it cannot be used."""

    def __init__(self, sets: Sequence[MapSet], cutter: SetCutter, seed: int = 42):
        """Raises InputError: there are no maps."""
        self.sets, self.cutter, self.seed = sets, cutter, seed
        self.places = [(s, place) for s, one in enumerate(sets) for place in range(len(one.facts))]
        if not self.places:
            raise InputError("no map of the data set passes the filters; loosen them")
        self._epoch, self._order = -1, np.zeros(0, dtype=int)

    def __len__(self) -> int:
        """Maps in an epoch."""
        return len(self.places)

    def __call__(self, number: int, rng: np.random.Generator) -> Item | None:
        epoch, turn = divmod(number, len(self.places))
        if epoch != self._epoch:
            # keys apart from those of the items (seed) and of the stream's shuffling (seed + 1)
            self._epoch, self._order = epoch, item_generator(self.seed + 2, epoch).permutation(len(self.places))
        set_number, place = self.places[self._order[turn]]
        found = self.cutter.item(self.sets[set_number], place, rng)
        return None if found is None else Item(*found)
