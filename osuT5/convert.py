"""`python -m osuT5.convert`: turns LoRAs and old training states into folders that load anywhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from osuT5 import cli
from osuT5.errors import InputError
from osuT5.events.profile import Profile, load_profile, read_profile
from osuT5.model.sources import is_missing_folder
from osuT5.options import Command, Int, Options, PathText, contradiction, must_exist, one_of, option, required

USAGE = """python -m osuT5.convert merge model=FOLDER_OR_ID lora=FOLDER out=FOLDER [gamemode=N] [precision=fp16]
    a checkpoint with the LoRA merged into its weights
python -m osuT5.convert lora model=FOLDER_OR_ID lora=FOLDER out=FOLDER [gamemode=N]
    a PiSSA LoRA as a standard one, which any LoRA loader adds to the original weights
python -m osuT5.convert state=FOLDER out=FOLDER [profile=NAME] [precision=fp16]
    a checkpoint from a training state of the older system (pytorch_model.bin, custom_checkpoint_0.pkl)

Nothing is overwritten: out must be a new or empty folder."""
NEW_FOLDER = "a new folder"


@contradiction("out")
def out_is_taken(out: str | None) -> str | None:
    folder = Path(out or "").expanduser()
    if out is None or not folder.exists() or folder.is_dir() and not any(folder.iterdir()):
        return None
    return f"out={folder} exists already; name a new or empty folder"


@contradiction("model", "lora")
def no_such_folder(model: str | None, lora: str | None) -> list[str]:
    sources = {"model": model, "lora": lora}
    return [f"{key}: there is no folder {path}" for key, path in sources.items() if path and is_missing_folder(path)]


def _profile_option() -> Any:
    return option("name or profile.json, for models that do not tell theirs")


def _precision_option() -> Any:
    return option("type of the written weights", "fp32")


Precision = one_of("fp32", "fp16", "bf16")


class MergeOptions(Options):
    """Options of `merge`. Raises OptionErrors."""

    command: ClassVar[Command] = Command(
        tree="convert/merge",
        title="merging a LoRA",
        usage=USAGE,
        contradictions=(
            required("model", "folder or hub id of the base"),
            required("lora", "folder or hub id of the LoRA"),
            no_such_folder,
            required("out", NEW_FOLDER),
            out_is_taken,
        ),
    )

    model: PathText | None = option("folder or hub id of the base")
    lora: PathText | None = option("folder or hub id of the LoRA")
    out: PathText | None = option(NEW_FOLDER)
    gamemode: Int | None = option("take the sub-checkpoint gamemode=N of the model, where there is one", ge=0, le=3)
    profile: PathText | None = _profile_option()
    precision: Precision = _precision_option()


class StandardOptions(Options):
    """Options of `lora`. Raises OptionErrors."""

    command: ClassVar[Command] = replace(MergeOptions.command, tree="convert/lora", title="making a LoRA standard")

    model: PathText | None = option("folder or hub id of the base that the LoRA was trained on")
    lora: PathText | None = option("folder or hub id of a PiSSA LoRA")
    out: PathText | None = option("a new folder: a standard LoRA")
    gamemode: Int | None = option("take the sub-checkpoint gamemode=N of the model, where there is one", ge=0, le=3)
    profile: PathText | None = _profile_option()


class StateOptions(Options):
    """Options of `state`. Raises OptionErrors."""

    command: ClassVar[Command] = Command(
        tree="convert/state",
        title="the conversion of a training state",
        usage=USAGE,
        contradictions=(
            required("state", "the folder of the training state"),
            must_exist("state", "folder"),
            required("out", NEW_FOLDER),
            out_is_taken,
        ),
    )

    state: PathText | None = option("folder with pytorch_model.bin and custom_checkpoint_0.pkl")
    out: PathText | None = option("a new folder: a checkpoint")
    profile: PathText | None = _profile_option()
    precision: Precision = _precision_option()


def merge(options: MergeOptions, out: Path) -> str:
    """Writes a plain checkpoint with a LoRA merged."""
    from osuT5.model import load_model

    model = load_model(
        options.model, gamemode=options.gamemode, profile=_profile(options.profile), lora_path=options.lora
    )
    if not model.lora_merged:
        raise InputError(" ".join(model.notices))
    _warn(model.notices)
    _save(model, out, options.precision)
    return f"{out}: a checkpoint with the LoRA merged"


def lora(options: StandardOptions, out: Path) -> str:
    """Writes a standard LoRA from a PiSSA one."""
    from osuT5.model import load_model
    from osuT5.model.lora import find_adapter, read_adapter, read_restriction
    from osuT5.model.lora_files import base_identity, standard_adapter, write_adapter

    adapter = read_adapter(find_adapter(options.lora))
    if not adapter.principal:
        raise InputError(f"{options.lora}: this is a standard LoRA already; use it as it is")
    model = load_model(options.model, gamemode=options.gamemode, profile=_profile(options.profile))
    standard = standard_adapter(adapter, model.state_dict())
    restriction, remark = read_restriction(adapter.folder)
    _warn([*adapter.notices, *([remark] if remark else [])])
    write_adapter(standard, out, restriction, base_identity(model.config, model.profile, model.vocabulary))
    return f"{out}: a standard LoRA of rank {standard.config['r']}"


def state(options: StateOptions, out: Path) -> str:
    """Writes a checkpoint from a training state."""
    from osuT5.model.training_state import VOCABULARY_FILE, WEIGHT_NAMES, is_training_state, read_training_state

    folder = Path(options.state).expanduser()
    if not is_training_state(folder):
        raise InputError(
            f"{folder}: this is no training state; it needs {VOCABULARY_FILE} and one of {', '.join(WEIGHT_NAMES)}, "
            "and has no config.json (with one it is a checkpoint already)"
        )
    given = _profile(options.profile)
    model = read_training_state(folder, load_profile(given) if isinstance(given, str) else given)
    _save(model, out, options.precision)
    return f"{out}: a checkpoint of profile {model.profile.name!r}"


# sub-command -> its options and what it does
CONVERSIONS: dict[str, tuple[type[Options], Callable[[Any, Path], str]]] = {
    "merge": (MergeOptions, merge),
    "lora": (StandardOptions, lora),
    "state": (StateOptions, state),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code. The first argument names the conversion; `state=...` alone stands for `state state=...`."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    name = arguments[0] if arguments else ""
    if name in CONVERSIONS:
        arguments = arguments[1:]
    elif any(text.startswith("state=") for text in arguments):
        name = "state"
    elif name in ("-h", "--help"):
        print(f"{USAGE}\n\nOptions: python -m osuT5.convert merge --help, lora --help, state --help")
        return 0
    else:
        print(f"error: say what to convert: {', '.join(CONVERSIONS)}\n\n{USAGE}", file=sys.stderr)
        return InputError.exit_code
    options, conversion = CONVERSIONS[name]

    def work(given: Any) -> int:
        print(conversion(given, Path(given.out).expanduser()))
        return 0

    return cli.run(work, options, "default", arguments)


def _profile(given: str | None) -> Profile | str | None:
    path = Path(given or "").expanduser()
    if given and path.is_dir():
        path = path / "profile.json"
    return read_profile(path) if given and path.is_file() else given


def _save(model: Any, out: Path, precision: str) -> None:
    from osuT5.model import save_checkpoint
    from osuT5.model.checkpoint import PRECISIONS

    save_checkpoint(model, out, dtype=PRECISIONS[precision])


def _warn(notices: Sequence[str]) -> None:
    for notice in notices:
        print(f"note: {notice}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
