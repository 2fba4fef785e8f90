"""Notices: options without effect with the model at hand, what is not built, what post-processing and the gate did."""

from __future__ import annotations

import difflib
import re

from osuT5.beatmap.verify import Finding
from osuT5.events import Profile, Vocabulary
from osuT5.inference.options import Request
from osuT5.inference.resolve import PROFILE, ResolvedOptions
from osuT5.model import Mapperatorinator
from osuT5.options import spelled

TAIKO, MANIA = 1, 3
# option -> (flag of the profile that puts it into the prompt, switch of the model that gives it to the encoder)
CONDITIONED_BY = {
    "difficulty": ("add_diff_token", "do_difficulty_embed"),
    "mapper_id": ("add_mapper_token", "do_mapper_embed"),
    "year": ("add_year_token", None),
    "beatmap_id": ("add_style_token", "do_style_embed"),
    "hitsounded": ("add_hitsounded_token", None),
    "hold_note_ratio": ("add_hold_note_ratio_token", None),
    "scroll_speed_ratio": ("add_scroll_speed_ratio_token", None),
    "descriptors": ("add_descriptors", None),
    "negative_descriptors": ("add_descriptors", None),
}
# option -> the modes that know it
MODES_OF = {"keycount": (MANIA,), "hold_note_ratio": (MANIA,), "scroll_speed_ratio": (TAIKO, MANIA)}
# option -> (largest value that asks for nothing, what is said of others)
NOT_BUILT = {
    "super_timing": (False, "super timing is not built yet: timing comes from `timing=` instead"),
    "generate_positions": (False, "coordinates are not refined by diffusion yet: the model's own positions are used"),
    "num_beams": (1, "beam search is not built yet: decoding goes on with num_beams=1"),
    "parallel": (False, "parallel windows are not built yet: windows follow each other"),
}


def ignored_options(options: ResolvedOptions, profile: Profile, vocabulary: Vocabulary) -> list[str]:
    """One sentence for each option that has no effect, whoever asked for it."""
    notices = []
    for option, (idle, sentence) in NOT_BUILT.items():
        if options.values[option] > idle:
            whose = f" ({option} is a default of {profile.name})" if options.origins[option] == PROFILE else ""
            notices.append(f"{sentence}{whose}")
    if len(options.difficulties or ()) > 1:
        notices.append("lists of difficulties are not built yet: only the first is generated")
    return notices + _ignored_conditions(options, profile, vocabulary)


def _ignored_conditions(options: ResolvedOptions, profile: Profile, vocabulary: Vocabulary) -> list[str]:
    """One sentence for each condition that was asked for and that model or mode does not know."""
    notices = []
    for option in dict.fromkeys((*CONDITIONED_BY, *MODES_OF)):
        asked = options.values[option]
        if not options.is_asked(option) or asked is None:
            continue
        text = f"{option}={spelled(asked)}: ignored"
        flag, switch = CONDITIONED_BY.get(option, (None, None))
        if options.gamemode not in MODES_OF.get(option, (options.gamemode,)):
            notices.append(f"{text}, gamemode={options.gamemode} has none")
        elif flag and not getattr(profile, flag) and not (switch and profile.model.get(switch)):
            notices.append(f"{text}, {profile.name} was trained without it")
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
    stated = {
        "device": (str(model.device), request.device == "auto" or request.device.split(":")[0] == model.device.type),
        "precision": (model.precision, request.precision == model.precision),
        "profile": (model.profile.name, request.profile == model.profile.name),
    }
    asked = request.asked()
    notices = []
    for option, (has, fits) in stated.items():
        if option in asked and not fits:
            where = "on " if option == "device" else ""
            notices.append(f"{option}={asked[option]}: ignored, the model that was given is {where}{has}")
    for option in ("model_path", "lora_path"):
        if option in asked:
            notices.append(f"{option}={asked[option]}: ignored, a loaded model was given")
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
