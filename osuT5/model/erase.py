"""Taking mappers out of a checkpoint folder: what it learned of them, and how to ask for it.

Facts: the published procedure. The rows of a mapper in the mapper embedding and in the token embedding become zero
and the ids leave the tables of tokenizer.json; all sizes stay, so nobody else's ids move. Beyond it, the style
classes of a mapper's beatmaps go too, since such a class is the mapper's hand in another table.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from osuT5.errors import CheckpointError, InputError, OptionErrors
from osuT5.events.types import Event, EventType
from osuT5.events.vocabulary import Vocabulary
from osuT5.model.checkpoint import read_config
from osuT5.model.sources import shard_names

MAPPER_ROWS = "mapper_embedder.embedding.weight"
TOKEN_ROWS = {True: "decoder_embedder.weight", False: "transformer.model.decoder.embed_tokens.weight"}


def read_user_ids(path: Path) -> frozenset[int]:
    """User ids in a file with one a line; # begins a comment. Raises OptionErrors naming every line that is no id."""
    users, problems = set(), []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a list of user ids: {error}") from error
    for number, line in enumerate(lines, 1):
        text = line.split("#")[0].strip()
        if re.fullmatch(r"[0-9]+", text):
            users.add(int(text))
        elif text:
            problems.append(f"{path}, line {number}: {text!r} is no user id; write one number a line")
    if problems:
        raise OptionErrors(problems)
    return frozenset(users)


@dataclass(frozen=True)
class Erased:
    """What was taken out of one checkpoint.

    Attributes:
        users: user ids that the checkpoint knew, as mappers or by a beatmap.
        beatmaps: number of beatmap ids that led to them.
        rows: {tensor name: indices of the rows that are zero now}.
    """

    users: frozenset[int]
    beatmaps: int
    rows: dict[str, list[int]]


def mapper_rows(folder: Path, users: Iterable[int]) -> Erased:
    """What `erase_mappers` would take out; reads tokenizer.json and config.json only. Raises CheckpointError."""
    users = frozenset(users)
    vocabulary, config = Vocabulary.load(folder / "tokenizer.json"), read_config(folder)
    beatmaps = {b for b, user in vocabulary.beatmap_mapper.items() if user in users}
    mappers = sorted({vocabulary.mapper_idx[user] for user in users & set(vocabulary.mapper_idx)})
    # a style class that somebody else's beatmap shares stays
    others = {style for b, style in vocabulary.beatmap_idx.items() if b not in beatmaps}
    styles = sorted({vocabulary.beatmap_idx[b] for b in beatmaps & set(vocabulary.beatmap_idx)} - others)
    classes = {EventType.MAPPER: mappers, EventType.STYLE: styles}
    tokens = [vocabulary.encode(Event(t, c)) for t, found in classes.items() if vocabulary.has(t) for c in found]
    rows = {TOKEN_ROWS[config.embed_decoder_input]: tokens, MAPPER_ROWS: mappers if config.do_mapper_embed else []}
    known = users & {*vocabulary.mapper_idx, *(vocabulary.beatmap_mapper[b] for b in beatmaps)}
    return Erased(known, len(beatmaps), {name: found for name, found in rows.items() if found})


def erase_mappers(folder: Path, users: Iterable[int]) -> Erased:
    """Takes mappers out of a checkpoint folder, in place: work on a copy.

    Only the weight files that hold an affected tensor are written anew, in their own dtypes.

    Args:
        users: user ids of the game; those that the checkpoint does not know change nothing.
    Raises CheckpointError: a file cannot be read, or a row that must be zeroed does not exist.
    """
    users = frozenset(users)
    found = mapper_rows(folder, users)
    for path in weight_files(folder):
        _zero_rows(path, found.rows)
    _forget(folder / "tokenizer.json", users)
    remaining = [f"{name}[{row}]" for name, row in _nonzero(folder, found)]
    if remaining:
        raise CheckpointError(f"{folder}: rows of removed mappers are not zero: {', '.join(remaining[:5])}")
    return found


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that make up a checkpoint's weights. Raises CheckpointError when there are none."""
    for name in ("model.safetensors", "model.safetensors.index.json"):
        if (folder / name).is_file():
            return [folder / shard for shard in shard_names(folder / name)]
    raise CheckpointError(
        f"{folder}: there is no model.safetensors; load it with osuT5.model.load_model and save it with save_checkpoint"
    )


def _zero_rows(path: Path, rows: dict[str, list[int]]) -> None:
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            if not set(names) & set(rows):
                return
            tensors, metadata = {name: file.get_tensor(name) for name in names}, file.metadata()
        for name in set(names) & set(rows):
            tensors[name][rows[name]] = 0
        save_file(tensors, path, metadata=metadata)
    except (OSError, SafetensorError, IndexError) as error:
        raise CheckpointError(f"{path}: removed mappers cannot be taken out: {error}") from error


def _nonzero(folder: Path, found: Erased) -> list[tuple[str, int]]:
    """Rows that should be zero and are not, or whose tensor is nowhere."""
    left = {(name, row) for name, indices in found.rows.items() for row in indices}
    for path in weight_files(folder):
        with safe_open(path, framework="pt") as file:
            for name in set(file.keys()) & set(found.rows):
                tensor = file.get_tensor(name)
                left -= {(name, row) for row in found.rows[name] if not torch.any(tensor[row])}
    return sorted(left)


def _forget(path: Path, users: frozenset[int]) -> None:
    values = json.loads(path.read_text(encoding="utf-8"))
    beatmaps = {b for b, user in values.get("beatmap_mapper", {}).items() if int(user) in users}
    for table, gone in (
        ("mapper_idx", {str(user) for user in users}),
        ("beatmap_mapper", beatmaps),
        ("beatmap_idx", beatmaps),
    ):
        if table in values:
            values[table] = {key: value for key, value in values[table].items() if key not in gone}
    path.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")
