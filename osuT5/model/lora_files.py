"""Writing LoRA folders that peft and `load_model` read, and turning PiSSA adapters into standard ones.

A standard adapter adds to the original weights: W + c B A. A PiSSA file adds to what is left of W without its largest
singular directions, so it cannot be used where that is not known; with W at hand the two parts are one product,
c B A - U S V = c [B, -B0] [A; A0], of rank 2r. Facts: peft's file names, keys and configuration fields.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from osuT5.errors import CheckpointError
from osuT5.events.profile import Profile
from osuT5.events.vocabulary import Vocabulary
from osuT5.model.config import MapperatorinatorConfig
from osuT5.model.families import family_of
from osuT5.model.lora import METADATA_FILE, PREFIX, Adapter, base_weight, principal_factors, restriction_text

Pair = tuple[Tensor, Tensor]


def adapter_config(
    r: int, lora_alpha: float, target_modules: Sequence[str], lora_dropout: float = 0.0, base_name: str = ""
) -> dict[str, Any]:
    """`adapter_config.json` of a standard adapter, with peft's field names."""
    return {
        "alpha_pattern": {},
        "base_model_name_or_path": base_name,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "lora_alpha": lora_alpha,
        "lora_dropout": lora_dropout,
        "modules_to_save": None,
        "peft_type": "LORA",
        "r": r,
        "rank_pattern": {},
        "target_modules": list(target_modules),
        "task_type": None,
        "use_dora": False,
        "use_rslora": False,
    }


def stack_start(trained: Pair, start: Pair) -> Pair:
    """(A, B) of rank 2r whose product is B A - B0 A0."""
    (a, b), (a0, b0) = trained, start
    return torch.cat((a, a0)), torch.cat((b, -b0), 1)


@torch.no_grad()
def standard_adapter(adapter: Adapter, state: dict[str, Tensor]) -> Adapter:
    """The same adapter, relative to the original weights `state`; a standard one is returned unchanged.

    Raises CheckpointError when the adapter was made for another model.
    """
    if not adapter.principal:
        return adapter
    matrices = {}
    for module, (a, b) in adapter.matrices.items():
        weight, rank = base_weight(state, adapter, module), a.shape[0]
        a0, b0 = principal_factors(weight, rank, adapter.scale(module, rank))
        matrices[module] = stack_start((a.float(), b.float()), (a0, b0))
    # the rank doubles and the scale stays: alpha / r, or alpha / sqrt(r)
    growth = math.sqrt(2) if adapter.config.get("use_rslora") else 2
    config = {
        **adapter.config,
        "init_lora_weights": True,
        "r": 2 * adapter.config.get("r", 8),
        "lora_alpha": growth * adapter.config.get("lora_alpha", 8),
        "rank_pattern": {k: 2 * v for k, v in (adapter.config.get("rank_pattern") or {}).items()},
        "alpha_pattern": {k: growth * v for k, v in (adapter.config.get("alpha_pattern") or {}).items()},
    }
    return Adapter(adapter.folder, config, matrices, adapter.notices)


def write_adapter(
    adapter: Adapter, folder: str | Path, restriction: list[str] | None, base: dict[str, Any] | None = None
) -> Path:
    """Writes an adapter folder; every file appears whole or not at all, the weights first.

    Args:
        restriction: sub-checkpoints that it may be used with; None = any.
        base: `base_identity` of the model it was made for.

    Raises CheckpointError when the folder cannot be written.
    """
    folder = Path(folder)
    tensors = {}
    for module, pair in adapter.matrices.items():
        for label, matrix in zip("AB", pair, strict=True):
            tensors[f"{PREFIX}{module}.lora_{label}.weight"] = matrix.detach().cpu().float().contiguous().clone()
    texts = {
        "adapter_config.json": json.dumps(adapter.config, indent=2, sort_keys=True) + "\n",
        METADATA_FILE: restriction_text(restriction, base),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".saving-", dir=folder) as temporary:
            made = Path(temporary)
            save_file(tensors, made / "adapter_model.safetensors", metadata={"format": "pt"})
            for name, text in texts.items():
                (made / name).write_text(text, encoding="utf-8")
            for name in ("adapter_model.safetensors", *texts):
                os.replace(made / name, folder / name)
    except OSError as error:
        raise CheckpointError(f"{folder}: the LoRA cannot be written: {error}") from error
    return folder


def base_identity(
    config: MapperatorinatorConfig, profile: Profile | None, vocabulary: Vocabulary | None
) -> dict[str, Any] | None:
    """What tells a model from others whose layers have the same shapes: family, profile, and a digest of its words.

    The digest covers window and output events, not the mappers and descriptors, which differ between fine-tunes.
    None for a model without a vocabulary.
    """
    if vocabulary is None:
        return None
    words = [[r.type.value, r.min_value, r.max_value] for r in vocabulary.output_ranges]
    words.append(sorted([c.value, i] for c, i in vocabulary.context_sos.items()))
    return {
        "family": family_of(config.backbone_model_name).prefix,
        "profile": profile.name if profile else None,
        "words": hashlib.sha256(json.dumps(words).encode()).hexdigest()[:16],
    }


def identity_remark(folder: Path, here: dict[str, Any] | None) -> str | None:
    """A sentence for the user when an adapter tells another base than the one it is merged into.

    It fits by its shapes and is used: fine-tunes of one model share adapters. Adapters that tell nothing pass.
    """
    try:
        base = json.loads((folder / METADATA_FILE).read_text(encoding="utf-8")).get("base")
    except (OSError, ValueError, AttributeError):
        return None
    if not isinstance(base, dict) or here is None or base.get("words") in (None, here["words"]):
        return None
    return (
        f"LoRA {folder} was trained on a model of profile {base.get('profile')!r} with other tokens than this one "
        f"({here['profile']!r}); expect poor maps, or choose the model it was made for"
    )
