"""Notices: options that have no effect with the model at hand, and what post-processing and verification did."""

from __future__ import annotations

import difflib
import re

from osuT5.beatmap.verify import Finding
from osuT5.events import Profile, Vocabulary
from osuT5.inference.request import Request
from osuT5.inference.resolve import ResolvedOptions
from osuT5.model import Mapperatorinator

# option -> (flag of the profile that puts it into the prompt, switch of the model that gives it to the encoder)
CONDITIONED_BY = {
    "difficulty": ("add_diff_token", "do_difficulty_embed"),
    "mapper_id": ("add_mapper_token", "do_mapper_embed"),
    "year": ("add_year_token", None),
    "beatmap_id": ("add_style_token", "do_style_embed"),
    "descriptors": ("add_descriptors", None),
    "negative_descriptors": ("add_descriptors", None),
}


def ignored_conditions(options: ResolvedOptions, profile: Profile, vocabulary: Vocabulary) -> list[str]:
    """One sentence for each asked-for condition that the model does not know."""
    notices = []
    for option, (flag, switch) in CONDITIONED_BY.items():
        asked = getattr(options, option)
        if asked in (None, []) or option == "beatmap_id":
            continue
        if not getattr(profile, flag) and not (switch and profile.model.get(switch)):
            notices.append(f"{option}={asked}: ignored, {profile.name} was trained without it")
    if profile.add_descriptors:
        for option in ("descriptors", "negative_descriptors"):
            notices += [
                _unknown(option, d, vocabulary) for d in getattr(options, option) or [] if _is_unknown(d, vocabulary)
            ]
    knows_mappers = profile.add_mapper_token or profile.model.get("do_mapper_embed")
    if options.mapper_id is not None and knows_mappers and options.mapper_id not in vocabulary.mapper_idx:
        notices.append(f"mapper_id={options.mapper_id}: this model does not know that mapper; any style is used")
    if options.negative_descriptors and options.cfg_scale <= 1:
        notices.append("negative_descriptors act only with cfg_scale above 1")
    if options.cfg_scale < 1:
        notices.append(f"cfg_scale={options.cfg_scale:g}: guidance is off at 1 and below")
    return notices


def _is_unknown(descriptor: str | int, vocabulary: Vocabulary) -> bool:
    if isinstance(descriptor, int):
        return not 0 <= descriptor < vocabulary.num_descriptor_classes
    return descriptor not in vocabulary.descriptor_idx


def _unknown(option: str, descriptor: str | int, vocabulary: Vocabulary) -> str:
    near = difflib.get_close_matches(str(descriptor), list(vocabulary.descriptor_idx), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{option}: {descriptor!r} is unknown to this model and ignored{hint}"


def ignored_by_given_model(request: Request, model: Mapperatorinator) -> list[str]:
    """One sentence for each option of the request that a model which is loaded already does not follow."""
    notices = []
    if request.device not in (None, "auto") and request.device.split(":")[0] != model.device.type:
        notices.append(f"device={request.device}: ignored, the model that was given is on {model.device}")
    if request.precision is not None and request.precision != model.precision:
        notices.append(f"precision={request.precision}: ignored, the model that was given is {model.precision}")
    if request.profile is not None and request.profile != model.profile.name:
        notices.append(f"profile={request.profile}: ignored, the model that was given is {model.profile.name}")
    for option in ("model_path", "lora_path"):
        if getattr(request, option) is not None:
            notices.append(f"{option}={getattr(request, option)}: ignored, a loaded model was given")
    return notices


def by_kind(warnings: list[str]) -> list[str]:
    """Warnings that differ in numbers only, once each with their count."""
    kinds: dict[str, list[str]] = {}
    for warning in warnings:
        kinds.setdefault(re.sub(r"-?\d+(\.\d+)?", "#", warning), []).append(warning)
    return [w[0] if len(w) == 1 else f"{w[0]} (and {len(w) - 1} more like it)" for w in kinds.values()]


def repairs(findings: list[Finding]) -> list[str]:
    """One sentence per kind of repair: how often, and the first case."""
    by_code: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.fixed:
            by_code.setdefault(finding.code, []).append(finding)
    return [f"repaired {len(cases)} x {code}, e.g.: {cases[0].message}" for code, cases in by_code.items()]
