"""From a composed configuration (plain values) to `RunSettings`; all mistakes are reported together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from osuT5.errors import OptionErrors, suggestion
from osuT5.training.settings.assemble import (
    loader_of,
    loop_of,
    lora_of,
    mixture_of,
    model_of,
    optim_of,
)
from osuT5.training.settings.placed import Placed
from osuT5.training.settings.profile_changes import profile_of, recipe_of
from osuT5.training.settings.sections import RunSettings
from osuT5.training.settings.splits import splits_of
from osuT5.training.settings.table import OPTIONS


def read_settings(config: Mapping[str, Any]) -> RunSettings:
    """The settings of a run.

    Args:
        config: nested plain values with every key of `configs/train/default.yaml`.
    Raises:
        OptionErrors: naming every unknown key (with the nearest known one), every value that is not possible and
            every pair of values that does not go together.
    """
    placed = Placed()
    _place(config, placed)
    run = placed["run"]
    if "profile_name" not in run:
        raise OptionErrors(placed.problems)  # nothing can be filled in
    placed.recipe_name = run.get("recipe_name", "improved")
    profile = profile_of(placed)
    recipe = recipe_of(placed, profile)
    optim = optim_of(placed)
    train, test = splits_of(placed, profile)
    loop, loader, lora = loop_of(placed), loader_of(placed, optim), lora_of(placed)
    model, mixture = model_of(placed, profile), mixture_of(placed)
    if placed.problems:
        raise OptionErrors(placed.problems)
    resume = run["checkpoint_path"]
    return RunSettings(
        profile=profile,
        recipe=recipe,
        recipe_name=placed.recipe_name,
        train=train,
        test=test,
        loader=loader,
        optim=optim,
        loop=loop,
        model=model,
        mixture=mixture,
        num_styles=run["num_styles"],
        lora=lora,
        pretrained_path=run["pretrained_path"],
        pretrained_gamemode=run["pretrained_gamemode"],
        pretrained_transfer=run["pretrained_transfer"],
        output_dir=Path(run["output_dir"] or f"runs/{run['profile_name']}").expanduser(),
        checkpoint_path=None if resume is None else Path(resume).expanduser(),
        notices=tuple(placed.notices),
    )


def _place(config: Mapping[str, Any], placed: Placed) -> None:
    """Puts every value where its option says, and notes what cannot be."""
    found = dict(leaves(config))
    for key in found:
        if key not in OPTIONS:
            placed.problems.append(_unknown(key))
    for key, option in OPTIONS.items():
        if key not in found:
            placed.problems.append(f"{key} is missing; build the configuration on configs/train/default.yaml")
            continue
        try:
            value = option.read(found[key])
        except ValueError as error:
            placed.problems.append(str(error))
            continue
        if option.goes_to:
            placed.put(option, value)


def _unknown(key: str) -> str:
    """What to say of a key that is no option."""
    inside = [known for known in OPTIONS if known.startswith(f"{key}.")]
    namesakes = [known for known in OPTIONS if known.split(".")[-1] == key.split(".")[-1]]
    if inside:
        other = f", or {' or '.join(namesakes)}" if namesakes else ""
        return f"{key} is a section, no option; write one of {', '.join(inside)}{other}"
    if namesakes:
        return f"unknown option {key!r} (did you mean {' or '.join(namesakes)}?)"
    return f"unknown option {key!r}{suggestion(key, OPTIONS)}"


def leaves(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """`section.key` and value of everything that is an option or no section."""
    for name, value in config.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and key not in OPTIONS:
            yield from leaves(value, f"{key}.")
        else:
            yield key, value
