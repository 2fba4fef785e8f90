"""From the settings of a split to a source of windows, and to the vocabulary that a new model gets from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from osuT5.data.catalogue import MapFacts, class_tables, descriptors_by_votes, read_tags, read_weights
from osuT5.data.corpora import find_index, read_corpora, read_maps
from osuT5.data.mixture import Mixture, MixtureSettings
from osuT5.data.mmrs import mmrs_sets, read_metadata
from osuT5.data.ors import read_tracks, track_sets
from osuT5.data.recipes import SampleRecipe
from osuT5.data.samples import SampleMaker
from osuT5.data.set_source import SetSource
from osuT5.data.sets import MapSet, SetCutter
from osuT5.data.shards import open_shards
from osuT5.data.side_files import read_local_descriptors, read_mappers, read_votes
from osuT5.data.source import NoUnits, Source
from osuT5.data.web_archives import web_sets
from osuT5.errors import InputError
from osuT5.events import Vocabulary, descriptor_classes
from osuT5.training.run import Run, Split

EVALUATION_SEED = 7
# sources of descriptors whose classes are the ids of a tags file
TAGGED = ("user_tags", "web")
# how a message says the range of a split, whose options have names of their own
RANGE = {"start": "sets from ", "end": "up to "}
# the tags that these classes mean where no file of tags is named
BUILT_IN_TAGS = "web"

Opened = tuple[list[MapFacts], Callable[[Sequence[MapFacts]], list[MapSet]]]


def open_data(
    run: Run, split: Split, recipe: SampleRecipe, vocabulary: Vocabulary | None = None
) -> tuple[Source, Vocabulary]:
    """The windows of a split, and the vocabulary that they are written in.

    Args:
        vocabulary: of the checkpoint that training starts from, or of the training split; None = made from this one.

    Raises:
        InputError: the data is not there, is damaged, or no map passes the filters.
    """
    if not split.path:
        raise InputError(
            "no training data is named: set data.train_dataset_path to a folder made by `python -m osuT5.data.build` "
            "or `python -m osuT5.data.compile`"
        )
    if run.options.data.dataset_type == "corpora":
        vocabulary = vocabulary or Vocabulary.from_profile(run.profile)
        return _mixture(run, split, recipe, vocabulary), vocabulary
    facts, sets_of = OPENERS[run.options.data.dataset_type](run, split)
    facts = _select(run, split, facts)
    if vocabulary is None:
        vocabulary = _vocabulary(run, split, recipe, facts)
    if not facts:
        return NoUnits(), vocabulary
    weights = read_weights(run.options.data.sample_weights_path) if run.options.data.sample_weights_path else None
    cutter = SetCutter(run.profile, vocabulary, recipe, weights)
    seed = run.options.seed if split is run.train else EVALUATION_SEED
    return SetSource(sets_of(facts), cutter, seed, run.options.data.dataset_type), vocabulary


def _select(run: Run, split: Split, facts: Sequence[MapFacts]) -> list[MapFacts]:
    """Raises InputError when no map is left, naming what was asked for."""
    chosen = split.filter.select(facts)
    if chosen or split is run.test and split.filter.shares:  # a share of very few sets may be none
        return chosen
    part = "training" if split is run.train else "evaluation"
    asked = {name: value for name, value in asdict(split.filter).items() if value not in (None, ())}
    listed = ", ".join(
        f"{RANGE.get(name, f'data.{name}=')}{list(v) if isinstance(v, tuple) else v}" for name, v in asked.items()
    )
    unknown = split.filter.ranked_statuses and all(m.status is None for m in facts)
    remedy = (
        "the status of these maps is unknown: set data.ranked_statuses=null" if unknown else "loosen what is asked for"
    )
    raise InputError(f"no map of the {part} data passes the filters ({listed}); {remedy}")


def _files(
    read: Callable[[str], list[MapFacts]], make_sets: Callable[..., list[MapSet]]
) -> Callable[[Run, Split], Opened]:
    """Opener of a data set whose maps and sounds are files: how its facts are read, and how its sets are made."""

    def opened(run: Run, split: Split) -> Opened:
        sound = {
            "sample_rate": run.profile.sample_rate,
            "resampler": run.resampler,
            "normalize": run.recipe.normalize_audio,
        }
        return read(split.path), lambda facts: make_sets(split.path, facts, **sound)

    return opened


def _shards(run: Run, split: Split) -> Opened:
    shards = open_shards(split.path)

    def sets(facts: Sequence[MapFacts]) -> list[MapSet]:
        return shards.sets(facts, sample_rate=run.profile.sample_rate, normalize=run.recipe.normalize_audio)

    return shards.facts, sets


def _web(run: Run, split: Split) -> Opened:
    first, end = split.shards or (None, None)
    found = web_sets(
        split.path,
        split.filter,
        subset=run.options.data.dataset_subset,
        start=first,
        end=end,
        sample_rate=run.profile.sample_rate,
        resampler=run.resampler,
    )
    return [facts for one in found for facts in one.facts], lambda _: found


OPENERS: Mapping[str, Callable[[Run, Split], Opened]] = {
    "mmrs": _files(read_metadata, mmrs_sets),
    "ors": _files(read_tracks, track_sets),
    "shards": _shards,
    "web": _web,
}


def _vocabulary(run: Run, split: Split, recipe: SampleRecipe, facts: Sequence[MapFacts]) -> Vocabulary:
    """Classes of mappers and descriptors as the training split has them."""
    source, votes, data = run.descriptor_source, recipe.min_tag_votes, run.options.data
    tags = None
    if source in TAGGED:
        tags = read_tags(data.tags_path) if data.tags_path else descriptor_classes(BUILT_IN_TAGS)
    given = None
    if source == "web" and data.descriptors_path:
        given = descriptors_by_votes(read_votes(data.descriptors_path), tags or {}, votes)
    names = None
    if source == "local":
        names, given = read_local_descriptors(_descriptors_path(run))
    mappers = None if data.mappers_path is None else read_mappers(data.mappers_path)
    if mappers is not None:
        facts = [replace(m, user_id=mappers.get(m.beatmap_id)) for m in facts]
    tables = class_tables(facts, tags, given, votes)
    return Vocabulary.from_profile(
        run.profile,
        mappers=tables.mappers,
        beatmap_mapper=tables.beatmap_mapper,
        beatmap_styles=tables.beatmap_styles,
        descriptors=tables.descriptors if names is None else names,
        num_descriptors=tables.num_descriptors if names is None else len(names),
        beatmap_descriptors=tables.beatmap_descriptors,
        num_styles=data.num_classes,
    )


def _descriptors_path(run: Run) -> str:
    if not run.options.data.descriptors_path:
        raise InputError("local descriptors need data.descriptors_path; or set data.add_descriptors=false")
    return run.options.data.descriptors_path


def _mixture(run: Run, split: Split, recipe: SampleRecipe, vocabulary: Vocabulary) -> Source:
    folder = Path(split.path).expanduser()
    maker = SampleMaker(run.profile, vocabulary, recipe)
    mixture = MixtureSettings(**run.options.mixture.model_dump())
    if split is run.train:
        corpora = read_corpora(folder)
        songs = [s for s in corpora.songs if not any(part in str(s.audio_path) for part in run.options.data.leave_out)]
        return Mixture(corpora.maps, songs, maker, mixture, run.options.seed)
    index = find_index(folder)
    maps = list(read_maps(index, folder, split="valid")) if index else []
    return Mixture(maps, [], maker, mixture, EVALUATION_SEED)
