"""Counter-based randomness: what is drawn depends on what it is drawn for, never on who draws or in which order.

Keys are (seed, epoch, set), (seed, epoch, difficulty) and (seed, epoch, difficulty, window); so any number of workers
and ranks draws the same, and a run resumes in the middle of an epoch without replaying what came before.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

WINDOW_BITS = 20  # windows of a map that have draws of their own
MASK = 2**64 - 1


class Purpose(IntEnum):
    """What a draw is for; draws for different purposes are independent."""

    SET = 1
    MAP = 2
    WINDOW = 3
    ORDER = 4
    SHUFFLE = 5
    ITEM = 6


def generator(seed: int, epoch: int, purpose: Purpose, number: int, part: int = 0) -> np.random.Generator:
    """A generator of its own for every key. `number`: of the set, map, lane...; `part`: of it, such as a window."""
    first = (seed & 0xFFFFFFFF) << 32 | (epoch & 0xFFFFFF) << 8 | int(purpose)
    second = ((number << WINDOW_BITS) | (part & (2**WINDOW_BITS - 1))) & MASK
    return np.random.Generator(np.random.Philox(key=np.array([first, second], dtype=np.uint64)))  # a list may round


@dataclass(frozen=True)
class MapDraws:
    """The random numbers of one difficulty in one epoch. `number` names the difficulty: its place or its id."""

    seed: int
    epoch: int
    number: int

    def map(self) -> np.random.Generator:
        """How it is cut: offset, lookback, classes of the encoder."""
        return generator(self.seed, self.epoch, Purpose.MAP, self.number)

    def template(self) -> np.random.Generator:
        """Which context template it is written in, and which other difficulty is shown."""
        return generator(self.seed, self.epoch, Purpose.MAP, self.number, 1)

    def window(self, index: int) -> np.random.Generator:
        return generator(self.seed, self.epoch, Purpose.WINDOW, self.number, index)


@dataclass(frozen=True)
class SetDraws:
    """The random numbers of one set in one epoch. `first` is the number of its first difficulty."""

    seed: int
    epoch: int
    number: int
    first: int

    def set(self) -> np.random.Generator:
        """How it is played: speed and flips."""
        return generator(self.seed, self.epoch, Purpose.SET, self.number)

    def difficulty(self, place: int) -> MapDraws:
        return MapDraws(self.seed, self.epoch, self.first + place)
