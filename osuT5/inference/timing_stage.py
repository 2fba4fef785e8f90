"""Where the beats of a generation come from: given red lines, the signal, or the model itself.

`auto` is the signal with its prior for octave and half beat: the embedded model's own opinion of the candidates did not
improve that choice (docs/experiments.md). Times are on the game clock.
"""

from __future__ import annotations

from collections.abc import Callable

from osuT5.audio import Song
from osuT5.beatmap import Beatmap, TimingPoint
from osuT5.errors import InputError
from osuT5.events import ContextType
from osuT5.inference.resolve import Settled
from osuT5.inference.song_loop import SongLoop, beats_only
from osuT5.timing import constant_timing, find_timing, fit_timing, timing_of


def find_red_lines(
    settled: Settled,
    reference: Beatmap | None,
    song: Song,
    loop: SongLoop,
    notice: Callable[[str], None],
) -> list[TimingPoint] | None:
    """Red lines for the map, or None when the model writes its beats into the map itself (read from there later).

    Raises: InputError when the asked-for provider has nothing to read.
    """
    profile = loop.profile
    provider = settled.timing
    if ContextType.TIMING in settled.contexts or provider == "file":
        lines = timing_of(reference) if reference is not None else []
        if not lines:
            raise InputError("timing: the reference beatmap has no red line; use timing=auto")
        return lines
    if provider == "constant":
        return constant_timing(settled.bpm, settled.offset)
    if provider == "model" and profile.add_timing:
        return None
    writes_timing = ContextType.TIMING in profile.output_contexts
    if provider == "model" and writes_timing:
        found = fit_timing(beats_only(loop.run([ContextType.TIMING])[ContextType.TIMING]), profile.types_first)
        if found:
            return found
        notice("the model wrote no beats: timing is taken from the signal instead")
    return find_timing(song, provider="grid").points
