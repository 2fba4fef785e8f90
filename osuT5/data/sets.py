"""From the maps of one song to samples: speed and flips once a set, then a context template for each map.

What is not in a file (mapper, year, descriptors, star ratings) comes from the data set.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from osuT5.beatmap import Beatmap, GameMode, read, stars
from osuT5.data.catalogue import MapFacts, rating_at
from osuT5.data.compiled import CompiledContext, compile_context
from osuT5.data.keyed import SetDraws
from osuT5.data.recipes import SampleRecipe
from osuT5.data.samples import UNKNOWN_MAPPER, EncoderConditions, InputPart, MapSource, Sample, SampleMaker
from osuT5.data.windows import FrameGrid
from osuT5.errors import InputError, MapperatorinatorError
from osuT5.events import Conditions, ContextType, EventSequence, Profile, Template, Vocabulary, conditions_of, encode
from osuT5.events.layout import YEAR_MIN, YEAR_UNKNOWN

LOG = logging.getLogger(__name__)
# Contexts that only some modes have; elsewhere they are empty.
MODES_OF: Mapping[ContextType, frozenset[int]] = {ContextType.SV: frozenset({GameMode.MANIA})}
# A guest difficulty is shown whole, as a map is written.
SAME_EVENTS: Mapping[ContextType, ContextType] = {ContextType.GD: ContextType.MAP}
# What a hostile file may cause: it costs its map or set, never the run.
UNUSABLE = (MapperatorinatorError, ArithmeticError, ValueError)
NO_SOUND = np.zeros(0, dtype=np.int16)

# How a set gives its maps: a path, the bytes of a file, a map that was read already, or a function that reads it.
MapText = Path | bytes | Beatmap | Callable[[], Beatmap]


@dataclass
class MapSet:
    """The maps of one song.

    Attributes:
        facts: one row a map; maps: the .osu of each.
        sound: playing speed -> mono samples at the model's rate, shape (n,): float32, or int16 for sample * 32767.
    """

    facts: Sequence[MapFacts]
    maps: Sequence[MapText]
    sound: Callable[[float], np.ndarray]


@dataclass(frozen=True)
class Play:
    """How a set is played in one epoch."""

    speed: float = 1.0
    flip_x: bool = False
    flip_y: bool = False


@dataclass
class _Map:
    """A difficulty that was read, how it is played in a song of what length, and what was made of it so far."""

    place: int  # in the set
    facts: MapFacts
    beatmap: Beatmap
    play: Play
    length_ms: float  # of the sound as it is played
    contexts: dict[ContextType, CompiledContext] = field(default_factory=dict)
    conditions: Conditions | None = None


@dataclass
class SetCutter:
    """Turns sets into samples.

    Attributes:
        weights: beatmap id -> weight in the loss, 1 where it is missing; None: samples carry no weight.
        skipped: what could not be used so far, and why.
    """

    profile: Profile
    vocabulary: Vocabulary
    recipe: SampleRecipe
    weights: Mapping[int, float] | None = None

    def __post_init__(self) -> None:
        """Raises InputError: the recipe's template weights are not those of the profile."""
        weights, templates = self.recipe.template_weights, self.profile.templates
        if weights and len(weights) != len(templates):
            raise InputError(
                f"the recipe has {len(weights)} template weights, but profile {self.profile.name} has "
                f"{len(templates)} templates; give one weight for each, or none"
            )
        self.maker = SampleMaker(self.profile, self.vocabulary, self.recipe)
        self.skipped: dict[str, str] = {}

    def draw(self, rng: np.random.Generator) -> Play:
        """How the set is played this time."""
        recipe = self.recipe
        speed = 1.0
        if rng.random() < recipe.speed_prob:
            share = float(rng.random())
            low, high = recipe.speed_range
            speed = low + (high - low) * (share**0.5 if recipe.speed_sqrt else share)
        return Play(speed, bool(rng.random() < recipe.flip_x_prob), bool(rng.random() < recipe.flip_y_prob))

    def cut(self, map_set: MapSet, draws: SetDraws, offset: int | None = None) -> tuple[np.ndarray, list[Sample]]:
        """The sound of a set as it is played this time, and its samples in the order of its maps and of time.

        A set without sound and maps that cannot be used are left out, noted in `skipped` and logged.

        Returns:
            mono samples, shape (n,), as `map_set.sound` gives them; empty where there are no samples.
        """
        play = self.draw(draws.set())
        try:
            sound = map_set.sound(play.speed)
        except UNUSABLE as error:
            self._skip(f"set {map_set.facts[0].set_id}", error)
            return NO_SOUND, []
        grid = FrameGrid.of(len(sound), self.profile.hop_length, self.profile.sample_rate)
        maps = self._read(map_set, play, len(sound) / self.profile.sample_rate * 1000)
        made: list[Sample] = []
        for chosen in maps:
            own = draws.difficulty(chosen.place)
            try:
                made += self.maker.samples(self._source(chosen, maps, own.template()), grid, own, offset)
            except UNUSABLE as error:
                self._skip(f"map {chosen.facts.beatmap_id}", error)
        return sound, made

    def _read(self, map_set: MapSet, play: Play, length_ms: float) -> list[_Map]:
        """The maps that can be read and written; none where a guest is needed and there is no second map."""
        maps = []
        for place, (facts, source) in enumerate(zip(map_set.facts, map_set.maps, strict=True)):
            try:
                one = _Map(place, facts, read_map(source), play, length_ms)
                self._conditions(one)
                for context in self.profile.output_contexts:
                    self._context(one, context)
                maps.append(one)
            except UNUSABLE as error:
                self._skip(f"map {facts.beatmap_id}", error)
        return [] if self.profile.add_gd_context and len(maps) < 2 else maps

    def _skip(self, name: str, error: Exception) -> None:
        if name not in self.skipped:
            LOG.warning("left out %s: %s", name, error)
        self.skipped[name] = str(error)

    def _source(self, chosen: _Map, maps: Sequence[_Map], rng: np.random.Generator) -> MapSource:
        others = [m for m in maps if m is not chosen]
        template = self._template(bool(others), rng)

        def given(context: ContextType, marked: bool = True) -> InputPart:
            if context is not ContextType.GD:
                return InputPart(context, self._context(chosen, context))
            other = others[int(rng.integers(len(others)))]
            return InputPart(context, self._context(other, context), self._conditions(other), marked)

        inputs = [given(context) for context in template.inputs]
        if self.profile.add_gd_context:
            inputs.append(given(ContextType.GD, marked=False))
        outputs = [(context, self._context(chosen, context)) for context in template.outputs]
        conditions = self._conditions(chosen)
        encoder = EncoderConditions(
            chosen.facts.style,
            self.vocabulary.mapper_class(chosen.facts.user_id),
            conditions.difficulty or 0.0,
            None if self.weights is None else self.weights.get(chosen.facts.beatmap_id, 1.0),
        )
        return MapSource(template, outputs, conditions, inputs, encoder=encoder)

    def _context(self, which: _Map, context: ContextType) -> CompiledContext:
        """A context of a map, made once for all templates of its set."""
        context = SAME_EVENTS.get(context, context)
        if context not in which.contexts:
            events, play = EventSequence(), which.play
            if which.beatmap.mode in MODES_OF.get(context, GameMode):
                events = encode(
                    which.beatmap, self.profile, context, speed=play.speed, flip_x=play.flip_x, flip_y=play.flip_y,
                    song_length_ms=which.length_ms * play.speed,
                )  # fmt: skip
            which.contexts[context] = compile_context(events, self.vocabulary)
        return which.contexts[context]

    def _template(self, has_others: bool, rng: np.random.Generator) -> Template:
        """A template drawn by weight; where a set has no other difficulty to show, nothing is shown."""
        templates = self.profile.templates
        shares = np.cumsum(self.recipe.template_weights or [1.0] * len(templates))
        drawn = templates[int(np.searchsorted(shares / shares[-1], rng.random(), side="right"))]
        if has_others or ContextType.GD not in drawn.inputs:
            return drawn
        inputs = tuple(c for c in drawn.inputs if c is not ContextType.GD) or (ContextType.NONE,)
        return replace(drawn, inputs=inputs)

    def _conditions(self, which: _Map) -> Conditions:
        if which.conditions is not None:
            return which.conditions
        facts, beatmap, play = which.facts, which.beatmap, which.play
        conditions = conditions_of(
            beatmap,
            self.profile,
            song_length_ms=which.length_ms,
            year=_year(facts),
            speed=play.speed,
            difficulty=difficulty_at(facts, beatmap, play.speed),
        )
        stated = self.vocabulary.beatmap_mapper.get(beatmap.beatmap_id)
        mapper = stated if self.recipe.mapper_of == "file" else facts.user_id
        which.conditions = replace(
            conditions,
            mapper_id=UNKNOWN_MAPPER if mapper is None else mapper,
            beatmap_id=facts.beatmap_id,
            descriptors=self.vocabulary.beatmap_descriptors.get(facts.beatmap_id),
        )
        return which.conditions


def read_map(source: MapText) -> Beatmap:
    """Raises BeatmapError for what is no map, and what a function of the set raises."""
    if isinstance(source, Beatmap):
        return source
    return source() if callable(source) else read(source)


def difficulty_at(facts: MapFacts, beatmap: Beatmap, speed: float) -> float:
    """Star rating at a playing speed: as the data set says, else rated here; 0 where nobody knows."""
    if facts.ratings:
        return rating_at(facts.ratings, speed)
    rated = None if speed == 1.0 else stars(beatmap, clock_rate=speed)
    return round(rated, 2) if rated is not None else facts.difficulty or 0.0


def _year(facts: MapFacts) -> int | None:
    """Of submission; None where it is not known or no year token says it."""
    year = None if facts.submitted_date is None else facts.submitted_date.year
    return year if year is not None and YEAR_MIN <= year < YEAR_UNKNOWN else None
