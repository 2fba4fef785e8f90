"""Loading and saving checkpoint folders.

A folder holds config.json, generation_config.json, model.safetensors, tokenizer.json and, from this project,
profile.json. Facts: the published folders. Weights are read and merged in float32 and cast last; the spectrogram and
the conditioning part stay in float32 at any precision.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from osuT5.errors import CheckpointError, InputError
from osuT5.events.profile import Profile
from osuT5.events.vocabulary import Vocabulary
from osuT5.model.config import MapperatorinatorConfig
from osuT5.model.lora import compatibility, find_adapter, merge_adapter, read_adapter
from osuT5.model.lora_files import base_identity, identity_remark
from osuT5.model.model import CONDITION_MODULES, Mapperatorinator
from osuT5.model.profile_match import check_profile, resolve_profile
from osuT5.model.sources import resolve_source
from osuT5.model.weights import check_weights, empty_model, read_weights

# precision -> dtype of the weights; "amp" runs float32 weights under bfloat16 autocast
PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16, "amp": torch.float32}
# every implementation gives the numbers of exact attention, so the choice is accepted and torch picks the kernel
ATTENTION = ("auto", "sdpa", "eager", "flash_attention_2")


def load_model(
    source: str | Path,
    device: str | torch.device = "cpu",
    precision: str = "fp32",
    gamemode: int | None = None,
    profile: Profile | str | None = None,
    lora_path: str | Path | None = None,
    auto_select_gamemode: bool = True,
    attn_implementation: str = "auto",
    revision: str | None = None,
) -> Mapperatorinator:
    """A model ready to generate, in evaluation mode.

    Args:
        source: a checkpoint folder or a hub id (owner/name).
        precision: fp32, fp16, bf16 or amp.
        gamemode: picks a `gamemode=<n>` sub-checkpoint where there is one.
        profile: used when the folder has no profile.json; a name or a `Profile`.
        lora_path: folder or hub id of an adapter to merge.
        attn_implementation: auto, sdpa, eager or flash_attention_2; all give exact attention.

    Returns:
        The model with `.profile`, `.vocabulary`, `.source` (`CheckpointSource`), `.lora_merged` and `.notices`
        (sentences for the user, such as why a LoRA was skipped).

    Raises:
        CheckpointError: the folder is incomplete or does not fit its profile. InputError: an unknown option value.
    """
    if precision not in PRECISIONS:
        raise InputError(f"precision {precision!r} is unknown; use one of {', '.join(PRECISIONS)}")
    if attn_implementation not in ATTENTION:
        raise InputError(f"attn_implementation {attn_implementation!r} is unknown; use one of {', '.join(ATTENTION)}")
    found = resolve_source(source, gamemode, auto_select_gamemode, revision)
    config = read_config(found.folder)
    vocabulary = Vocabulary.load(found.folder / "tokenizer.json")
    resolved = resolve_profile(found.folder, config, profile)
    check_profile(resolved, config, vocabulary, str(found.folder))
    state = read_weights(found.folder, config)
    model = empty_model(config)
    check_weights(state, model, str(found.folder))
    notices: list[str] = []
    merged = False
    if lora_path:
        here = base_identity(config, resolved, vocabulary)
        merged = _merge(state, find_adapter(lora_path), found.subfolder, here, notices)
    dtype = PRECISIONS[precision]
    model.load_state_dict({key: _cast(key, value, dtype) for key, value in state.items()}, assign=True)
    model.profile, model.vocabulary = resolved, vocabulary
    model.source, model.lora_merged, model.notices = found, merged, tuple(notices)
    model.precision, model.name_or_path = precision, str(source)
    return model.to(_device(device)).eval()


def read_config(folder: Path) -> MapperatorinatorConfig:
    """The configuration in a checkpoint folder. Raises CheckpointError."""
    path = folder / "config.json"
    if not path.is_file():
        hint = ""
        if (folder / "custom_checkpoint_0.pkl").is_file():
            hint = f"; it is a training state: convert it with `python -m osuT5.convert state={folder} out=FOLDER`"
        raise CheckpointError(f"{folder}: config.json is missing, so this is no checkpoint{hint}")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from error
    kind = values.pop("model_type", None)
    if kind != MapperatorinatorConfig.model_type:
        raise CheckpointError(f"{path}: model_type is {kind!r}, not {MapperatorinatorConfig.model_type!r}")
    try:
        return MapperatorinatorConfig(**values)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: {error}") from error


def _merge(
    state: dict[str, Tensor], folder: Path, subfolder: str, here: dict[str, Any] | None, notices: list[str]
) -> bool:
    usable, remark = compatibility(folder, subfolder)
    if remark:
        notices.append(remark)
    if usable:
        adapter = read_adapter(folder)
        notices.extend(adapter.notices)
        other_base = identity_remark(folder, here)
        if other_base:
            notices.append(other_base)
        merge_adapter(state, adapter)
    return usable


def _cast(key: str, value: Tensor, dtype: torch.dtype) -> Tensor:
    return value.float() if key.startswith(CONDITION_MODULES) else value.to(dtype)


def _device(device: str | torch.device) -> torch.device:
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, ValueError, NotImplementedError) as error:
        raise InputError(f"device {str(device)!r} cannot be used on this machine: {error}; use device=cpu") from error
    return found


def save_checkpoint(model: Mapperatorinator, folder: str | Path, dtype: torch.dtype = torch.float32) -> None:
    """Writes a checkpoint folder; every file appears whole or not at all, the weights first.

    Args:
        dtype: of the stored weights; tensors that float16 cannot hold stay float32.

    Raises CheckpointError when the model carries no vocabulary or profile, or the folder cannot be written.
    """
    if model.vocabulary is None or model.profile is None:
        raise CheckpointError("a model is saved with its vocabulary and profile, but this one carries none")
    if model.adapter is not None:
        raise CheckpointError("this model has a LoRA in training; merge it to save it as a checkpoint")
    folder = Path(folder)
    state = {key: _stored(value, dtype) for key, value in model.state_dict().items()}
    config = {**model.config.published(), "dtype": str(dtype).removeprefix("torch.")}
    texts: dict[str, Any] = {
        "config.json": config,
        "generation_config.json": model.config.generation_defaults(),
        "profile.json": model.profile.to_dict(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".saving-", dir=folder) as temporary:
            made = Path(temporary)
            save_file(state, made / "model.safetensors", metadata={"format": "pt"})
            model.vocabulary.save(made / "tokenizer.json")
            for name, values in texts.items():
                (made / name).write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")
            for name in ("model.safetensors", "tokenizer.json", *texts):
                os.replace(made / name, folder / name)
    except OSError as error:
        raise CheckpointError(f"{folder}: the checkpoint cannot be written: {error}") from error


def _stored(value: Tensor, dtype: torch.dtype) -> Tensor:
    cast = value.detach().to("cpu", dtype)
    if not torch.isfinite(cast).all():
        cast = value.detach().to("cpu", torch.float32)
    return cast.contiguous().clone()
