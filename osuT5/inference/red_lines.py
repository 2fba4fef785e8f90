"""Where the red lines of a map come from: the reference, a stated tempo, the model, or the signal."""

from __future__ import annotations

from typing import Literal

from osuT5.beatmap import TimingPoint
from osuT5.errors import InputError
from osuT5.events import ContextType, EventSequence, EventType, Profile, only
from osuT5.inference.progress import CancelToken, Notice, OnProgress, Stage
from osuT5.inference.resolve import ResolvedOptions
from osuT5.inference.session import SongSession
from osuT5.inference.song_loop import LoopStats, SongLoop
from osuT5.inference.track import MapTask, open_track
from osuT5.timing import constant_timing, fit_timing, timing_of

TimingSource = Literal["beatmap", "constant", "model", "map", "grid"]


def timing_source(options: ResolvedOptions, profile: Profile) -> TimingSource:
    """Where the red lines come from, whatever is to be written.

    Returns:
        "beatmap": the reference's red lines. "constant": bpm and offset. "model": a pass that writes beats only.
        "map": beats that the model writes between the objects. "grid": the signal, with its prior for octave and half
        beat; also for `auto`, as the embedded model's own opinion of the candidates did not improve that choice
        (docs/experiments.md).
    """
    if ContextType.TIMING in options.contexts or options.timing == "file":
        return "beatmap"
    if options.timing == "constant":
        return "constant"
    if options.timing == "model" and profile.add_timing:
        return "map"
    if options.timing == "model" and ContextType.TIMING in profile.output_contexts:
        return "model"
    return "grid"


def find_red_lines(
    session: SongSession, task: MapTask, on_progress: OnProgress, cancel: CancelToken, stats: LoopStats
) -> list[TimingPoint] | None:
    """Red lines for the maps on the game clock, or None when they are read from the finished map's own beats.

    Raises: InputError when the asked-for source has nothing to read.
    """
    options, profile = task.options, session.model.profile
    source = timing_source(options, profile)
    on_progress(Stage("timing", options.timing))
    if source == "beatmap":
        lines = timing_of(task.inputs.reference) if task.inputs.reference is not None else []
        if not lines:
            raise InputError("timing: the reference beatmap has no red line; use timing=auto")
        return lines
    if source == "constant":
        return constant_timing(options.bpm, options.offset)
    if source == "map":
        return None
    if source == "model":
        plan = session.plan(options)
        track = open_track(session, task, (0, 0), None)
        SongLoop(session, plan, [track], on_progress, cancel, stats).run([ContextType.TIMING])
        beats = track.finished([ContextType.TIMING], plan.song_length_ms)[ContextType.TIMING]
        found = fit_timing(beats_only(beats), profile.types_first)
        if found:
            return found
        on_progress(Notice("the model wrote no beats: timing is taken from the signal instead"))
    return session.grid_timing


def beats_only(sequence: EventSequence) -> EventSequence:
    """Of a timing pass: times and beat types, nothing else."""
    return only(sequence, {EventType.TIME_SHIFT, EventType.BEAT, EventType.MEASURE, EventType.TIMING_POINT})
