"""An endless, deterministic stream of training batches: maps with rendered sound mixed with songs and their charts.

Item i of the stream (one map or chart, all its windows) depends only on (seed, i), so a run resumes by number and the
result does not depend on how many workers made it. Windows of many items are shuffled together and batches hold
windows of like length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from osuT5.data.samples import IGNORED, MapSource, Sample, SampleMaker
from osuT5.data.windows import FrameGrid


@dataclass(frozen=True)
class Item:
    """One map with its sound: float32 mono samples at the model's rate."""

    source: MapSource
    samples: np.ndarray


# Makes item number i; the generator is keyed by (seed, i).
ItemFactory = Callable[[int, np.random.Generator], Item | None]


@dataclass(frozen=True)
class StreamSettings:
    """Batches of `batch_size` windows from a pool of `pool` windows; `first_item` continues an earlier run."""

    seed: int = 42
    batch_size: int = 16
    pool: int = 512
    chunk: int = 8  # batches that are sorted by length together
    first_item: int = 0


def item_generator(seed: int, number: int) -> np.random.Generator:
    """Counter-based randomness: the same for any number of workers."""
    return np.random.Generator(np.random.Philox(key=[seed, number]))


def window_sound(samples: np.ndarray, sample: Sample, hop: int, window_samples: int) -> np.ndarray:
    """Sound of a window as int16, zeros past the song; shape (window_samples,)."""
    start = sample.start_frame * hop
    heard = samples[start : start + window_samples]
    out = np.zeros(window_samples, dtype=np.int16)
    out[: len(heard)] = np.clip(heard * 32767, -32768, 32767)
    return out


def stream(
    factory: ItemFactory, maker: SampleMaker, settings: StreamSettings, worker: int = 0, workers: int = 1
) -> Iterator[dict[str, Tensor]]:
    """Batches without end: `frames` (B, N) float32, `decoder_input_ids`, `labels` (B, T) int64, `item` (B,)."""
    profile = maker.profile
    hop, window = profile.hop_length, profile.window_samples
    order = item_generator(settings.seed + 1, settings.first_item * workers + worker)
    pool: list[tuple[np.ndarray, Sample, int]] = []
    number = settings.first_item + worker
    wanted = settings.batch_size * settings.chunk
    while True:
        while len(pool) < settings.pool:
            rng = item_generator(settings.seed, number)
            item = factory(number, rng)
            if item is not None:
                grid = FrameGrid.of(len(item.samples), hop, profile.sample_rate)
                for sample in maker.samples(item.source, grid, rng):
                    if np.any(sample.labels != IGNORED):
                        pool.append((window_sound(item.samples, sample, hop, window), sample, number))
            number += workers
        chosen = order.permutation(len(pool))[:wanted]
        taken = sorted((pool[i] for i in chosen), key=lambda w: len(w[1].input_ids))
        kept = set(chosen.tolist())
        pool = [w for i, w in enumerate(pool) if i not in kept]
        batches = [taken[i : i + settings.batch_size] for i in range(0, len(taken), settings.batch_size)]
        for index in order.permutation(len(batches)):
            yield collate(batches[index])


def collate(windows: list[tuple[np.ndarray, Sample, int]]) -> dict[str, Tensor]:
    """Pads ids with 0 and labels with -100 to the longest of the batch."""
    longest = max(len(s.input_ids) for _, s, _ in windows)
    ids = np.zeros((len(windows), longest), dtype=np.int64)
    labels = np.full((len(windows), longest), IGNORED, dtype=np.int64)
    for row, (_, sample, _) in enumerate(windows):
        ids[row, : len(sample.input_ids)] = sample.input_ids
        labels[row, : len(sample.labels)] = sample.labels
    frames = np.stack([sound for sound, _, _ in windows]).astype(np.float32) / 32767
    return {
        "frames": torch.from_numpy(frames),
        "decoder_input_ids": torch.from_numpy(ids),
        "labels": torch.from_numpy(labels),
        "item": torch.tensor([number for _, _, number in windows]),
    }


class StreamDataset(torch.utils.data.IterableDataset):
    """`stream` for a torch DataLoader (batch_size=None): workers take every n-th item."""

    def __init__(self, factory: ItemFactory, maker: SampleMaker, settings: StreamSettings):
        self.factory, self.maker, self.settings = factory, maker, settings

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        info = torch.utils.data.get_worker_info()
        torch.set_num_threads(1)
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        return stream(self.factory, self.maker, self.settings, worker, workers)
