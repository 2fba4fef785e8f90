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
from osuT5.data.windows import FrameGrid, cut_sound
from osuT5.events import Profile


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
    heard = cut_sound(samples, sample.start_frame, hop, window_samples)
    return np.clip(heard * 32767, -32768, 32767).astype(np.int16)


# Numbers beside the sound that some encoders are told, and the setting of the model that says so.
ENCODER_CONDITIONS = {
    "difficulty": "do_difficulty_embed",
    "mapper_idx": "do_mapper_embed",
    "song_position": "do_song_position_embed",
}


def encoder_conditions(profile: Profile) -> tuple[str, ...]:
    """Names of what this profile's encoder is told beside the sound."""
    return tuple(name for name, switch in ENCODER_CONDITIONS.items() if profile.model.get(switch))


def stream(
    factory: ItemFactory, maker: SampleMaker, settings: StreamSettings, worker: int = 0, workers: int = 1
) -> Iterator[dict[str, Tensor]]:
    """Batches without end: `frames` (B, N) float32, `decoder_input_ids`, `labels` (B, T) int64, `item` (B,).

    Where there are such: `sample_weights` and what the profile's encoder is told, (B,) or (B, 2) float32.
    """
    profile = maker.profile
    told = encoder_conditions(profile)
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
            yield collate(batches[index], told)


def collate(windows: list[tuple[np.ndarray, Sample, int]], told: tuple[str, ...] = ()) -> dict[str, Tensor]:
    """Pads ids with 0 and labels with -100 to the longest of the batch; adds what the encoder is `told`."""
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
        **_facts_of([sample for _, sample, _ in windows], told),
    }


def _facts_of(samples: list[Sample], told: tuple[str, ...]) -> dict[str, Tensor]:
    facts = {}
    if "song_position" in told:
        facts["song_position"] = torch.tensor([s.song_position for s in samples], dtype=torch.float32)
    encoders = [s.encoder for s in samples if s.encoder is not None]
    if len(encoders) < len(samples):
        return facts
    if "difficulty" in told:
        facts["difficulty"] = torch.tensor([e.difficulty for e in encoders], dtype=torch.float32)
    if "mapper_idx" in told:
        facts["mapper_idx"] = torch.tensor([e.mapper for e in encoders])
    weights = [e.weight for e in encoders]
    if None not in weights:
        facts["sample_weights"] = torch.tensor(weights, dtype=torch.float32)
    return facts


class StreamDataset(torch.utils.data.IterableDataset):
    """`stream` for a torch DataLoader (batch_size=None): workers take every n-th item."""

    def __init__(self, factory: ItemFactory, maker: SampleMaker, settings: StreamSettings):
        self.factory, self.maker, self.settings = factory, maker, settings

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        info = torch.utils.data.get_worker_info()
        torch.set_num_threads(1)
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        return stream(self.factory, self.maker, self.settings, worker, workers)
