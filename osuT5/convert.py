"""`python -m osuT5.convert`: turns LoRAs and old training states into folders that load anywhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from osuT5 import cli
from osuT5.errors import InputError, OptionErrors
from osuT5.events.profile import Profile, load_profile, read_profile

ABOUT = """python -m osuT5.convert merge model=FOLDER_OR_ID lora=FOLDER out=FOLDER [gamemode=N] [precision=fp16]
    a checkpoint with the LoRA merged into its weights
python -m osuT5.convert lora model=FOLDER_OR_ID lora=FOLDER out=FOLDER [gamemode=N]
    a PiSSA LoRA as a standard one, which any LoRA loader adds to the original weights
python -m osuT5.convert state=FOLDER out=FOLDER [profile=NAME] [precision=fp16]
    a checkpoint from a training state of the older system (pytorch_model.bin, custom_checkpoint_0.pkl)

Nothing is overwritten: out must be a new or empty folder."""
TEXTS = ("model", "lora", "out", "state", "profile")
DTYPES = ("fp32", "fp16", "bf16")


def merge(config: dict[str, Any], out: Path) -> str:
    """Writes a plain checkpoint with a LoRA merged."""
    from osuT5.model import load_model

    model = load_model(
        config["model"], gamemode=config["gamemode"], profile=_profile(config["profile"]), lora_path=config["lora"]
    )
    if not model.lora_merged:
        raise InputError(" ".join(model.notices))
    _warn(model.notices)
    _save(model, out, config["precision"])
    return f"{out}: a checkpoint with the LoRA merged"


def lora(config: dict[str, Any], out: Path) -> str:
    """Writes a standard LoRA from a PiSSA one."""
    from osuT5.model import load_model
    from osuT5.model.lora import find_adapter, read_adapter, read_restriction
    from osuT5.model.lora_files import base_identity, standard_adapter, write_adapter

    adapter = read_adapter(find_adapter(config["lora"]))
    if not adapter.principal:
        raise InputError(f"{config['lora']}: this is a standard LoRA already; use it as it is")
    model = load_model(config["model"], gamemode=config["gamemode"], profile=_profile(config["profile"]))
    standard = standard_adapter(adapter, model.state_dict())
    restriction, remark = read_restriction(adapter.folder)
    _warn([*adapter.notices, *([remark] if remark else [])])
    write_adapter(standard, out, restriction, base_identity(model.config, model.profile, model.vocabulary))
    return f"{out}: a standard LoRA of rank {standard.config['r']}"


def state(config: dict[str, Any], out: Path) -> str:
    """Writes a checkpoint from a training state."""
    from osuT5.model.training_state import VOCABULARY_FILE, WEIGHT_NAMES, is_training_state, read_training_state

    folder = Path(config["state"]).expanduser()
    if not is_training_state(folder):
        raise InputError(
            f"{folder}: this is no training state; it needs {VOCABULARY_FILE} and one of {', '.join(WEIGHT_NAMES)}, "
            "and has no config.json (with one it is a checkpoint already)"
        )
    given = _profile(config["profile"])
    model = read_training_state(folder, load_profile(given) if isinstance(given, str) else given)
    _save(model, out, config["precision"])
    return f"{out}: a checkpoint of profile {model.profile.name!r}"


# sub-command -> what it does; its configuration in configs/convert has the same name
CONVERSIONS: dict[str, Callable[[dict[str, Any], Path], str]] = {"merge": merge, "lora": lora, "state": state}


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code. The first argument names the conversion; `state=...` alone stands for `state state=...`."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    name = arguments[0] if arguments else ""
    if name in CONVERSIONS:
        arguments = arguments[1:]
    elif any(text.startswith("state=") for text in arguments):
        name = "state"
    elif name in ("-h", "--help"):
        print(ABOUT)
        return 0
    else:
        print(f"error: say what to convert: {', '.join(CONVERSIONS)}\n\n{ABOUT}", file=sys.stderr)
        return InputError.exit_code

    def work(config: dict[str, Any]) -> int:
        print(CONVERSIONS[name](config, check(config)))
        return 0

    return cli.run(work, "convert", name, TEXTS, arguments, ABOUT)


def check(config: dict[str, Any]) -> Path:
    """The folder to write. Raises OptionErrors naming everything that is missing or wrong."""
    optional = ("gamemode", "profile")
    problems = [f"{key}=... is missing" for key, value in config.items() if value is None and key not in optional]
    if config.get("precision", "fp32") not in DTYPES:
        problems.append(f"precision {config['precision']!r} is unknown; use one of {', '.join(DTYPES)}")
    if config.get("gamemode") not in (None, 0, 1, 2, 3):
        problems.append(f"gamemode {config['gamemode']!r} is none of 0, 1, 2, 3")
    out = Path(config["out"] or "").expanduser()
    if config["out"] is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        problems.append(f"out {str(out)!r} exists already; name a new or empty folder")
    if problems:
        raise OptionErrors(problems)
    return out


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
