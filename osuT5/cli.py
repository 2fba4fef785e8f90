"""How commands start: flags and Hydra overrides in, options checked, one message and an exit code out.

Entry points call `run`. Exit codes: 0 done, 2 something to mend (one message, no traceback), 3 the gate refused the
map, 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from osuT5.bundled import in_clone
from osuT5.errors import InputError, MapperatorinatorError, OptionErrors
from osuT5.options import Options
from osuT5.options.compose import Composed, compose, find_preset, preset_names, run_jobs

FLAGS = """flags
  -cn NAME              another configuration
  --config-dir FOLDER   look for configurations in this folder too
  --cfg job             show all values and stop
  -m, --multirun        several jobs: key=a,b,c runs one for each value"""
O = TypeVar("O", bound=Options)  # noqa: E741


@dataclass
class CommandLine:
    """What was typed: `show` is "", "help", "cfg", "multirun" or the name of a flag of the command."""

    name: str
    show: str = ""
    config_dir: Path | None = None
    overrides: list[str] = field(default_factory=list)


def run(
    work: Callable[[O], int | None],
    options: type[O],
    default: str | None = "default",
    arguments: Sequence[str] | None = None,
    flags: Sequence[tuple[str, str, Callable[[O], int | None]]] = (),
) -> int:
    """Reads the options, does the work, answers with an exit code.

    Args:
        work: gets the options; returns an exit code or None for 0.
        default: name of the configuration without -cn; None: one has to be named.
        arguments: instead of sys.argv[1:].
        flags: (`--flag`, what it does, what is done instead of `work`).
    """
    try:
        typed = parse(sys.argv[1:] if arguments is None else arguments, default or "", [name for name, _, _ in flags])
        if typed.show == "help":
            print(help_text(options, default, flags))
            return 0
        if not typed.name:
            known = ", ".join(preset_names(options.command.tree, typed.config_dir))
            raise InputError(f"name a configuration with -cn NAME; there are: {known}")
        preset = find_preset(options.command.tree, typed.name, typed.config_dir)
        if preset.name in options.command.only_in_clone and not in_clone():
            raise InputError(f"-cn {preset.name}: {options.command.only_in_clone[preset.name]}")
        if typed.show == "multirun":
            return run_many(work, options, preset, typed.overrides)
        composed = compose(options, preset, typed.overrides)
        read = options.read(composed.values, composed.layers, composed.problems)
        if typed.show == "cfg":
            open_ones = options.command.null_is_open  # null there: not known before model and song are
            print(values_text(composed.values if open_ones else read.model_dump(mode="json")))
            return 0
        does = {name: action for name, _, action in flags}.get(typed.show, work)
        return does(read) or 0
    except MapperatorinatorError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted; nothing was left half-written", file=sys.stderr)
        return 130


def parse(arguments: Sequence[str], default: str, flags: Sequence[str] = ()) -> CommandLine:
    """Flags and overrides apart. Raises InputError for an unknown flag."""
    typed, rest, shown = CommandLine(default), list(arguments), []
    while rest:
        argument = rest.pop(0)
        flag, equals, value = argument.partition("=")
        if flag in ("-cn", "--config-name", "-cd", "--config-dir"):
            if not equals and not rest:
                raise InputError(f"{flag} needs a value")
            value = value if equals else rest.pop(0)
            if flag in ("-cn", "--config-name"):
                typed.name = value
            else:
                typed.config_dir = Path(value).expanduser()
        elif argument in ("-h", "--help"):
            shown.append("help")
        elif argument in ("-c", "--cfg"):
            if rest and rest[0] in ("job", "all"):
                rest.pop(0)
            shown.append("cfg")
        elif argument in ("-m", "--multirun"):
            shown.append("multirun")
        elif argument in flags:
            shown.append(argument)
        elif argument.startswith("-"):
            bare = argument.lstrip("-").split("=")[0] or "key"
            raise InputError(f"unknown flag {argument}; options are written without dashes: {bare}=value, see --help")
        else:
            typed.overrides.append(argument)
    if "help" in shown:
        shown = ["help"]
    if len(set(shown)) > 1:
        raise InputError("--cfg, --explain and --multirun exclude each other; give one of them")
    typed.show = shown[0] if shown else ""
    return typed


def run_many(work: Callable[[O], int | None], options: type[O], preset: Any, overrides: Sequence[str]) -> int:
    """The jobs of --multirun; the largest exit code of those that ran in this process."""
    codes = [0]

    def job(composed: Callable[[], Composed]) -> None:
        try:
            found = composed()
            codes.append(work(options.read(found.values, found.layers, found.problems)) or 0)
        except MapperatorinatorError as error:  # the other jobs go on
            print(f"error: {error}", file=sys.stderr)
            codes.append(error.exit_code)

    problems = run_jobs(job, options, preset, overrides)
    if problems:
        raise OptionErrors(problems)
    return max(codes)


def help_text(options: type[Options], default: str | None, flags: Sequence[tuple[str, str, Any]] = ()) -> str:
    """The command's usage, its configurations, its flags and every option."""
    from osuT5.options.documents import option_lines

    names = ", ".join(preset_names(options.command.tree))
    without = f"; without -cn: {default}" if default else ""
    own = "".join(f"\n  {name:<21} {about}" for name, about, _ in flags)
    head = f"{options.command.usage.strip()}\n\nconfigurations (-cn NAME): {names}{without}\n\n{FLAGS}{own}"
    return f"{head}\n\n{option_lines(options)}"


def values_text(values: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
