"""Contexts that are given instead of written: read from the reference beatmap."""

from __future__ import annotations

from osuT5.beatmap import Beatmap
from osuT5.errors import InputError
from osuT5.events import ContextType, EventSequence, Profile, Template, Vocabulary, conditions_of, encode
from osuT5.events.prompt import InputContext


def given_sequence(reference: Beatmap, context: ContextType, profile: Profile, song_length_ms: float) -> EventSequence:
    """Events of the reference in one context."""
    if context is ContextType.NONE:
        return EventSequence()
    return encode(reference, profile, context, song_length_ms=song_length_ms)


def template_inputs(
    template: Template, reference: Beatmap | None, profile: Profile, vocabulary: Vocabulary, song_length_ms: float
) -> list[InputContext]:
    """The input contexts of a template. Raises InputError when one needs a reference that is not there."""
    inputs = []
    for context in template.inputs:
        if context is ContextType.NONE:
            inputs.append(InputContext(context))
            continue
        if reference is None:
            raise InputError(f"in_context=[{context.name}] needs beatmap_path: the context is read from that map")
        conditions = None
        if context is ContextType.GD:
            conditions = conditions_of(reference, profile, vocabulary, song_length_ms=song_length_ms)
        inputs.append(InputContext(context, given_sequence(reference, context, profile, song_length_ms), conditions))
    return inputs
