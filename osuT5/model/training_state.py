"""Training states of the older system (folders written by accelerate), as models.

Such a folder has `pytorch_model.bin` (or model.safetensors) and `custom_checkpoint_0.pkl`, the pickled vocabulary,
and no configuration: sizes come from a profile. A LoRA run's state holds the wrapped model, whose base may have lost
the principal part that its A and B hold, and `lora/adapter_config.json` with the scale. Facts: the published trainer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from osuT5.errors import CheckpointError
from osuT5.events.profile import Profile, load_profile, profile_names
from osuT5.events.vocabulary import Vocabulary
from osuT5.model.lora import PREFIX, read_adapter
from osuT5.model.model import Mapperatorinator
from osuT5.model.plain_pickle import read_plain_pickle
from osuT5.model.profile_config import config_from_profile
from osuT5.model.profile_match import check_profile
from osuT5.model.sources import CheckpointSource
from osuT5.model.weights import check_weights, empty_model, is_dead, read_tensors

VOCABULARY_FILE = "custom_checkpoint_0.pkl"
WEIGHT_NAMES = ("pytorch_model.bin", "model.safetensors")


def is_training_state(folder: Path) -> bool:
    """Whether a local folder is a training state of the older system."""
    return (
        (folder / VOCABULARY_FILE).is_file()
        and not (folder / "config.json").is_file()
        and any((folder / name).is_file() for name in WEIGHT_NAMES)
    )


def read_training_state(folder: Path, profile: Profile | None = None) -> Mapperatorinator:
    """The model of a training state, float32 on the CPU; a LoRA in it is merged.

    Args:
        profile: gives the sizes; None = the first built-in profile that weights and vocabulary fit.

    Raises:
        CheckpointError: the folder is incomplete or unsafe, or no profile fits (the reasons are given).
    """
    values = read_plain_pickle(folder / VOCABULARY_FILE)
    if not isinstance(values, Mapping):
        raise CheckpointError(f"{folder / VOCABULARY_FILE}: it holds no table of tokens")
    vocabulary = Vocabulary(values, str(folder / VOCABULARY_FILE))
    weights = next(path for name in WEIGHT_NAMES if (path := folder / name).is_file())
    state = _unwrapped(read_tensors(weights), folder)
    candidates = [profile] if profile else [load_profile(name) for name in profile_names()]
    reasons = []
    for candidate in candidates:
        try:
            return _model(state, candidate, vocabulary, folder)
        except CheckpointError as error:
            reasons.append(str(error))
    if profile:
        raise CheckpointError(reasons[0])
    raise CheckpointError(
        f"{folder}: no built-in profile fits this training state; give the one it was trained with as profile=NAME "
        f"or as a profile.json. Reasons: " + " | ".join(reasons)
    )


def _model(state: dict[str, Tensor], profile: Profile, vocabulary: Vocabulary, folder: Path) -> Mapperatorinator:
    config = config_from_profile(profile, vocabulary)
    check_profile(profile, config, vocabulary, str(folder))
    living = {key: value.float() for key, value in state.items() if not is_dead(key, config)}
    model = empty_model(config)
    check_weights(living, model, f"{folder} as {profile.name!r}")
    model.load_state_dict(living, assign=True)
    model.profile, model.vocabulary = profile, vocabulary
    model.source = CheckpointSource(folder, "")
    model.lora_merged, model.notices = False, ()
    return model.eval()


def _unwrapped(state: dict[str, Tensor], folder: Path) -> dict[str, Tensor]:
    """Plain weights; a wrapped model's base layers take in their A and B."""
    if not any(key.startswith(PREFIX) for key in state):
        return state
    adapter = read_adapter(folder / "lora")
    plain: dict[str, Tensor] = {}
    pairs: dict[str, dict[str, Tensor]] = {}
    for key, value in state.items():
        key = key.removeprefix(PREFIX)
        match = re.fullmatch(r"(.+)\.lora_([AB])\.[^.]+\.weight", key)
        if match:
            pairs.setdefault(match[1], {})[match[2]] = value.float()
        else:
            plain[key.replace(".base_layer.", ".")] = value
    for module, pair in pairs.items():
        if set(pair) != {"A", "B"} or f"{module}.weight" not in plain:
            raise CheckpointError(f"{folder}: the LoRA of {module} is incomplete")
        a, b = pair["A"], pair["B"]
        change = adapter.scale(module, a.shape[0]) * (b @ a)
        plain[f"{module}.weight"] = plain[f"{module}.weight"].float() + change
    return plain
