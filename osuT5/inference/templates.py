"""What can be asked of a model: which of its context templates serves a request, and which stages that means."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from osuT5.errors import OptionErrors
from osuT5.events import ContextType, Profile, Template

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
