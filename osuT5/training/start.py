"""The weights a run starts from: a published or own checkpoint, as it is or carried over to other tokens.

The vocabulary always comes from the checkpoint. When the run's profile asks for other events, windows or prompts than
the checkpoint was made with, training would teach it nonsense, so that is an error; with `pretrained_transfer` a new
model is made instead, and takes over what means the same (`osuT5.training.transfer`).
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from osuT5.errors import CheckpointError
from osuT5.events import Profile, Vocabulary
from osuT5.model import Mapperatorinator, load_model
from osuT5.model.checkpoint import read_config
from osuT5.model.profile_match import detect_profile
from osuT5.model.sources import resolve_source
from osuT5.model.training_state import is_training_state, read_training_state
from osuT5.training.transfer import transfer

# fields of a profile that do not say what the samples of a run hold
_NO_DATA = frozenset({"name", "model", "generation", "templates", "gamemodes"})


def start_weights(
    pretrained_path: str | Path,
    gamemode: int | None = None,
    profile: Profile | None = None,
    pretrained_transfer: bool = False,
    vocabulary: Vocabulary | None = None,
    revision: str | None = None,
) -> Mapperatorinator:
    """A float32 model on the CPU, in training mode, with weights to start from.

    Args:
        pretrained_path: checkpoint folder, hub id, or a training state of the older system.
        gamemode: takes the sub-checkpoint `gamemode=<n>` where there is one.
        profile: of the run; None = the checkpoint's own.
        pretrained_transfer: make a new model of the run's profile when it differs, and carry weights over.
        vocabulary: of that new model; None = laid out from the profile.

    Returns:
        The model with `.profile` and `.vocabulary`; without a transfer the vocabulary is the checkpoint's.
        `.notices` tell what was carried over.

    Raises:
        CheckpointError: no such checkpoint, or its data switches differ from the run's (all are named).
    """
    old = _load(pretrained_path, gamemode, profile, revision)
    if profile is None:
        return old.train()
    differences = profile_differences(profile, old.profile, old.vocabulary)
    if not differences and vocabulary is None:
        old.profile = profile.replace(model=old.profile.model)
        return old.train()
    if not pretrained_transfer:
        reasons = differences or ["the run has a vocabulary of its own"]
        raise CheckpointError(
            f"{pretrained_path} was made with other data than this run's profile {profile.name!r}: "
            + "; ".join(reasons)
            + ". Set them as the checkpoint has them, or pretrained_transfer=true for a new model that takes over "
            "what means the same"
        )
    new = Mapperatorinator.from_profile(profile, vocabulary or Vocabulary.from_profile(profile))
    report = transfer(new, old)
    new.notices = (*old.notices, f"weights carried over from {pretrained_path}: {report}")
    new.source = old.source
    return new.train()


def _load(path: str | Path, gamemode: int | None, profile: Profile | None, revision: str | None) -> Mapperatorinator:
    folder = Path(path).expanduser()
    if is_training_state(folder):
        return read_training_state(folder, profile)
    source = resolve_source(path, gamemode, revision=revision)
    # the run's profile stands in only where the checkpoint does not tell its own
    own = None
    if not (source.folder / "profile.json").is_file() and detect_profile(read_config(source.folder)) is None:
        own = profile
    return load_model(path, gamemode=gamemode, profile=own, revision=revision)


def profile_differences(run: Profile, made_with: Profile, vocabulary: Vocabulary) -> list[str]:
    """`field: run has x, checkpoint has y` for each data switch that differs; templates and modes may be fewer."""
    problems = []
    for field in dataclasses.fields(Profile):
        if field.name in _NO_DATA:
            continue
        wanted, had = getattr(run, field.name), getattr(made_with, field.name)
        if isinstance(wanted, dict):
            problems += [
                _difference(f"{field.name}.{key}", wanted.get(key), had.get(key))
                for key in sorted({*wanted, *had})
                if wanted.get(key) != had.get(key)
            ]
        elif wanted != had:
            problems.append(_difference(field.name, wanted, had))
    if not set(run.gamemodes) <= set(made_with.gamemodes):
        problems.append(_difference("gamemodes", list(run.gamemodes), list(made_with.gamemodes)))
    unknown = [c.value for c in run.context_marks if c not in vocabulary.context_sos]
    if unknown:
        marks = [c.value for c in vocabulary.context_sos]
        problems.append(_difference("contexts", [c.value for c in run.context_marks], marks))
    return problems


def _difference(name: str, run: Any, checkpoint: Any) -> str:
    return f"{name}: the run has {run!r}, the checkpoint {checkpoint!r}"
