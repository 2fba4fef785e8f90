"""What a model can hear of the request, and what it cannot: said before generation, not discovered after."""

from __future__ import annotations

import difflib

import torch
from torch import Tensor

from osuT5.events import Profile, Vocabulary
from osuT5.inference.resolve import Settled
from osuT5.model import Mapperatorinator

# option -> (flag of the profile that puts it into the prompt, switch of the model that hears it in the encoder)
HEARD_BY = {
    "difficulty": ("add_diff_token", "do_difficulty_embed"),
    "mapper_id": ("add_mapper_token", "do_mapper_embed"),
    "year": ("add_year_token", None),
    "beatmap_id": ("add_style_token", "do_style_embed"),
    "descriptors": ("add_descriptors", None),
    "negative_descriptors": ("add_descriptors", None),
}


def ignored_conditions(settled: Settled, profile: Profile, vocabulary: Vocabulary) -> list[str]:
    """One sentence for each asked-for condition that the model does not know."""
    said = []
    for option, (flag, switch) in HEARD_BY.items():
        asked = getattr(settled, option)
        if asked in (None, []) or option == "beatmap_id":
            continue
        if not getattr(profile, flag) and not (switch and profile.model.get(switch)):
            said.append(f"{option}={asked}: ignored, {profile.name} was trained without it")
    if profile.add_descriptors:
        for option in ("descriptors", "negative_descriptors"):
            said += [
                _unknown(option, d, vocabulary) for d in getattr(settled, option) or [] if _is_unknown(d, vocabulary)
            ]
    if settled.mapper_id is not None and profile.add_mapper_token and settled.mapper_id not in vocabulary.mapper_idx:
        said.append(f"mapper_id={settled.mapper_id}: this model does not know that mapper; any style is used")
    if settled.negative_descriptors and settled.cfg_scale <= 1:
        said.append("negative_descriptors act only with cfg_scale above 1")
    return said


def _is_unknown(descriptor: str | int, vocabulary: Vocabulary) -> bool:
    if isinstance(descriptor, int):
        return not 0 <= descriptor < vocabulary.num_descriptor_classes
    return descriptor not in vocabulary.descriptor_idx


def _unknown(option: str, descriptor: str | int, vocabulary: Vocabulary) -> str:
    near = difflib.get_close_matches(str(descriptor), list(vocabulary.descriptor_idx), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{option}: {descriptor!r} is unknown to this model and ignored{hint}"


def encoder_conditions(settled: Settled, model: Mapperatorinator) -> dict[str, Tensor]:
    """What the encoder of this model is told besides the sound (song position is per window); rows of one."""
    conditions = {}
    if model.config.do_difficulty_embed:
        stars = 5.0 if settled.difficulty is None else float(settled.difficulty)
        conditions["difficulty"] = torch.tensor([stars], device=model.device)
    if model.config.do_mapper_embed:
        mapper = -1 if settled.mapper_id is None else model.vocabulary.mapper_class(settled.mapper_id)
        conditions["mapper_idx"] = torch.tensor([mapper], device=model.device)
    return conditions
