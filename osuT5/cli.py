"""The command line: Hydra overrides in, one message and an exit code out.

Entry points call `run`. Exit codes: 0 done, 2 something to mend (one message, no traceback), 3 the gate refused the
map, 130 interrupted. Overrides are checked before Hydra sees them, so that every wrong key and value is named at once
and texts need no quoting beyond the shell's: `audio_path=C:\\my songs\\x (a) [b]=c.mp3` works as it stands.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from osuT5.errors import InputError, MapperatorinatorError, OptionErrors, suggestion

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
KEY = re.compile(r"^(?P<prefix>\+{0,2}|~)(?P<key>[A-Za-z_][\w./@-]*)(?:=(?P<value>.*))?$", re.DOTALL)
QUOTED = re.compile(r"""^(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")$""", re.DOTALL)


def run(
    work: Callable[[dict[str, Any]], int | None],
    tree: str,
    default: str,
    texts: Sequence[str] = (),
    arguments: Sequence[str] | None = None,
    about: str = "",
) -> int:
    """Reads a configuration, does the work, answers with an exit code.

    Args:
        work: gets the composed configuration as plain values; returns an exit code or None for 0.
        tree: folder below `configs/`.
        default: name of the configuration without -cn.
        texts: keys whose values are free text (paths, titles): quoted for Hydra unless they already are.
        arguments: instead of sys.argv[1:].
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        name, overrides, show = split_arguments(arguments, default)
        if show == "help":
            print(help_text(tree, name, about))
            return 0
        if show == "multirun":
            return run_many(work, tree, name, overrides, texts)
        config = compose(tree, name, overrides, texts)
        if show == "cfg":
            from omegaconf import OmegaConf

            print(OmegaConf.to_yaml(OmegaConf.create(config)))
            return 0
        return work(config) or 0
    except MapperatorinatorError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted; nothing was left half-written", file=sys.stderr)
        return 130


def split_arguments(arguments: Sequence[str], default: str) -> tuple[str, list[str], str]:
    """(configuration name, overrides, "" | "help" | "cfg" | "multirun")."""
    name, overrides, show = default, [], ""
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument in ("-cn", "--config-name"):
            if not rest:
                raise InputError(f"{argument} needs the name of a configuration")
            name = rest.pop(0)
        elif argument.startswith("--config-name="):
            name = argument.split("=", 1)[1]
        elif argument in ("-h", "--help"):
            show = "help"
        elif argument in ("-c", "--cfg"):
            if rest and rest[0] in ("job", "all"):
                rest.pop(0)
            show = "cfg"
        elif argument in ("-m", "--multirun"):
            show = "multirun"
        elif argument.startswith("-") and "=" not in argument:
            raise InputError(f"unknown flag {argument}; options are written key=value, see --help")
        else:
            overrides.append(argument)
    return name, overrides, show


def config_names(tree: str) -> list[str]:
    return sorted(p.stem for p in (CONFIGS / tree).glob("*.yaml"))


def resolve_name(tree: str, name: str) -> str:
    """Accepts `v29`, `v29.yaml` and the older `inference_v29`, `train_v29`."""
    names = config_names(tree)
    bare = name.removesuffix(".yaml")
    for candidate in (
        bare,
        bare.removeprefix(f"{tree}_"),
        bare.removeprefix("inference_"),
        bare.removeprefix("train_"),
    ):
        if candidate in names:
            return candidate
    raise InputError(f"no configuration named {name!r}{suggestion(bare, names)}; there are: {', '.join(names)}")


def compose(tree: str, name: str, overrides: Sequence[str], texts: Sequence[str] = ()) -> dict[str, Any]:
    """The composed configuration as plain Python values.

    Raises:
        OptionErrors: naming every unknown key (with a suggestion) and every value that cannot be read.
    """
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    GlobalHydra.instance().clear()
    name = resolve_name(tree, name)
    with initialize_config_dir(str(CONFIGS / tree), version_base="1.3"):
        ready = complete_all(overrides, flat_keys(OmegaConf.to_container(hydra_compose(name), resolve=False)), texts)
        try:
            return OmegaConf.to_container(hydra_compose(name, overrides=ready), resolve=True)
        except (HydraException, OmegaConfBaseException) as error:
            raise InputError(str(error).splitlines()[0]) from error


def complete_all(overrides: Sequence[str], known: Sequence[str], texts: Sequence[str]) -> list[str]:
    """Overrides as Hydra takes them. Raises OptionErrors naming all that are wrong."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    problems, ready = [], []
    for text in overrides:
        try:
            override = complete(text, known, texts)
            parser.parse_override(override)
            ready.append(override)
        except InputError as error:
            problems.append(str(error))
        except HydraException:
            problems.append(f"{text!r} cannot be read; put the value in quotes: key=\"'value'\"")
    if problems:
        raise OptionErrors(problems)
    return ready


def run_many(
    work: Callable[[dict[str, Any]], int | None], tree: str, name: str, overrides: Sequence[str], texts: Sequence[str]
) -> int:
    """Several jobs, one for each combination of `key=a,b,c`, by Hydra's launchers: here, or on a cluster.

    Free text is not split at commas; `output_dir='runs/${hydra:job.num}'` gives every job a folder of its own.

    Returns:
        The largest exit code of the jobs that ran in this process.
    """
    import hydra
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf

    GlobalHydra.instance().clear()
    name = resolve_name(tree, name)
    with initialize_config_dir(str(CONFIGS / tree), version_base="1.3"):
        known = flat_keys(OmegaConf.to_container(hydra_compose(name), resolve=False))
    ready = complete_all(overrides, known, texts)
    codes = [0]

    def job(config: Any) -> None:
        try:
            codes.append(work(OmegaConf.to_container(config, resolve=True)) or 0)
        except MapperatorinatorError as error:  # the other jobs go on
            print(f"error: {error}", file=sys.stderr)
            codes.append(error.exit_code)

    arguments, root = sys.argv, logging.getLogger()
    handlers, level = list(root.handlers), root.level
    sys.argv = [arguments[0], "--multirun", *ready]
    try:
        hydra.main(version_base="1.3", config_path=str(CONFIGS / tree), config_name=name)(job)()
    finally:
        sys.argv = arguments
        root.handlers[:] = handlers  # Hydra logs its jobs its own way, and leaves it so
        root.setLevel(level)
    return max(codes)


def flat_keys(config: Mapping[str, Any], prefix: str = "") -> list[str]:
    """All keys of a tree, sections as `section.key`."""
    keys = []
    for key, value in config.items():
        path = f"{prefix}{key}"
        keys.append(path)
        if isinstance(value, Mapping):
            keys += flat_keys(value, path + ".")
    return keys


def complete(text: str, known: Sequence[str], texts: Sequence[str]) -> str:
    """An override as Hydra takes it: the key with its section, free text quoted.

    Raises: InputError for a key that does not exist or names several.
    """
    match = KEY.match(text)
    if not match or (match["value"] is None and match["prefix"] != "~"):
        raise InputError(f"{text!r} is not of the form key=value")
    key, value = match["key"], match["value"]
    if key not in known and not key.startswith("hydra"):
        within = [k for k in known if k.split(".")[-1] == key]
        if len(within) > 1:
            raise InputError(f"{key!r} is in several sections; write one of {', '.join(within)}")
        parents = [k for k in known if key.startswith(k + ".")]
        if not within and not (match["prefix"].startswith("+") and parents):
            names = [*known, *(k.split(".")[-1] for k in known)]
            raise InputError(f"unknown option {key!r}{suggestion(key, names)}")
        key = within[0] if within else key
    if value is not None and key.split(".")[-1] in texts and value not in ("", "null") and not QUOTED.match(value):
        value = quote(value)
    # a mapping is merged into the one that is there, new names included, which Hydra wants to be told
    prefix = match["prefix"] or ("++" if value is not None and value.startswith("{") else "")
    return f"{prefix}{key}" + ("" if value is None else f"={value}")


def quote(text: str) -> str:
    """Text in Hydra's single quotes; only backslashes before a quote, or at the end, are special there."""
    escaped = re.sub(r"(\\*)('|$)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), text)
    return f"'{escaped}'"


def help_text(tree: str, name: str, about: str) -> str:
    return f"{about.strip()}\n\nconfigurations (-cn NAME): {', '.join(config_names(tree))}; this is {name}\n"
