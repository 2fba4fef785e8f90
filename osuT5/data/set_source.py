"""A data set as a source of the training stream: a unit is a set, all its difficulties share one draw and one sound.

Speed and flips are drawn once a set, everything else once a difficulty or a window (`keyed`).
"""

from __future__ import annotations

import gc
import hashlib
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from osuT5.data.keyed import SetDraws
from osuT5.data.samples import IGNORED
from osuT5.data.sets import MapSet, SetCutter
from osuT5.data.source import Window
from osuT5.data.stored_sound import as_int16
from osuT5.data.windows import cut_sound
from osuT5.errors import InputError


class SetSource:
    """Windows of MMRS, web or compiled sets.

    Windows without any label are left out; whether those stay in which nothing happens is the recipe's `empty`.
    """

    def __init__(self, sets: Sequence[MapSet], cutter: SetCutter, seed: int = 42, origin: str = ""):
        """
        Args:
            origin: what identifies the data set's files, for `scheme`.
        Raises:
            InputError: there are no sets, or none that the profile can use.
        """
        if not sets:
            raise InputError("no map of the data set passes the filters; loosen them")
        least = 2 if cutter.profile.add_gd_context else 1
        self.sets = [one for one in sets if len(one.facts) >= least]
        if not self.sets:
            raise InputError(
                f"profile {cutter.profile.name} shows another difficulty beside each map (add_gd_context), but no set "
                "that passes the filters has two; loosen the filters or choose another profile"
            )
        self.cutter, self.seed, self.origin = cutter, seed, origin
        self._first = [0, *itertools.accumulate(len(one.facts) for one in self.sets)]

    def __len__(self) -> int:
        """Sets in an epoch."""
        return len(self.sets)

    @property
    def maps(self) -> int:
        """Difficulties in an epoch."""
        return self._first[-1]

    def windows(self, epoch: int, unit: int) -> list[Window]:
        """All windows of a set; int16 sound where the recipe normalises it, raw float32 values where not."""
        draws = SetDraws(self.seed, epoch, unit, self._first[unit])
        with _without_collection():
            sound, samples = self.cutter.cut(self.sets[unit], draws)
        samples = [sample for sample in samples if np.any(sample.labels != IGNORED)]
        if not samples:
            return []
        if self.cutter.recipe.normalize_audio:
            sound = as_int16(sound)
        profile = self.cutter.profile
        hop, length = profile.hop_length, profile.window_samples
        return [Window(cut_sound(sound, sample.start_frame, hop, length), sample) for sample in samples]

    def scheme(self) -> dict[str, Any]:
        """Sets and maps by number and identity; recipe and profile are kept with the run's configuration."""
        ids = hashlib.sha256()
        for one in self.sets:
            ids.update(f"{one.facts[0].set_id}:{','.join(str(m.beatmap_id) for m in one.facts)};".encode())
        return {
            "kind": "sets",
            "sets": len(self.sets),
            "maps": self.maps,
            "ids": ids.hexdigest()[:16],
            "origin": self.origin,
            "seed": self.seed,
        }


@contextmanager
def _without_collection() -> Iterator[None]:
    """Pauses the search for cycles: a set makes a hundred thousand small objects and no cycle (a fifth of the time)."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
