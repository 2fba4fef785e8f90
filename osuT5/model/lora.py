"""LoRA adapters: reading the files that peft writes, and merging them into the weights.

Facts: W <- W + c B A with c = alpha / r (alpha / sqrt(r) with rslora). A PiSSA adapter holds the trained principal
part, so the base first loses its own: W <- W - U_r S_r V_r + c B A, with the decomposition of the base recomputed
here. Merging is done in float32, before any cast. An adapter may say which sub-checkpoints it fits.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from osuT5.errors import CheckpointError
from osuT5.model.sources import fetch, normalise_subfolder
from osuT5.model.weights import read_tensors

METADATA_FILE = "mapperatorinator_lora_metadata.json"
METADATA_VERSION = 1
PREFIX = "base_model.model."  # of all keys in peft's files
# peft options that change what the matrices mean; with these set, merging would silently give another model
_REFUSED = {
    "use_dora": "DoRA",
    "use_qalora": "QA-LoRA",
    "lora_bias": "biases in B",
    "fan_in_fan_out": "transposed weights",
    "modules_to_save": "whole modules",
    "target_parameters": "bare parameters",
    "alora_invocation_tokens": "activated LoRA",
    "layer_replication": "replicated layers",
    "megatron_config": "Megatron layers",
    "arrow_config": "Arrow routing",
}
# initialisations that, like PiSSA, change the base, but in a way that cannot be repeated from the base alone
_REFUSED_INITS = ("corda", "loftq", "lora_ga", "mica", "olora")


@dataclass(frozen=True)
class Adapter:
    """An adapter's configuration and its (A, B) per module; `notices` are remarks for the user."""

    folder: Path
    config: dict[str, Any]
    matrices: dict[str, tuple[Tensor, Tensor]]
    notices: tuple[str, ...] = ()

    @property
    def principal(self) -> bool:
        """True for PiSSA."""
        return str(self.config.get("init_lora_weights", "")).lower().startswith("pissa")

    def scale(self, module: str, rank: int) -> float:
        alpha = _pattern(self.config.get("alpha_pattern"), module, self.config.get("lora_alpha", 8))
        return alpha / (math.sqrt(rank) if self.config.get("use_rslora") else rank)


def find_adapter(source: str | Path) -> Path:
    """The adapter's folder: local, or fetched when `source` is a hub id. Raises CheckpointError."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", str(source)) or Path(folder.parts[0]).is_dir():
        raise CheckpointError(f"{source}: there is no such LoRA folder")
    found = fetch(str(source), "adapter_config.json")
    if fetch(str(source), "adapter_model.safetensors", required=False) is None:
        fetch(str(source), "adapter_model.bin")
    fetch(str(source), METADATA_FILE, required=False)
    return found.parent


def read_adapter(folder: Path) -> Adapter:
    """Raises CheckpointError for adapters that are incomplete or of another kind."""
    config_path = folder / "adapter_config.json"
    try:
        config = json.loads(config_path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{config_path}: cannot be read: {error}") from error
    if config.get("peft_type", "LORA") != "LORA":
        raise CheckpointError(f"{config_path}: {config['peft_type']} adapters are not supported, only LORA")
    refused = [label for key, label in _REFUSED.items() if config.get(key)]
    if config.get("bias", "none") != "none":
        refused.append("trained biases")
    init = str(config.get("init_lora_weights", "")).lower()
    if init.startswith(_REFUSED_INITS):
        refused.append(f"init_lora_weights {init}, relative to a changed base")
    if refused:
        raise CheckpointError(f"{config_path}: this adapter uses {', '.join(refused)}, which cannot be merged here")
    weights = next((p for n in ("safetensors", "bin") if (p := folder / f"adapter_model.{n}").is_file()), None)
    if weights is None:
        raise CheckpointError(f"{folder}: adapter_model.safetensors is missing")
    matrices = _pair(read_tensors(weights), weights)
    for module, (a, _) in matrices.items():
        stated = _pattern(config.get("rank_pattern"), module, config.get("r", a.shape[0]))
        if stated != a.shape[0]:
            raise CheckpointError(f"{weights}: {module} has rank {a.shape[0]}, but adapter_config.json says {stated}")
    notices = ()
    if "niter" in str(config.get("init_lora_weights", "")):
        notices = (f"{folder}: its first decomposition was a randomised one, so the merge is only close",)
    return Adapter(folder, config, matrices, notices)


def _pair(tensors: dict[str, Tensor], path: Path) -> dict[str, tuple[Tensor, Tensor]]:
    halves: dict[str, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        match = re.fullmatch(r"(.+)\.lora_([AB])(?:\.default)?\.weight", key.removeprefix(PREFIX))
        if match is None:
            raise CheckpointError(f"{path}: {key} is no LoRA matrix of a linear layer")
        halves.setdefault(match[1], {})[match[2]] = value
    single = sorted(module for module, pair in halves.items() if len(pair) < 2)
    if single:
        raise CheckpointError(f"{path}: {single[0]} has only one of its two matrices")
    return {module: (pair["A"], pair["B"]) for module, pair in halves.items()}


def _pattern(patterns: dict[str, Any] | None, module: str, default: Any) -> Any:
    """Value of the first pattern that the end of the module name matches (patterns are regular expressions)."""
    for pattern, value in (patterns or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return value
    return default


def principal_factors(weight: Tensor, rank: int, scale: float) -> tuple[Tensor, Tensor]:
    """A0 (rank, in) and B0 (out, rank) with scale * B0 A0 = U_r S_r V_r of a float32 matrix."""
    u, s, v = torch.linalg.svd(weight, full_matrices=False)
    root = (s[:rank] / scale).sqrt()
    return root.unsqueeze(1) * v[:rank], u[:, :rank] * root


def principal_part(weight: Tensor, rank: int) -> Tensor:
    """U_r S_r V_r of a float32 matrix."""
    a, b = principal_factors(weight, rank, 1.0)
    return b @ a


def base_weight(state: dict[str, Tensor], adapter: Adapter, module: str) -> Tensor:
    """The float32 matrix that an adapter changes. Raises CheckpointError when it is not there or of another shape."""
    a, b = adapter.matrices[module]
    if f"{module}.weight" not in state:
        raise CheckpointError(
            f"{adapter.folder}: it adapts {module}, which this model does not have; "
            f"the adapter was made for another model family{_base_of(adapter)}"
        )
    weight = state[f"{module}.weight"].float()
    if (b.shape[0], a.shape[1]) != tuple(weight.shape):
        raise CheckpointError(
            f"{adapter.folder}: {module} is {tuple(weight.shape)} here, but the adapter was made for "
            f"{(b.shape[0], a.shape[1])}{_base_of(adapter)}"
        )
    return weight


def _base_of(adapter: Adapter) -> str:
    name = adapter.config.get("base_model_name_or_path")
    return f" ({name})" if name else ""


@torch.no_grad()
def merge_adapter(state: dict[str, Tensor], adapter: Adapter) -> None:
    """Replaces the adapted matrices of `state` by merged float32 ones. Raises CheckpointError for a wrong family."""
    for module, (a, b) in adapter.matrices.items():
        weight, rank = base_weight(state, adapter, module), a.shape[0]
        if adapter.principal:
            weight = weight - principal_part(weight, rank)
        state[f"{module}.weight"] = weight + adapter.scale(module, rank) * (b.float() @ a.float())


# ---- which sub-checkpoints an adapter fits


def read_restriction(folder: Path) -> tuple[list[str] | None, str | None]:
    """Sub-checkpoints an adapter may be used with (None = any) and a warning about an unusable file."""
    path = folder / METADATA_FILE
    if not path.is_file():
        return None, None
    try:
        names = json.loads(path.read_text(encoding="utf-8")).get("ckpt_subfolders")
    except (OSError, ValueError, AttributeError):
        return None, f"{path}: cannot be read; the LoRA is used for any checkpoint"
    if names is not None and not (isinstance(names, list) and all(isinstance(n, str) for n in names)):
        return None, f"{path}: ckpt_subfolders is no list of names; the LoRA is used for any checkpoint"
    return (None if names is None else normalise_subfolders(names)), None


def normalise_subfolders(names: list[str]) -> list[str]:
    """Normalised, sorted, without doubles."""
    return sorted({normalise_subfolder(name) for name in names})


def restriction_text(names: list[str] | None, base: dict[str, Any] | None = None) -> str:
    """Content of the metadata file; None = fits any checkpoint. `base` tells the model that it was made for."""
    values: dict[str, Any] = {
        "ckpt_subfolders": None if names is None else normalise_subfolders(names),
        "format_version": METADATA_VERSION,
    }
    if base is not None:
        values["base"] = base
    return json.dumps(values, indent=2, sort_keys=True) + "\n"


def write_restriction(folder: Path, names: list[str] | None) -> None:
    """Writes the metadata file beside an adapter; None = fits any checkpoint."""
    (folder / METADATA_FILE).write_text(restriction_text(names), encoding="utf-8")


def compatibility(folder: Path, subfolder: str | None) -> tuple[bool, str | None]:
    """Whether the adapter may be used with a sub-checkpoint ("" or None = root), and what to tell the user."""
    allowed, warning = read_restriction(folder)
    name = normalise_subfolder(subfolder)
    if allowed is None or name in allowed:
        return True, warning
    fits = ", ".join(repr(n) if n else "the root checkpoint" for n in allowed) or "none"
    here = repr(name) if name else "the root checkpoint"
    return False, f"LoRA {folder} is not used: it was made for {fits}, and {here} is loaded"
