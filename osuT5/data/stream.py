"""An endless, deterministic stream of training batches, the same for any number of workers and ranks.

Units (sets, songs) come epoch after epoch in an order drawn anew, and are dealt to a fixed number of *lanes*. Every
lane reads its units in turn, holds a pool of windows, and gives the same number of rows to each batch. Which rank or
worker runs a lane changes nothing, so two processes with batches of 8 see what one sees with batches of 16. Where a
lane stands is four numbers, so a run goes on in the middle of an epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from osuT5.data.balance import token_balanced_batches
from osuT5.data.keyed import Purpose, generator
from osuT5.data.source import Source, Window
from osuT5.errors import InputError

BATCHING = ("similar", "balanced", "random")


@dataclass(frozen=True)
class StreamSettings:
    """How windows become batches.

    Attributes:
        batch_size: rows of a batch over all ranks.
        lanes: readers; divides the batch size, and the number of ranks divides it.
        pool: windows that are shuffled together, over all lanes.
        batching: "similar" puts windows of like length into a batch (little padding), "balanced" gives every batch
            about the same number of tokens, "random" neither.
    """

    seed: int
    batch_size: int
    lanes: int
    pool: int
    batching: str = "similar"

    def __post_init__(self) -> None:
        """Raises InputError."""
        if self.batch_size < 1 or self.lanes < 1 or self.batch_size % self.lanes:
            raise InputError(
                f"{self.lanes} lanes cannot share batches of {self.batch_size}: lanes must divide the batch size"
            )
        if self.batching not in BATCHING:
            raise InputError(f"no way of batching named {self.batching!r}; known: {', '.join(BATCHING)}")

    @property
    def rows(self) -> int:
        """Of a lane in a batch."""
        return self.batch_size // self.lanes

    @property
    def batches(self) -> int:
        """Of a block, the batches that come from one pool."""
        return max(1, self.pool // self.batch_size)


def lanes_for(batch_size: int, ranks: int = 1, wanted: int = 8) -> int:
    """The fewest lanes, `wanted` at least where possible, that suit batch size and ranks.

    Raises InputError: ranks do not divide the batch size.
    """
    fits = [n for n in range(ranks, batch_size + 1, ranks) if batch_size % n == 0]
    if not fits:
        raise InputError(f"{ranks} processes cannot share batches of {batch_size}; choose a multiple of {ranks}")
    return next((n for n in fits if n >= wanted), fits[-1])


@dataclass(frozen=True)
class Cursor:
    """Where a lane stands.

    Attributes:
        block: pools used up.
        turn, skip: the block's windows begin in the lane's unit of this turn, after so many of its windows.
        served: batches of the block that were used.
    """

    block: int = 0
    turn: int = -1
    skip: int = 0
    served: int = 0


@dataclass
class Lane:
    """One reader of the stream. `cursor.turn` -1 stands for the lane's first unit."""

    source: Source
    settings: StreamSettings
    number: int
    cursor: Cursor = field(default_factory=Cursor)

    def __post_init__(self) -> None:
        if self.cursor.turn < 0:
            self.cursor = replace(self.cursor, turn=self.number)
        self._turn, self._skip = self.cursor.turn, self.cursor.skip  # what is read next
        self._held: list[tuple[int, int, Window]] = []  # turn, place in the unit, window
        self._epoch, self._order = -1, np.zeros(0, dtype=int)

    def batches(self) -> Iterator[tuple[list[Window], Cursor]]:
        """Rows for batch after batch, each with where the lane stands once they were used."""
        while True:
            parts = self._block()
            following = self._following()
            for served, part in enumerate(parts, start=1):
                if served <= self.cursor.served:
                    continue
                done = following if served == len(parts) else replace(self.cursor, served=served)
                yield part, done
            self.cursor = following

    def _following(self) -> Cursor:
        turn, skip = (self._held[0][0], self._held[0][1]) if self._held else (self._turn, 0)
        return Cursor(self.cursor.block + 1, turn, skip, 0)

    def _block(self) -> list[list[Window]]:
        """The batches of the next block; what was read beyond them stays held."""
        settings = self.settings
        needed = settings.batches * settings.rows
        self._read(needed)
        windows = [w for _, _, w in self._held[:needed]]
        self._held = self._held[needed:]
        shuffled = generator(settings.seed, self.cursor.block, Purpose.SHUFFLE, self.number).permutation(needed)
        windows = [windows[i] for i in shuffled]
        if settings.batching == "balanced":
            chosen = token_balanced_batches([len(w.sample.input_ids) for w in windows], settings.rows)
            return [[windows[i] for i in batch] for batch in chosen]
        if settings.batching == "similar":
            windows.sort(key=lambda w: len(w.sample.input_ids))
        parts = [windows[i : i + settings.rows] for i in range(0, needed, settings.rows)]
        # one order for all lanes, so that windows of like length meet in a batch
        order = generator(settings.seed, self.cursor.block, Purpose.ORDER, 2**20).permutation(len(parts))
        return [parts[i] for i in order]

    def _read(self, needed: int) -> None:
        """Reads units until so many windows are held. Raises InputError when no unit gives any."""
        empty: set[int] = set()  # units that gave none, one after the other
        while len(self._held) < needed:
            epoch, unit = self._unit(self._turn)
            windows = self.source.windows(epoch, unit)
            self._held += [(self._turn, i, w) for i, w in enumerate(windows) if i >= self._skip]
            self._turn, self._skip = self._turn + self.settings.lanes, 0
            if windows:
                empty.clear()
            else:
                empty.add(unit)
            if len(empty) == len(self.source):
                raise InputError("the training data gives no windows: no map could be used, see the log")

    def _unit(self, turn: int) -> tuple[int, int]:
        """Epoch and unit of a turn of the endless sequence of units."""
        epoch, place = divmod(turn, len(self.source))
        if epoch != self._epoch:
            order = generator(self.settings.seed, epoch, Purpose.ORDER, 0)
            self._epoch, self._order = epoch, order.permutation(len(self.source))
        return epoch, int(self._order[place])


Rows = list[tuple[int, list[Window], Cursor]]


def stream(
    source: Source, settings: StreamSettings, lanes: Sequence[int], cursors: Mapping[int, Cursor] | None = None
) -> Iterator[Rows]:
    """Batch after batch, the rows of these lanes: (lane, windows, where the lane then stands).

    Raises InputError: there are no units.
    """
    if not len(source):
        raise InputError("no map of the data set passes the filters; loosen them")
    running = [Lane(source, settings, lane, (cursors or {}).get(lane, Cursor())).batches() for lane in lanes]
    for parts in zip(*running, strict=True):
        yield [(lane, windows, cursor) for lane, (windows, cursor) in zip(lanes, parts, strict=True)]
