"""Where training and evaluation windows come from. Published splits are ranges of sets, or of shard files."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from osuT5.data.catalogue import MapFilter
from osuT5.events import Profile
from osuT5.training.settings.placed import Placed
from osuT5.training.settings.sections import SplitSettings

# data sets that say themselves which of their parts is for training: no ranges
OWN_SPLITS = ("corpora",)
# data sets whose ranges count files, not sets
RANGES_OF_FILES = ("web",)
# what the published loader took for web data
DEFAULT_RESAMPLER = {"web": "band_limited"}

# filters on what a data set does not know of any map: they would leave none
UNKNOWN_IN = {"ors": ("ranked_statuses", "min_year", "max_year")}
LISTS = ("subset_ids", "ranked_statuses")

Range = tuple[int, int] | None


def splits_of(placed: Placed, profile: Profile) -> tuple[SplitSettings, SplitSettings | None]:
    """Training and test split; the latter is None where nothing is to be evaluated."""
    train, test, both = placed["train"], placed["test"], dict(placed["split"])
    kind = both.setdefault("dataset_type", "mmrs")
    both["resampler"] = both.get("resampler") or DEFAULT_RESAMPLER.get(kind, "published")
    both["descriptor_source"] = _descriptor_source(profile, kind, both)
    filters = {k: v for k, v in placed["filter"].items() if k not in UNKNOWN_IN.get(kind, ())}
    lists = {k: v or () for k, v in filters.items() if k in LISTS}
    chosen = MapFilter(gamemodes=profile.gamemodes, **{**filters, **lists})
    _check_limits(chosen, placed)

    path = _path(train.get("path"), train.get("common_path"), placed)
    heard, asked = _range("train", train, kind, placed), _range("test", test, kind, placed)
    if heard is not None and heard[0] == heard[1]:
        placed.problems.append("data.train_dataset_start = data.train_dataset_end: no set is left; null takes them all")
    training = _split(path, heard, train, both, chosen)
    if asked is not None and asked[0] == asked[1]:
        return training, None
    testing = _split(test.get("path") or path, asked, test, both, chosen)
    if testing.path == training.path and kind not in OWN_SPLITS and _overlap(heard, asked):
        placed.notices.append(
            "the evaluation data is part of the training data, so its numbers say little; give both ranges of sets "
            "(data.train_dataset_end, data.test_dataset_start, data.test_dataset_end)"
        )
    return training, testing


def _descriptor_source(profile: Profile, kind: str, both: dict[str, Any]) -> str:
    """Without a table of votes beside the data, the votes are those that the data set itself holds."""
    own_votes = profile.descriptor_source == "web" and kind != "web" and not both.get("descriptors_path")
    return "user_tags" if own_votes else profile.descriptor_source


def _path(own: str | None, common: str | None, placed: Placed) -> str:
    if not (own or common):
        placed.problems.append(
            "data.train_dataset_path (or data.path) is missing: the folder of the data set, such as "
            "`python -m osuT5.data.build` makes of .osz files"
        )
    return os.path.expanduser(own or common or "")


def _range(name: str, values: dict[str, Any], kind: str, placed: Placed) -> Range:
    start, end = values.get("start"), values.get("end")
    first, last = f"data.{name}_dataset_start", f"data.{name}_dataset_end"
    if kind in OWN_SPLITS and (start or 0) != (end or 0):
        placed.problems.append(
            f"{first} and {last} must be null: data of the type {kind} says itself what is for training"
        )
        return None
    if end is None:
        if start:
            placed.problems.append(f"{first} {start} needs {last} too")
        return None
    start = start or 0
    if start > end:
        placed.problems.append(f"{first} {start} lies beyond {last} {end}")
        return None
    return (start, end)


def _split(path: str, wanted: Range, values: dict[str, Any], both: dict[str, Any], chosen: MapFilter) -> SplitSettings:
    files = both["dataset_type"] in RANGES_OF_FILES
    start, end = (None, None) if wanted is None or files else wanted
    return SplitSettings(
        path=path,
        filter=replace(chosen, start=start, end=end),
        shards=wanted if files else None,
        streaming=values.get("streaming", False),
        **{**both, "leave_out": tuple(both.get("leave_out") or ())},
    )


def _overlap(one: Range, other: Range) -> bool:
    return one is None or other is None or (one[0] < other[1] and other[0] < one[1])


def _check_limits(chosen: MapFilter, placed: Placed) -> None:
    for name in ("year", "difficulty"):
        low, high = getattr(chosen, f"min_{name}"), getattr(chosen, f"max_{name}")
        if low is not None and high is not None and low > high:
            placed.problems.append(f"data.min_{name} {low} lies above data.max_{name} {high}: no map is left")
