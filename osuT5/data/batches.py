"""Windows as tensors: padding, what encoders are told, and putting the parts of several workers together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from osuT5.data.samples import IGNORED, Sample
from osuT5.data.source import Window
from osuT5.events import Profile

Batch = dict[str, Tensor]
PAD = {"decoder_input_ids": 0, "labels": IGNORED}
INT16_SCALE = 32767

# Numbers beside the sound that some encoders are told, and the setting of the model that says so.
ENCODER_CONDITIONS = {
    "difficulty": "do_difficulty_embed",
    "mapper_idx": "do_mapper_embed",
    "song_position": "do_song_position_embed",
}


def encoder_conditions(profile: Profile) -> tuple[str, ...]:
    """Names of what this profile's encoder is told beside the sound."""
    return tuple(name for name, switch in ENCODER_CONDITIONS.items() if profile.model.get(switch))


def collate(windows: Sequence[Window], told: tuple[str, ...] = ()) -> Batch:
    """Pads ids with 0 and labels with -100 to the longest of the batch; adds what the encoder is `told`.

    Returns:
        `frames` (B, N) int16 or float32, see `sound_of`; `decoder_input_ids`, `labels` (B, T) int64; where there are
        such: `sample_weights`, `difficulty`, `mapper_idx` (B,), `song_position` (B, 2).
    """
    samples = [w.sample for w in windows]
    longest = max(len(s.input_ids) for s in samples)
    ids = np.zeros((len(samples), longest), dtype=np.int64)
    labels = np.full((len(samples), longest), IGNORED, dtype=np.int64)
    for row, sample in enumerate(samples):
        ids[row, : len(sample.input_ids)] = sample.input_ids
        labels[row, : len(sample.labels)] = sample.labels
    return {
        "frames": torch.from_numpy(np.stack([w.sound for w in windows])),
        "decoder_input_ids": torch.from_numpy(ids),
        "labels": torch.from_numpy(labels),
        **_facts_of(samples, told),
    }


def sound_of(frames: Tensor) -> Tensor:
    """Frames of a batch as float32 samples."""
    return frames.float() / INT16_SCALE if frames.dtype == torch.int16 else frames


def join(parts: Sequence[Batch]) -> Batch:
    """Rows of several batches in one, padded to the longest."""
    if len(parts) == 1:
        return parts[0]
    joined = {}
    for name in parts[0]:
        tensors = [p[name] for p in parts]
        if name in PAD:
            longest = max(t.shape[1] for t in tensors)
            tensors = [torch.nn.functional.pad(t, (0, longest - t.shape[1]), value=PAD[name]) for t in tensors]
        joined[name] = torch.cat(tensors)
    return joined


def _facts_of(samples: Sequence[Sample], told: tuple[str, ...]) -> Batch:
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
