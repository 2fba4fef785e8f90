"""Carrying weights from one model to another with other tokens.

Tensors of the same name and shape are copied; in tables that have a row per token or per mapper, rows are copied by
what they mean: `difficulty class 3` of a model with 24 classes up to 12 stars is another word than with 12 classes,
and a mapper is its user id, not its class.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from osuT5.errors import CheckpointError
from osuT5.events import EventType, Profile, Vocabulary
from osuT5.model import Mapperatorinator

# tables with a row for every id the model reads or writes, and with a row for every mapper
_TOKEN_TABLES = (
    "decoder_embedder.weight",
    "transformer.proj_out.weight",
    "transformer.model.decoder.embed_tokens.weight",
)
_MAPPER_TABLE = "mapper_embedder.embedding.weight"
_SHOWN = 8


@dataclass(frozen=True)
class TransferReport:
    """What a transfer did.

    Attributes:
        copied: names of tensors taken over whole.
        rows: table -> (rows taken over, rows it has).
        new: names of tensors that stay as they were initialised.
        left: names of tensors of the old model that found no place.
    """

    copied: tuple[str, ...]
    rows: dict[str, tuple[int, int]]
    new: tuple[str, ...]
    left: tuple[str, ...]

    def __str__(self) -> str:
        parts = [f"{len(self.copied)} tensors"]
        parts += [f"{taken} of {size} rows of {name}" for name, (taken, size) in self.rows.items()]
        for label, names in (("new", self.new), ("left out", self.left)):
            if names:
                more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
                parts.append(f"{label}: {', '.join(names[:_SHOWN])}{more}")
        return "; ".join(parts)


@torch.no_grad()
def transfer(new: Mapperatorinator, old: Mapperatorinator) -> TransferReport:
    """Copies into `new`, in place, whatever of `old` has the same meaning there. Both carry profile and vocabulary.

    Raises CheckpointError when the two share no layer, so that nothing would be gained.
    """
    target, source = new.state_dict(), old.state_dict()
    copied: list[str] = []
    rows: dict[str, tuple[int, int]] = {}
    fresh: list[str] = []
    tokens = (token_meanings(new.vocabulary, new.profile), token_meanings(old.vocabulary, old.profile))
    mappers = (
        mapper_meanings(new.vocabulary, new.config.num_mappers),
        mapper_meanings(old.vocabulary, old.config.num_mappers),
    )
    for name, tensor in target.items():
        meanings = tokens if name in _TOKEN_TABLES else mappers if name == _MAPPER_TABLE else None
        if name not in source or tensor.shape[1:] != source[name].shape[1:]:
            fresh.append(name)
        elif meanings is not None:
            rows[name] = (_copy_rows(tensor, source[name], *meanings), tensor.shape[0])
        elif tensor.shape == source[name].shape:
            tensor.copy_(source[name])
            copied.append(name)
        else:
            fresh.append(name)
    if not any(".layers." in name and target[name].dim() > 1 for name in copied):
        raise CheckpointError(
            f"no layer of {old.profile.name!r} has the name and shape of one of {new.profile.name!r}: the models are "
            "of different families or sizes; choose model sizes as the checkpoint has them, or start from nothing"
        )
    left = tuple(sorted(set(source) - set(copied) - set(rows)))
    new.train(new.training)  # forgets gathered weights
    return TransferReport(tuple(copied), rows, tuple(fresh), left)


def _copy_rows(target: Tensor, source: Tensor, wanted: list[Hashable], known: list[Hashable]) -> int:
    place = {meaning: row for row, meaning in enumerate(known[: source.shape[0]]) if meaning is not None}
    pairs = [
        (row, place[meaning])
        for row, meaning in enumerate(wanted[: target.shape[0]])
        if meaning is not None and meaning in place
    ]
    if pairs:
        to, of = (torch.tensor(column) for column in zip(*pairs, strict=True))
        target[to] = source[of].to(target.dtype)
    return len(pairs)


def token_meanings(vocabulary: Vocabulary, profile: Profile) -> list[Hashable]:
    """What each id says, independent of its number; None for ids without a meaning that another model could share."""
    meanings: list[Hashable] = [None] * vocabulary.vocab_size_in
    meanings[vocabulary.pad_id], meanings[vocabulary.sos_id], meanings[vocabulary.eos_id] = "pad", "sos", "eos"
    for label, marks in (("start", vocabulary.context_sos), ("end", vocabulary.context_eos)):
        for context, i in marks.items():
            meanings[i] = (label, context)
    mappers = mapper_meanings(vocabulary, vocabulary.num_mapper_classes)
    descriptors = {index: name for name, index in vocabulary.descriptor_idx.items()}
    styles = {index: beatmap for beatmap, index in vocabulary.beatmap_idx.items()}
    named = {
        EventType.MAPPER: {index: user for index, user in enumerate(mappers) if user is not None},
        EventType.DESCRIPTOR: descriptors,
        EventType.STYLE: styles,
    }
    # classes whose value is a number of a table, or whose width depends on settings
    scales: dict[EventType, Any] = {
        EventType.DIFFICULTY: (vocabulary.num_diff_classes, vocabulary.max_difficulty),
        EventType.CS: vocabulary.num_cs_classes,
        EventType.POS: (profile.position_precision, profile.position_range),
        EventType.POS_REFINE: (profile.position_precision, profile.position_refinement),
        EventType.POS_X: profile.position_precision,
        EventType.POS_Y: profile.position_precision,
    }
    unknown = {
        EventType.DIFFICULTY: vocabulary.num_diff_classes,
        EventType.CS: vocabulary.num_cs_classes,
        EventType.DESCRIPTOR: vocabulary.num_descriptor_classes,
        EventType.STYLE: vocabulary.num_classes,
    }
    for event_type, event_range in vocabulary.ranges.items():
        first = vocabulary.event_start[event_type]
        for value in range(event_range.min_value, event_range.max_value + 1):
            if unknown.get(event_type) == value:
                meaning: Hashable = (event_type, "unknown")
            elif event_type in named:
                name = named[event_type].get(value)
                meaning = None if name is None else (event_type, name)
            else:
                meaning = (event_type, value, scales.get(event_type))
            meanings[first + value - event_range.min_value] = meaning
    return meanings


def mapper_meanings(vocabulary: Vocabulary, classes: int) -> list[Hashable]:
    """User id of each of `classes` mapper classes, then "any mapper"; None for classes without a user."""
    users: list[Hashable] = [None] * classes + ["any mapper"]
    for user, index in vocabulary.mapper_idx.items():
        if 0 <= index < classes:
            users[index] = user
    return users
