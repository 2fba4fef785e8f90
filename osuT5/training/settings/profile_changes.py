"""The profile of a run: a named one with the changes of the configuration; and the sample recipe that goes with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from osuT5.data.recipes import SampleRecipe, recipe_for
from osuT5.errors import CheckpointError, InputError
from osuT5.events import ContextType, Profile, Template, load_profile
from osuT5.model.families import STOCK_SIZES, family_of
from osuT5.training.settings.option import spelled
from osuT5.training.settings.placed import Placed

# conditioning vectors of the encoder, each of `cond_dim` channels
EMBEDDINGS = ("do_difficulty_embed", "do_mapper_embed", "do_song_position_embed")


def profile_of(placed: Placed) -> Profile:
    """The named profile; every key of tokens, network and sound that is not null replaces its value."""
    base = load_profile(placed["run"]["profile_name"])
    changes = {name: value for name, value in placed["profile"].items() if value is not None and "." not in name}
    if "templates" in changes:
        changes["templates"] = _templates(changes["templates"], placed)
    if len(changes.get("position_range", (0,) * 4)) != 4:
        placed.problems.append(f"data.position_range must be four numbers, not {spelled(changes['position_range'])}")
        del changes["position_range"]
    if changes.get("gamemodes") == ():
        placed.problems.append("data.gamemodes is empty; name at least one mode, or null for those of the profile")
        del changes["gamemodes"]
    if changes.get("src_seq_len", 0) % 2:
        placed.problems.append(f"data.src_seq_len {changes['src_seq_len']} must be even: the encoder halves it")
        del changes["src_seq_len"]
    sound = {**base.spectrogram, **_part(placed, "spectrogram")}
    model = _network(base, sound, placed)
    profile = base.replace(model=model, spectrogram=sound, **changes)
    for name in ("sample_rate", "hop_length"):
        stated, real = placed["same"].get(name), getattr(profile, name)
        if stated not in (None, real):
            placed.problems.append(f"data.{name} {stated} is not model.spectrogram.{name}, {real}; leave it null")
    return profile


def _part(placed: Placed, name: str) -> dict[str, Any]:
    """The values of one inner mapping of the profile."""
    values = placed["profile"].items()
    return {key.split(".", 1)[1]: v for key, v in values if key.startswith(f"{name}.") and v is not None}


def _templates(rows: Any, placed: Placed) -> tuple[Template, ...]:
    known = {c.value for c in ContextType}
    wrong = sorted({name for pair in rows for names in pair for name in names} - known)
    if wrong or not rows:
        what = f"names unknown contexts {', '.join(wrong)}" if wrong else "is empty"
        placed.problems.append(f"data.context_types {what}; contexts are {', '.join(sorted(known))}")
        return ()
    return tuple(Template(tuple(map(ContextType, given)), tuple(map(ContextType, written))) for given, written in rows)


def _network(base: Profile, sound: dict[str, Any], placed: Placed) -> dict[str, Any]:
    """Sizes of the network, those that follow from others included."""
    changes = _part(placed, "model")
    model = {**base.model, **changes}
    name = model["backbone_model_name"]
    if name != base.model["backbone_model_name"]:
        size = name.rsplit("-", 1)[-1]
        try:
            family_of(name)
        except CheckpointError as error:
            placed.problems.append(f"model.name: {error}")
        if size in STOCK_SIZES:
            model |= dict(zip(("d_model", "layers_per_side", "heads", "ffn_dim"), STOCK_SIZES[size], strict=True))
        else:
            placed.problems.append(f"model.name {name} ends with no known size; they are {', '.join(STOCK_SIZES)}")
    told = model["cond_dim"] * sum(bool(model[name]) for name in EMBEDDINGS)
    if changes.get("cond_size", told) != told:
        placed.problems.append(f"model.cond_size {changes['cond_size']} is not what the embeddings add up to, {told}")
    model["cond_size"] = told
    width = {**placed["backbone"].get("overwrite", {}), **placed["backbone"].get("add_config", {})}.get("d_model")
    channels = (width or model["d_model"]) if model["project_encoder_input"] else sound["n_mels"] + told
    return {**model, "conv1_input_channels": channels}


def recipe_of(placed: Placed, profile: Profile) -> SampleRecipe:
    """The recipe of that name for the profile; every key of samples that is not null replaces its value."""
    try:
        recipe = recipe_for(placed.recipe_name, profile)
    except InputError as error:
        placed.problems.append(f"recipe={placed.recipe_name}: {error}")
        return SampleRecipe()
    given = {name: value for name, value in placed["recipe"].items() if value is not None}
    dropout = {**recipe.dropout, **{k.split(".", 1)[1]: v for k, v in given.items() if k.startswith("dropout.")}}
    fields = {name: value for name, value in given.items() if "." not in name}
    own_templates = profile.templates != load_profile(profile.name).templates
    if own_templates and "template_weights" not in fields:
        fields["template_weights"] = ()  # the recipe's weights are of other templates
    empty = placed["empty"]
    recipe = replace(
        recipe, dropout=dropout, empty=empty.get("always", True) or empty.get("from_step", -1) >= 0, **fields
    )
    _check_weights(recipe, profile, placed)
    return recipe


def _check_weights(recipe: SampleRecipe, profile: Profile, placed: Placed) -> None:
    weights, count = recipe.template_weights, len(profile.templates)
    if weights and (len(weights) != count or not sum(weights) > 0):
        placed.problems.append(
            f"data.context_weights {spelled(weights)} must be one number for each of the {count} context_types, "
            "not all of them 0"
        )
