"""Worker processes around the stream: every worker runs some lanes, their rows are put together in lane order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from osuT5.data.batches import Batch, collate, join
from osuT5.data.keyed import Purpose, generator
from osuT5.data.source import Source
from osuT5.data.stream import Cursor, StreamSettings, stream
from osuT5.errors import InputError, MapperatorinatorError

# How worker part and main process talk of cursors: rows of lane, block, turn, skip, served.
_CURSOR = ("block", "turn", "skip", "served")


@dataclass(frozen=True)
class WorkerSettings:
    """Processes of a rank that read and cut (0: none), batches that each makes ahead, page-locked memory for GPUs."""

    count: int = 1
    prefetch: int = 4
    pinned: bool = False


class _Lanes(IterableDataset):
    """The rows of a worker's share of some lanes, batch after batch."""

    def __init__(
        self,
        source: Source,
        settings: StreamSettings,
        lanes: list[int],
        cursors: dict[int, Cursor],
        told: tuple[str, ...],
    ):
        self.source, self.settings, self.lanes, self.cursors, self.told = source, settings, lanes, cursors, told

    def __iter__(self) -> Iterator[Batch | MapperatorinatorError]:
        info = get_worker_info()
        lanes = self.lanes
        if info is not None:
            torch.set_num_threads(1)
            lanes = lanes[info.id :: info.num_workers]
        rows_of_batches = stream(self.source, self.settings, lanes, self.cursors)
        while True:
            try:
                rows = next(rows_of_batches)
            except MapperatorinatorError as error:
                yield error  # raised in the main process: what a worker raises arrives with its whole traceback
                return
            batch = collate([w for _, windows, _ in rows for w in windows], self.told)
            batch["lane"] = torch.tensor([lane for lane, windows, _ in rows for _ in windows])
            batch["cursors"] = torch.tensor([[lane, *(getattr(c, f) for f in _CURSOR)] for lane, _, c in rows])
            yield batch


class Loader:
    """Batches of one rank, without end. `cursors` always says where the lanes stand after the last batch given out.

    Args:
        settings: of the whole stream; `rank` of `ranks` takes every `ranks`-th lane.
        told: what the encoder is told beside the sound, see `encoder_conditions`.
        cursors: of all lanes or none; where an earlier run stopped.

    Raises InputError: ranks do not divide the lanes.
    """

    def __init__(
        self,
        source: Source,
        settings: StreamSettings,
        workers: WorkerSettings,
        told: tuple[str, ...] = (),
        rank: int = 0,
        ranks: int = 1,
        cursors: Mapping[int, Cursor] | None = None,
    ):
        if settings.lanes % ranks:
            raise InputError(f"{ranks} processes cannot share {settings.lanes} lanes; set data.lanes to a multiple")
        self.lanes = list(range(rank, settings.lanes, ranks))
        self.workers = min(workers.count, len(self.lanes))
        self.units = len(source)
        self.cursors = {lane: (cursors or {}).get(lane, Cursor(turn=lane)) for lane in self.lanes}
        more = {"prefetch_factor": workers.prefetch, "persistent_workers": True} if self.workers else {}
        self.parts = DataLoader(
            _Lanes(source, settings, self.lanes, dict(self.cursors), told),
            batch_size=None,
            num_workers=self.workers,
            pin_memory=workers.pinned,
            generator=torch.Generator(),  # of its own: opening a loader must not draw from the run's random numbers
            **more,
        )

    def __iter__(self) -> Iterator[Batch]:
        parts = iter(self.parts)
        while True:
            batch = join([_next(parts) for _ in range(max(self.workers, 1))])
            for lane, *values in batch.pop("cursors").tolist():
                self.cursors[lane] = Cursor(*values)
            lanes = batch.pop("lane")
            if self.workers > 1:
                order = torch.argsort(lanes, stable=True)
                batch = {name: tensor[order] for name, tensor in batch.items()}
            yield batch

    @property
    def epoch(self) -> float:
        """Epochs read so far, as the slowest lane has it."""
        return min(c.turn for c in self.cursors.values()) / max(self.units, 1)


def _next(parts: Iterator[Batch | MapperatorinatorError]) -> Batch:
    """Raises MapperatorinatorError: what the reading met, in whichever process."""
    part = next(parts)
    if isinstance(part, MapperatorinatorError):
        raise part
    return part


def evaluation_batches(
    source: Source,
    batch_size: int,
    told: tuple[str, ...] = (),
    rank: int = 0,
    ranks: int = 1,
    limit: int | None = None,
) -> Iterator[Batch]:
    """Batches of a source once through; rank r takes every `ranks`-th unit. The last may be short.

    The units come in one fixed random order, so that `limit`, the most batches of one rank, cuts off no era or mode.
    """
    units = generator(0, 0, Purpose.ORDER, 0).permutation(len(source))[rank::ranks]
    held, given = [], 0
    for unit in units.tolist():
        held += source.windows(0, unit)
        while len(held) >= batch_size:
            yield collate(held[:batch_size], told)
            held, given = held[batch_size:], given + 1
            if limit is not None and given >= limit:
                return
    if held:
        yield collate(held, told)
