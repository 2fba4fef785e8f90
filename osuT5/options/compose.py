"""From presets and overrides to values: Hydra's grammar and launchers, with texts taken as they are typed.

Presets are YAML files that name those they build on under `defaults`. Free text (paths, titles) does not go through
Hydra's grammar, so no character in it means anything; one pair of quotes around it is dropped. Nothing interpolates
except `${hydra:...}`, which names the job of a `--multirun`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from osuT5.bundled import bundled
from osuT5.errors import InputError, suggestion
from osuT5.options.documents import default_values
from osuT5.options.model import ASKED, Layer, Options, get, leaves, put, remove, spelled
from osuT5.options.types import as_list

KEY = re.compile(r"^(?P<prefix>\+{0,2}|~)(?P<key>[A-Za-z_][\w./@-]*)(?:=(?P<value>.*))?$", re.DOTALL)
QUOTED = re.compile(r"""^(?:'.*'|".*")$""", re.DOTALL)
HYDRA_NAME = re.compile(r"\$\{hydra:([\w.]+)\}")


@dataclass(frozen=True)
class Preset:
    """A configuration that `-cn` names.

    Attributes:
        folder: where its file lies.
        search: folder of the tree, for the files that it builds on.
    """

    name: str
    folder: Path
    search: Path


@dataclass
class Overrides:
    """What was typed, sorted.

    Attributes:
        texts: free text by key, not for Hydra; None for null.
        others: overrides as Hydra takes them, with whole keys.
        hydra: overrides of Hydra's own options.
        keys: all that is overridden.
        problems: what cannot be read, a sentence each.
    """

    texts: dict[str, str | None] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    hydra: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Composed:
    """What a preset and its overrides come to.

    Attributes:
        values: by section.
        layers: what the presets say, and what was typed, by key, the last to count last.
        problems: what could not be read.
    """

    values: dict[str, Any]
    layers: list[Layer]
    problems: list[str]


def preset_names(tree: str, config_dir: Path | None = None) -> list[str]:
    folders = [bundled("configs") / tree, *([config_dir] if config_dir else [])]
    return sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})


def find_preset(tree: str, name: str, config_dir: Path | None = None) -> Preset:
    """Accepts `v29`, `v29.yaml` and the older `inference_v29`; a file of `config_dir` goes before ours.

    Raises: InputError naming the known ones.
    """
    if config_dir is not None and not config_dir.is_dir():
        raise InputError(f"--config-dir: there is no folder {config_dir}")
    search = bundled("configs") / tree
    bare = name.removesuffix(".yaml")
    for folder in (config_dir, search):
        for candidate in dict.fromkeys((bare, bare.removeprefix(f"{tree}_"))):
            if folder is not None and (folder / f"{candidate}.yaml").is_file():
                return Preset(candidate, folder.resolve(), search)
    names = preset_names(tree, config_dir)
    raise InputError(f"no configuration named {name!r}{suggestion(bare, names)}; there are: {', '.join(names)}")


def compose(options: type[Options], preset: Preset, arguments: Sequence[str]) -> Composed:
    """Values of a preset with overrides. Raises InputError for a preset that cannot be read."""
    typed = sort_overrides(options, arguments)
    return _composed(options, stated_in(options, preset), typed, typed.others)


def _composed(
    options: type[Options], stated: Sequence[Layer], typed: Overrides, others: Iterable[str], job: Any = None
) -> Composed:
    """Defaults, then what the presets state, then overrides and texts, `${hydra:...}` resolved.

    Args:
        others: overrides of one job.
        job: Hydra's own configuration of it.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser

    values = default_values(options)
    for layer in stated:
        for key, value in layer.values.items():
            _merge(values, key, value)
    for override in map(OverridesParser.create().parse_override, others):
        if override.is_delete():
            remove(values, override.key_or_group)
        else:
            _merge(values, override.key_or_group, override.value())
    for key, text in typed.texts.items():
        put(values, key, text)
    problems = list(typed.problems)
    for key, value in list(leaves(values, options.keys())):
        if isinstance(value, str) and HYDRA_NAME.search(value):
            try:
                put(values, key, HYDRA_NAME.sub(lambda found: _job_fact(found[1], job), value))
            except InputError as error:
                problems.append(f"{key}: {error}")
    layers = [*stated, Layer(ASKED, {key: get(values, key) for key in typed.keys})]
    return Composed(values, layers, problems)


def _merge(values: dict[str, Any], key: str, value: Any) -> None:
    """Puts a value; a mapping is merged into the one that is there."""
    before = get(values, key)
    if isinstance(value, Mapping) and isinstance(before, Mapping) and value:
        for name, inner in value.items():
            if isinstance(before.get(name), dict) and isinstance(inner, Mapping):
                _merge(before, name, inner)
            else:
                before[name] = inner
    else:
        put(values, key, value)


def _job_fact(name: str, job: Any) -> str:
    from omegaconf import OmegaConf

    found = None if job is None else OmegaConf.select(job, name)
    if found is None:
        raise InputError(f"${{hydra:{name}}} is known only to the jobs of --multirun; write the text itself")
    return str(found)


def stated_in(options: type[Options], preset: Preset, within: tuple[Path, ...] = ()) -> list[Layer]:
    """What the presets say that this one builds on, and then itself.

    Args:
        within: files of the presets that build on this one.
    Raises: InputError for a file that cannot be read, or presets that build on each other.
    """
    folder = preset.folder if (preset.folder / f"{preset.name}.yaml").is_file() else preset.search
    path = folder / f"{preset.name}.yaml"
    if path in within:
        raise InputError(f"{path}: builds on itself by way of {', '.join(file.stem for file in within)}")
    stated = read_preset(path)
    typed = [key for key in options.free_texts() if not isinstance(get(stated, key), (str, type(None)))]
    as_written = read_preset(path, texts=True) if typed else {}
    for key in typed:  # `version: 010` is a text, whatever YAML makes of it
        put(stated, key, get(as_written, key))
    bases = stated.pop("defaults", None) or []
    stated.pop("hydra", None)
    found: list[Layer] = []
    if isinstance(bases, Mapping):
        raise InputError(f"{path}: defaults: {spelled(bases)} is not a list of names of configurations")
    for base in as_list(bases) if "_self_" in as_list(bases) else [*as_list(bases), "_self_"]:
        if base == "_self_":
            found.append(Layer(f"preset {preset.name}", dict(leaves(stated, options.keys()))))
        elif isinstance(base, str):
            # a preset of one's own may have the name of the one of ours that it builds on
            place = preset.search if base == preset.name else preset.folder
            try:
                next_one = find_preset(options.command.tree, base, place if place.is_dir() else None)
            except InputError as error:
                raise InputError(f"{path}: defaults: {error}") from error
            found += stated_in(options, Preset(next_one.name, next_one.folder, preset.search), (*within, path))
        else:
            raise InputError(f"{path}: defaults: {spelled(base)} is not the name of a configuration")
    if folder == preset.search and preset.name == "default":  # what nobody changed there nobody asked for
        plain = default_values(options)
        found = [Layer(one.origin, {k: v for k, v in one.values.items() if v != get(plain, k)}) for one in found]
    return found


def read_preset(path: Path, texts: bool = False) -> dict[str, Any]:
    """The mapping in a YAML file; numbers such as 1e-5 are numbers, a key stands once. Raises InputError.

    Args:
        texts: every value as it is written.
    """
    import json

    import yaml
    from omegaconf._utils import get_yaml_loader

    try:
        loader = yaml.BaseLoader if texts else get_yaml_loader()
        found = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=loader)
        json.dumps(found, default=str, skipkeys=True)  # raises for what holds itself
    except (yaml.YAMLError, OSError, ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise InputError(f"{path}: holds no options; write `option: value`, one a line")
    return {str(name): value for name, value in found.items()}


def sort_overrides(options: type[Options], arguments: Iterable[str], sweep: bool = False) -> Overrides:
    """Keys with their sections, free text apart from the rest.

    Args:
        sweep: several values for one key are wanted.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser, free, typed = OverridesParser.create(), options.free_texts(), Overrides()
    for argument in arguments:
        match = KEY.match(argument)
        if not match or (match["value"] is None and match["prefix"] != "~"):
            typed.problems.append(f"{spelled(argument)} is not of the form key=value")
            continue
        key, value = match["key"], match["value"]
        if re.match(r"hydra[./]", key):
            typed.hydra.append(argument)
            continue
        key, problem = whole_key(options, key)
        if problem:
            typed.problems.append(problem)
            continue
        deleted = match["prefix"] == "~"
        if key in free:
            typed.texts[key] = None if deleted or value in ("", "null") else unquoted(value)
            typed.keys.append(key)
            continue
        # ++: Hydra's own configuration of the jobs of --multirun may lack the key
        if deleted and options.command.null_is_open:
            deleted, value = False, "null"
        override = f"~{key}" if deleted else f"++{key}={value}"
        try:
            parsed = parser.parse_override(override)
        except (HydraException, ValueError):  # ValueError: numbers too long for Python
            typed.problems.append(f"{spelled(argument)} cannot be read; put the value in quotes: {key}=\"'value'\"")
            continue
        if any(k.startswith(f"{key}.") for k in options.keys()) and not isinstance(parsed.value(), dict):
            typed.problems.append(options.unknown(key))
            continue
        if parsed.is_sweep_override() and not sweep:
            typed.problems.append(
                f"{spelled(argument)} gives several values: add -m for several jobs, or write a list [a,b]"
            )
            continue
        typed.others.append(override)
        typed.keys.append(key)
    return typed


def whole_key(options: type[Options], key: str) -> tuple[str, str]:
    """(the key with its section, "") or ("", what is wrong with it)."""
    accepted = [*options.keys(), *options.command.without_effect, *options.command.only]
    if key in accepted:
        return key, ""
    if key in options.command.words:  # may be the last name of another option
        return "", options.unknown(key)
    within = [k for k in accepted if k.split(".")[-1] == key]
    if len(within) == 1:
        return within[0], ""
    if within:
        return "", f"{key!r} is in several sections; write one of {', '.join(within)}"
    # a key inside an option that is a mapping, or a whole section
    if any(key.startswith(k + ".") or k.startswith(key + ".") for k in accepted):
        return key, ""
    return "", options.unknown(key)


def unquoted(text: str) -> str:
    """Text without one pair of quotes around it, and what Hydra escapes in them."""
    if len(text) < 2 or not QUOTED.match(text):
        return text
    mark, inner = text[0], text[1:-1]
    inner = inner.replace(f"\\{mark}", mark)
    return re.sub(r"(\\+)$", lambda m: "\\" * ((len(m[1]) + 1) // 2), inner)


def run_jobs(work: Any, options: type[Options], preset: Preset, arguments: Sequence[str]) -> list[str]:
    """`work(composed)` for each combination of `key=a,b,c`, by Hydra's launchers: here, or on a cluster.

    Free text is not split at commas; `output_dir=runs/${hydra:job.num}` gives every job a folder of its own.

    Returns: what cannot be read of the overrides, a sentence each; nothing ran then.
    """
    import logging
    import sys

    import hydra
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig

    typed = sort_overrides(options, arguments, sweep=True)
    if typed.problems:
        return typed.problems
    stated = stated_in(options, preset)

    def job(_: Any) -> None:
        facts = HydraConfig.get()
        own = [text for text in facts.overrides.task if not text.startswith("hydra")]
        work(lambda: _composed(options, stated, typed, own, facts))

    GlobalHydra.instance().clear()
    saved, root = sys.argv, logging.getLogger()
    handlers, level = list(root.handlers), root.level
    sys.argv = [saved[0], "--multirun", *typed.others, *typed.hydra]
    try:
        hydra.main(version_base="1.3", config_path=str(preset.search), config_name="default")(job)()
    finally:
        sys.argv = saved
        root.handlers[:] = handlers  # Hydra logs its jobs its own way, and leaves it so
        root.setLevel(level)
    return []
