"""From the settings of a split to a source of windows, and to the vocabulary that a new model gets from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from osuT5.data.catalogue import MapFacts, class_tables, descriptors_by_votes, read_tags, read_weights
from osuT5.data.corpora import find_index, read_corpora, read_maps
from osuT5.data.mixture import Mixture
from osuT5.data.mmrs import mmrs_sets, read_metadata
from osuT5.data.ors import read_tracks, track_sets
from osuT5.data.recipes import SampleRecipe
from osuT5.data.samples import SampleMaker
from osuT5.data.set_source import SetSource
from osuT5.data.sets import MapSet, SetCutter
from osuT5.data.shards import open_shards
from osuT5.data.side_files import read_local_descriptors, read_mappers, read_votes
from osuT5.data.source import Source
from osuT5.data.web_archives import web_sets
from osuT5.errors import InputError
from osuT5.events import Vocabulary, descriptor_classes
from osuT5.training.settings import RunSettings, SplitSettings

EVALUATION_SEED = 7
# sources of descriptors whose classes are the ids of a tags file
TAGGED = ("user_tags", "web")
# how a message says the range of a split, whose options have names of their own
RANGE = {"start": "sets from ", "end": "up to "}
# the tags that these classes mean where no file of tags is named
BUILT_IN_TAGS = "web"

Opened = tuple[list[MapFacts], Callable[[Sequence[MapFacts]], list[MapSet]]]


def open_data(
    run: RunSettings, split: SplitSettings, recipe: SampleRecipe, vocabulary: Vocabulary | None = None
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
    if split.dataset_type == "corpora":
        vocabulary = vocabulary or Vocabulary.from_profile(run.profile)
        return _mixture(run, split, recipe, vocabulary), vocabulary
    facts, sets_of = OPENERS[split.dataset_type](run, split)
    facts = _select(run, split, facts)
    if vocabulary is None:
        vocabulary = _vocabulary(run, split, recipe, facts)
    weights = read_weights(split.weights_path) if split.weights_path else None
    cutter = SetCutter(run.profile, vocabulary, recipe, weights)
    seed = run.loop.seed if split is run.train else EVALUATION_SEED
    return SetSource(sets_of(facts), cutter, seed, split.dataset_type), vocabulary


def _select(run: RunSettings, split: SplitSettings, facts: Sequence[MapFacts]) -> list[MapFacts]:
    """Raises InputError when no map is left, naming what was asked for."""
    chosen = split.filter.select(facts)
    if chosen:
        return chosen
    part = "training" if split is run.train else "evaluation"
    asked = {name: value for name, value in asdict(split.filter).items() if value not in (None, ())}
    listed = ", ".join(
        f"{RANGE.get(name, f'data.{name}=')}{list(v) if isinstance(v, tuple) else v}" for name, v in asked.items()
    )
    unknown = split.filter.ranked_statuses and all(m.status is None for m in facts)
    remedy = (
        "the status of these maps is unknown: set data.ranked_statuses=null, or build the data set with status=1"
        if unknown
        else "loosen what is asked for"
    )
    raise InputError(f"no map of the {part} data passes the filters ({listed}); {remedy}")


def _files(
    read: Callable[[str], list[MapFacts]], make_sets: Callable[..., list[MapSet]]
) -> Callable[[RunSettings, SplitSettings], Opened]:
    """Opener of a data set whose maps and sounds are files: how its facts are read, and how its sets are made."""

    def opened(run: RunSettings, split: SplitSettings) -> Opened:
        sound = {
            "sample_rate": run.profile.sample_rate,
            "resampler": split.resampler,
            "normalize": run.recipe.normalize_audio,
        }
        return read(split.path), lambda facts: make_sets(split.path, facts, **sound)

    return opened


def _shards(run: RunSettings, split: SplitSettings) -> Opened:
    shards = open_shards(split.path)

    def sets(facts: Sequence[MapFacts]) -> list[MapSet]:
        return shards.sets(facts, sample_rate=run.profile.sample_rate, normalize=run.recipe.normalize_audio)

    return shards.facts, sets


def _web(run: RunSettings, split: SplitSettings) -> Opened:
    first, end = split.shards or (None, None)
    found = web_sets(
        split.path,
        split.filter,
        subset=split.subset,
        start=first,
        end=end,
        sample_rate=run.profile.sample_rate,
        resampler=split.resampler,
    )
    return [facts for one in found for facts in one.facts], lambda _: found


OPENERS: Mapping[str, Callable[[RunSettings, SplitSettings], Opened]] = {
    "mmrs": _files(read_metadata, mmrs_sets),
    "ors": _files(read_tracks, track_sets),
    "shards": _shards,
    "web": _web,
}


def _vocabulary(run: RunSettings, split: SplitSettings, recipe: SampleRecipe, facts: Sequence[MapFacts]) -> Vocabulary:
    """Classes of mappers and descriptors as the training split has them."""
    source, votes = split.descriptor_source, recipe.min_tag_votes
    tags = None
    if source in TAGGED:
        tags = read_tags(split.tags_path) if split.tags_path else descriptor_classes(BUILT_IN_TAGS)
    given = None
    if source == "web" and split.descriptors_path:
        given = descriptors_by_votes(read_votes(split.descriptors_path), tags or {}, votes)
    names = None
    if source == "local":
        names, given = read_local_descriptors(_descriptors_path(split))
    mappers = None if split.mappers_path is None else read_mappers(split.mappers_path)
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
        num_styles=run.num_styles,
    )


def _descriptors_path(split: SplitSettings) -> str:
    if not split.descriptors_path:
        raise InputError("local descriptors need data.descriptors_path; or set data.add_descriptors=false")
    return split.descriptors_path


def _mixture(run: RunSettings, split: SplitSettings, recipe: SampleRecipe, vocabulary: Vocabulary) -> Source:
    folder = Path(split.path).expanduser()
    maker = SampleMaker(run.profile, vocabulary, recipe)
    if split is run.train:
        corpora = read_corpora(folder)
        songs = [s for s in corpora.songs if not any(part in str(s.audio_path) for part in split.leave_out)]
        return Mixture(corpora.maps, songs, maker, run.mixture, run.loop.seed)
    index = find_index(folder)
    maps = list(read_maps(index, folder, split="valid")) if index else []
    return Mixture(maps, [], maker, run.mixture, EVALUATION_SEED)
