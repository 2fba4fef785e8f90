"""Noise on a sample's input, so that a model does not trust what it wrote before to the last step.

Labels stay clean.
"""

from __future__ import annotations

import numpy as np

from osuT5.data.recipes import SampleRecipe
from osuT5.events import EventType, Vocabulary


def corrupt(
    ids: np.ndarray, first: int, vocabulary: Vocabulary, recipe: SampleRecipe, rng: np.random.Generator
) -> None:
    """Shifts times from index `first` on (previous events and outputs), replaces snaps anywhere; in place."""
    if recipe.time_jitter > 0 or recipe.common_time_jitter > 0:
        _jitter(ids[first:], vocabulary, recipe, rng)
    if recipe.snapping_noise > 0 and vocabulary.has(EventType.SNAPPING):
        snap = vocabulary.event_start[EventType.SNAPPING]
        count = vocabulary.event_end[EventType.SNAPPING] - snap
        chosen = (ids >= snap) & (ids < snap + count) & (rng.random(len(ids)) < recipe.snapping_noise)
        ids[chosen] = snap + rng.integers(0, count, int(chosen.sum()))


def _jitter(ids: np.ndarray, vocabulary: Vocabulary, recipe: SampleRecipe, rng: np.random.Generator) -> None:
    low = vocabulary.event_start[EventType.TIME_SHIFT]
    high = vocabulary.event_end[EventType.TIME_SHIFT] - 1
    times = (ids >= low) & (ids <= high)
    shift = np.zeros(len(ids), dtype=np.int64)
    if rng.random() < recipe.jitter_prob:
        shift += rng.integers(-recipe.time_jitter, recipe.time_jitter + 1, len(ids))
    if rng.random() < recipe.jitter_prob:
        shift += rng.integers(-recipe.common_time_jitter, recipe.common_time_jitter + 1)
    ids[times] = (ids + shift)[times].clip(low, high)
