"""A map about to be written: what is asked for, as a track with its prompts and all that is known beforehand."""

from __future__ import annotations

from dataclasses import dataclass

from osuT5.beatmap import TimingPoint
from osuT5.events import ContextType, PromptBuilder, encode_timing
from osuT5.events.prompt import negative_conditions
from osuT5.inference.contexts import given_sequence, template_inputs
from osuT5.inference.map_settings import map_settings
from osuT5.inference.postprocess import PlacedObjects
from osuT5.inference.resolve import Inputs, ResolvedOptions
from osuT5.inference.session import SongSession, encoder_conditions
from osuT5.inference.song_loop import Track
from osuT5.inference.templates import Task
from osuT5.inference.tick_weights import TickWeights


@dataclass(frozen=True)
class MapTask:
    """One map to make in a session."""

    inputs: Inputs
    options: ResolvedOptions
    task: Task


def open_track(
    session: SongSession, task: MapTask, seed_key: tuple[int, int], timing: list[TimingPoint] | None
) -> Track:
    """A map about to be written: its prompt builder and all that is known beforehand.

    Given are the timing, contexts that the request takes from the reference, and the map before a range.
    """
    options, profile, vocabulary = task.options, session.model.profile, session.model.vocabulary
    template, reference = task.task.template, task.inputs.reference
    length = session.plan(options).song_length_ms
    conditions = options.conditions(length)
    builder = PromptBuilder(
        profile,
        vocabulary,
        template,
        conditions,
        length,
        template_inputs(template, reference, profile, vocabulary, length),
        negative_conditions(conditions, options.negative_descriptors) if options.guidance > 1 else None,
    )
    track = Track(options, builder, encoder_conditions(options, session.model), task.inputs.seed, seed_key)
    given = set()
    if timing is not None and ContextType.TIMING in profile.output_contexts:
        track.sequences[ContextType.TIMING] = encode_timing(timing, profile, length)
        given.add(ContextType.TIMING)
    for context in template.outputs:
        if reference is None or context in given:
            continue
        if context in options.contexts:
            track.sequences[context] = given_sequence(reference, context, profile, length)
            given.add(context)
        elif options.add_to_beatmap and options.start_time is not None:
            before = given_sequence(reference, context, profile, length)
            end = sum(t <= options.start_time - 1 for t in before.times)
            track.sequences[context] = before.slice(0, end)
    track.given = frozenset(given)
    if timing is not None and ContextType.MAP not in given:
        track.placed = PlacedObjects(timing, profile, map_settings(options, task.inputs, session.song, profile))
    if options.grid_times and timing:
        track.ticks = TickWeights(
            timing,
            options.difficulty,
            session.salience,
            options.grid_habit,
            options.grid_hearing,
            options.grid_onsets,
        )
    return track
