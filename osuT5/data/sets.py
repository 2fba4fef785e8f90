"""From the maps of one song to samples: speed and flips once a set, then a context template for each map.

What is not in a file (mapper, year, descriptors, star ratings) comes from the data set. Facts: training spec, "From
a set to samples".
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from osuT5.beatmap import Beatmap, GameMode, read, stars
from osuT5.data.catalogue import MapFacts, rating_at
from osuT5.data.compiled import compile_context
from osuT5.data.recipes import SampleRecipe
from osuT5.data.samples import UNKNOWN_MAPPER, EncoderConditions, InputPart, MapSource, Sample, SampleMaker, prepare_map
from osuT5.data.windows import FrameGrid
from osuT5.errors import MapperatorinatorError
from osuT5.events import Conditions, ContextType, EventSequence, Profile, Template, Vocabulary, conditions_of, encode
from osuT5.events.layout import YEAR_MIN, YEAR_UNKNOWN

LOG = logging.getLogger(__name__)
# Contexts that only some modes have; elsewhere they are empty.
MODES_OF: Mapping[ContextType, frozenset[int]] = {ContextType.SV: frozenset({GameMode.MANIA})}


@dataclass
class MapSet:
    """The maps of one song.

    Attributes:
        facts: one row a map; maps: the .osu of each, as a path, bytes or a map that was read already.
        sound: playing speed -> mono samples at the model's rate, shape (n,).
    """

    facts: Sequence[MapFacts]
    maps: Sequence[Path | bytes | Beatmap]
    sound: Callable[[float], np.ndarray]


@dataclass(frozen=True)
class Play:
    """How a set is played in one epoch."""

    speed: float = 1.0
    flip_x: bool = False
    flip_y: bool = False


@dataclass(frozen=True)
class _Map:
    facts: MapFacts
    beatmap: Beatmap


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

    def samples(
        self, map_set: MapSet, rng: np.random.Generator, offset: int | None = None
    ) -> Iterator[tuple[Sample, np.ndarray]]:
        """Samples of a set in the order of its maps and of time, each with the sound of the whole song.

        A set without sound and maps that cannot be used are left out, noted in `skipped` and logged.
        """
        play = self.draw(rng)
        try:
            samples = map_set.sound(play.speed)
        except MapperatorinatorError as error:
            self._skip(f"set {map_set.facts[0].set_id}", error)
            return
        grid = FrameGrid.of(len(samples), self.profile.hop_length, self.profile.sample_rate)
        maps = self._read(map_set)
        for chosen in maps:
            try:
                source = self._source(chosen, maps, play, len(samples), rng)
                made = self.maker.samples(source, grid, rng, offset)
            except MapperatorinatorError as error:
                self._skip(f"map {chosen.facts.beatmap_id}", error)
                continue
            for sample in made:
                yield sample, samples

    def item(self, map_set: MapSet, place: int, rng: np.random.Generator) -> tuple[MapSource, np.ndarray] | None:
        """One map of a set, ready to be cut, and its sound, played by a draw of its own; None if it cannot be used."""
        wanted = map_set.facts[place]
        maps = self._read(map_set)
        chosen = next((m for m in maps if m.facts is wanted), None)
        if chosen is None:
            return None
        play = self.draw(rng)
        try:
            samples = map_set.sound(play.speed)
            return self._source(chosen, maps, play, len(samples), rng), samples
        except MapperatorinatorError as error:
            self._skip(f"map {wanted.beatmap_id}", error)
            return None

    def _read(self, map_set: MapSet) -> list[_Map]:
        """The maps that can be read; none where a guest difficulty is needed and there is no second map."""
        maps = []
        for facts, source in zip(map_set.facts, map_set.maps, strict=True):
            try:
                maps.append(_Map(facts, source if isinstance(source, Beatmap) else read(source)))
            except MapperatorinatorError as error:
                self._skip(f"map {facts.beatmap_id}", error)
        return [] if self.profile.add_gd_context and len(maps) < 2 else maps

    def _skip(self, name: str, error: Exception) -> None:
        if name not in self.skipped:
            LOG.warning("left out %s: %s", name, error)
        self.skipped[name] = str(error)

    def _source(
        self, chosen: _Map, maps: Sequence[_Map], play: Play, n_samples: int, rng: np.random.Generator
    ) -> MapSource:
        others = [m for m in maps if m is not chosen]
        length_ms = n_samples / self.profile.sample_rate * 1000
        template = self._template(bool(others), rng)

        def events(which: _Map, context: ContextType) -> EventSequence:
            if which.beatmap.mode not in MODES_OF.get(context, GameMode):
                return EventSequence()
            return encode(
                which.beatmap, self.profile, context, speed=play.speed, flip_x=play.flip_x, flip_y=play.flip_y,
                song_length_ms=length_ms * play.speed,
            )  # fmt: skip

        def other() -> tuple[_Map, Conditions]:
            drawn = others[int(rng.integers(len(others)))]
            return drawn, self._conditions(drawn, play, length_ms)

        inputs: list[tuple[ContextType, EventSequence, Conditions | None]] = []
        for context in template.inputs:
            which, conditions = other() if context is ContextType.GD else (chosen, None)
            inputs.append((context, events(which, context), conditions))
        outputs = {c: events(chosen, c) for c in template.outputs}
        own = self._conditions(chosen, play, length_ms)
        source = prepare_map(template, outputs, own, self.vocabulary, inputs)
        if self.profile.add_gd_context:
            which, conditions = other()
            compiled = compile_context(events(which, ContextType.GD), self.vocabulary)
            source.inputs.append(InputPart(ContextType.GD, compiled, conditions, marked=False))
        source.encoder = EncoderConditions(
            chosen.facts.style,
            self.vocabulary.mapper_class(chosen.facts.user_id),
            own.difficulty or 0.0,
            None if self.weights is None else self.weights.get(chosen.facts.beatmap_id, 1.0),
        )
        return source

    def _template(self, has_others: bool, rng: np.random.Generator) -> Template:
        """A template drawn by weight; where a set has no other difficulty to show, nothing is shown."""
        templates = self.profile.templates
        shares = np.cumsum(self.recipe.template_weights or [1.0] * len(templates))
        drawn = templates[int(np.searchsorted(shares / shares[-1], rng.random(), side="right"))]
        if has_others or ContextType.GD not in drawn.inputs:
            return drawn
        inputs = tuple(c for c in drawn.inputs if c is not ContextType.GD) or (ContextType.NONE,)
        return replace(drawn, inputs=inputs)

    def _conditions(self, which: _Map, play: Play, length_ms: float) -> Conditions:
        facts, beatmap = which.facts, which.beatmap
        conditions = conditions_of(
            beatmap,
            self.profile,
            song_length_ms=length_ms,
            year=_year(facts),
            speed=play.speed,
            difficulty=difficulty_at(facts, beatmap, play.speed),
        )
        stated = self.vocabulary.beatmap_mapper.get(beatmap.beatmap_id)
        mapper = stated if self.recipe.mapper_of == "file" else facts.user_id
        return replace(
            conditions,
            mapper_id=UNKNOWN_MAPPER if mapper is None else mapper,
            beatmap_id=facts.beatmap_id,
            descriptors=self.vocabulary.beatmap_descriptors.get(facts.beatmap_id),
        )


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
