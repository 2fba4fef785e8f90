"""What can be asked of a model: which context template serves a request, which stages that means, what is given."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from osuT5.beatmap import Beatmap
from osuT5.errors import InputError, OptionErrors
from osuT5.events import ContextType, EventSequence, Profile, Template, Vocabulary, conditions_of, encode
from osuT5.events.prompt import InputContext

MANIA = 3


@dataclass(frozen=True)
class Task:
    """A template and what is wanted of it.

    Attributes:
        wanted: outputs that are asked for, in template order.
        stages: outputs up to the last wanted one, in the order of generation.
    """

    template: Template
    wanted: tuple[ContextType, ...]

    @property
    def stages(self) -> tuple[ContextType, ...]:
        last = max(i for i, c in enumerate(self.template.outputs) if c in self.wanted)
        return self.template.outputs[: last + 1]


def choose_task(
    profile: Profile, given: Collection[ContextType], requested: Sequence[ContextType], gamemode: int
) -> Task:
    """The template that can write everything requested and uses most of what is given.

    Args:
        given: contexts known beforehand (from a reference beatmap, or timing that was found).
        requested: outputs; empty means all of the template (map review).
    Raises:
        OptionErrors: nothing the model was trained for fits; says what it can do.
    """
    problems = []
    inputs = {c for t in profile.templates for c in t.inputs} | {ContextType.NONE, ContextType.TIMING}
    usable = inputs | set(profile.output_contexts)
    for context in given:
        if context not in usable:
            problems.append(f"in_context: {context.name} cannot be given to {profile.name}; it takes {_names(usable)}")
    for context in requested:
        if context not in profile.output_contexts:
            problems.append(
                f"output_type: {context.name} cannot be written by {profile.name}; it writes "
                f"{_names(profile.output_contexts)}"
            )
    if problems:
        raise OptionErrors(problems)
    viable = [
        t
        for t in profile.templates
        if set(requested) <= set(t.outputs) and all(c in given or c is ContextType.NONE for c in t.inputs)
    ]
    if not viable:
        raise OptionErrors(
            [
                f"in_context: {profile.name} needs one of "
                f"{' or '.join(_names(t.inputs) for t in profile.templates)} to write {_names(requested)}"
            ]
        )
    template = max(viable, key=lambda t: sum(c is not ContextType.NONE for c in t.inputs))
    everything = requested or template.outputs
    wanted = tuple(
        c for c in template.outputs if c in everything and not (requested and c is ContextType.SV and gamemode != MANIA)
    )
    if not wanted:
        raise OptionErrors(["output_type: SV is written for mania only (gamemode=3)"])
    return Task(template, wanted)


def _names(contexts: Collection[ContextType]) -> str:
    return "[" + ", ".join(c.name for c in contexts) + "]"


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
