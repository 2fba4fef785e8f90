"""Class B rules about the map as a whole: its song, its extent, its combos. Facts: see `limits.py`."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import PurePosixPath

from osuT5.beatmap.types import Spinner
from osuT5.beatmap.verify.facts import Facts
from osuT5.beatmap.verify.findings import Fault
from osuT5.beatmap.verify.limits import (
    MAX_COMBO_LENGTH,
    MAX_SINGLE_COMBOS,
    MUSIC_SHARE_OF_MEDIAN,
    UNMAPPED_HEAD_SHARE,
    UNMAPPED_TAIL_SHARE,
)

# further suffixes of the same containers
OTHER_SUFFIXES = {"oga": "ogg", "opus": "ogg", "mp4": "m4a", "wave": "wav"}


def audio_file(facts: Facts) -> Iterator[Fault]:
    """B017: the song is there, is not empty, and is what its suffix says."""
    audio, named = facts.audio, facts.beatmap.audio_filename
    if audio is None:
        return
    if not audio.found:
        yield Fault(f"The audio file {named!r} is not there; put it beside the map", value=named)
    elif audio.size_bytes == 0:
        yield Fault(f"The audio file {named!r} is empty", value=0)
    elif audio.container and audio.container != _container(named):
        yield Fault(f"The audio file {named!r} is really {audio.container}; rename it in folder and map",
                    value=audio.container)  # fmt: skip


def _container(name: str) -> str:
    suffix = PurePosixPath(name).suffix.lower().lstrip(".")
    return OTHER_SUFFIXES.get(suffix, suffix)


def unmapped_song(facts: Facts) -> Iterator[Fault]:
    """B019: music in the first quarter and the last 40 % of the song has objects somewhere."""
    audio = facts.audio
    if audio is None or audio.loudness is None or not audio.duration_ms > 0 or not facts.objects:
        return
    loudness = [float(value) for value in audio.loudness]
    if not loudness:
        return
    threshold = MUSIC_SHARE_OF_MEDIAN * statistics.median(loudness)
    head, tail = UNMAPPED_HEAD_SHARE * audio.duration_ms, UNMAPPED_TAIL_SHARE * audio.duration_ms

    def plays(start: float, end: float) -> bool:
        seconds = loudness[int(start // 1000) : int(end // 1000) + 1]
        return bool(seconds) and sum(value > threshold for value in seconds) > len(seconds) / 2

    if facts.drain_start > head and plays(0, head):
        yield Fault("No object in the first quarter of the song, though music plays", 0.0, value=facts.drain_start,
                    limit=head, end=head)  # fmt: skip
    if facts.drain_end < tail and plays(tail, audio.duration_ms):
        yield Fault("No object in the last 40 % of the song, though music plays", tail, value=facts.drain_end,
                    limit=tail, end=audio.duration_ms)  # fmt: skip


def combos(facts: Facts) -> Iterator[Fault]:
    """B020: combos neither endless nor of single objects throughout."""
    singles: list[int] = []
    for combo in [*facts.combos, []]:
        if len(combo) > MAX_COMBO_LENGTH:
            yield Fault(f"The combo has {len(combo)} objects; begin new ones with the measures",
                        facts.starts[combo[0]], tuple(facts.indices[p] for p in combo), len(combo), MAX_COMBO_LENGTH,
                        end=facts.ends[combo[-1]])  # fmt: skip
        if len(combo) == 1 and not isinstance(facts.objects[combo[0]], Spinner):
            singles += combo
            continue
        if len(singles) > MAX_SINGLE_COMBOS:
            yield Fault(f"{len(singles)} combos of one object in a row", facts.starts[singles[0]],
                        tuple(facts.indices[p] for p in singles), len(singles), MAX_SINGLE_COMBOS,
                        end=facts.ends[singles[-1]])  # fmt: skip
        singles = []
