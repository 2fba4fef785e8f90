"""LoRA training: adapters put into a model, their state for resuming, and what comes out.

The layers are peft's; the model stays a `Mapperatorinator` with its own forward. Facts: the published LoRA recipes.
PiSSA starts the adapter from the largest singular directions of each weight and takes them out of the base, so that
the frozen base is W - c B0 A0 with c = alpha / r. The untouched W stays in memory on the CPU: from it the base is
rebuilt bit for bit when a run is resumed, and what is saved or merged is always relative to W.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from osuT5.errors import CheckpointError, InputError, OptionErrors, suggestion
from osuT5.model import Mapperatorinator
from osuT5.model.attention import FusedCrossAttention, FusedSelfAttention, SplitAttention
from osuT5.model.lora import Adapter
from osuT5.model.lora_files import adapter_config, base_identity, stack_start, write_adapter
from osuT5.training.options import LoraOptions

_PEFT_NAME = "default"  # peft's name for the one adapter of a model


@dataclass
class AdaptedLayer:
    """One adapted linear layer.

    Attributes:
        layer: peft's layer in the model; its `base_layer` is frozen.
        original: (out, in) weight before anything was done to it, on the CPU.
        start: A0 (r, in) and B0 (out, r) that were taken out of the base, float32 on the CPU; None when B began at 0.
    """

    layer: nn.Module
    original: Tensor
    start: tuple[Tensor, Tensor] | None

    @property
    def matrices(self) -> tuple[nn.Parameter, nn.Parameter]:
        """The trained A (r, in) and B (out, r)."""
        return self.layer.lora_A[_PEFT_NAME].weight, self.layer.lora_B[_PEFT_NAME].weight

    @property
    def base(self) -> nn.Linear:
        return self.layer.base_layer

    @torch.no_grad()
    def take_start_from_base(self, scale: float) -> None:
        """Frozen weight = original - scale * B0 A0; in float64, so that it does not depend on the number of threads."""
        weight = self.original
        if self.start is not None:
            a, b = (m.double() for m in self.start)
            weight = (weight.double() - scale * (b @ a)).to(weight.dtype)
        self.base.weight.data = weight.to(self.base.weight.device, copy=True)

    @torch.no_grad()
    def merged_weight(self, scale: float) -> Tensor:
        """original + scale * (B A - B0 A0), summed in float32, in the dtype of the base."""
        a, b = self.matrices
        change = b.float() @ a.float()
        if self.start is not None:
            a0, b0 = (m.to(change.device) for m in self.start)
            change = change - b0 @ a0
        weight = self.original.to(change.device).float() + scale * change
        return weight.to(self.original.dtype)


@dataclass
class ModelAdapter:
    """What `model.adapter` holds during LoRA training: the adapted layers by module path."""

    settings: LoraOptions
    layers: dict[str, AdaptedLayer]
    base_name: str
    subfolders: tuple[str, ...] | None = None

    @property
    def scale(self) -> float:
        return self.settings.lora_alpha / self.settings.r


def attention_projections(model: nn.Module) -> tuple[str, ...]:
    """Names of the linear layers inside the attentions of this model's family, sorted."""
    kinds = (FusedSelfAttention, FusedCrossAttention, SplitAttention)
    names = {name for part in model.modules() if isinstance(part, kinds) for name, _ in part.named_children()}
    return tuple(sorted(names))


def target_layers(model: nn.Module, targets: tuple[str, ...] | None) -> list[str]:
    """Module paths of the linear layers whose path is a target or ends with `.target`.

    Raises OptionErrors naming each target that matches no linear layer, and what there is.
    """
    linear = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    wanted = attention_projections(model) if targets is None else targets
    chosen = {t: [name for name in linear if name == t or name.endswith(f".{t}")] for t in wanted}
    present = sorted({last for name in linear if not (last := name.rsplit(".", 1)[-1]).isdigit()})
    problems = [
        f"lora.target_modules: {target!r} is no linear layer of this model{suggestion(target, present)}; "
        f"it has {', '.join(present)}"
        for target, names in chosen.items()
        if not names
    ]
    if problems:
        raise OptionErrors(problems)
    found = {name for names in chosen.values() for name in names}
    return [name for name in linear if name in found]


def add_adapter(
    model: Mapperatorinator,
    settings: LoraOptions,
    state: dict[str, Tensor] | None = None,
    subfolders: tuple[str, ...] | None = None,
) -> Mapperatorinator:
    """Puts LoRA layers into the model, in place; only their A and B (float32) stay trainable.

    Args:
        model: its weights may have any dtype; the adapter is initialised from them in float32.
        state: an `adapter_state` to continue from, which spares the decomposition of PiSSA.
        subfolders: sub-checkpoints the saved LoRA may be used with ("" = root); None = any.

    Returns:
        The same object, with `model.adapter` set.

    Raises:
        OptionErrors: target modules that are not there, or a rank above what PiSSA can decompose.
        InputError: the model already has an adapter, or peft is not installed. CheckpointError: `state` does not fit.
    """
    if model.adapter is not None:
        raise InputError("this model already has a LoRA; load the model again to start another")
    names = target_layers(model, settings.target_modules)
    initial = settings.initial_weights if state is None else True
    plain = {name: model.get_submodule(name) for name in names}
    originals = {name: layer.weight.detach() for name, layer in plain.items()}
    if settings.principal:
        _check_rank(settings.r, originals)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for layer in plain.values():
        layer.weight.data = layer.weight.detach().float()
    _inject(model, names, settings, initial)
    layers = {}
    for name in names:
        adapted = AdaptedLayer(model.get_submodule(name), originals[name].cpu(), None)
        for matrix in adapted.matrices:
            matrix.data = matrix.data.float()
            matrix.requires_grad_(True)
        if settings.principal:
            a, b = adapted.matrices
            adapted.start = (a.detach().cpu().clone(), b.detach().cpu().clone())
        layers[name] = adapted
    model.adapter = ModelAdapter(settings, layers, getattr(model, "name_or_path", ""), subfolders)
    for adapted in layers.values():
        adapted.take_start_from_base(model.adapter.scale)
    if state is not None:
        load_adapter_state(model, state)
    return model.train(model.training)


def _check_rank(rank: int, weights: dict[str, Tensor]) -> None:
    name, weight = min(weights.items(), key=lambda item: min(item[1].shape))
    if rank > min(weight.shape):
        raise OptionErrors(
            [
                f"lora.r {rank} is too large for init_lora_weights=pissa: {name} is {tuple(weight.shape)}; "
                f"use at most {min(weight.shape)}"
            ]
        )


def _inject(model: Mapperatorinator, names: list[str], settings: LoraOptions, initial: bool | str) -> None:
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise InputError("LoRA training needs peft: pip install 'mapperatorinator[train]'") from error
    config = LoraConfig(
        r=settings.r,
        lora_alpha=settings.lora_alpha,
        target_modules=names,
        lora_dropout=settings.lora_dropout,
        bias="none",
        init_lora_weights=initial,
    )
    inject_adapter_in_model(config, model, adapter_name=_PEFT_NAME)


def _adapter(model: Mapperatorinator) -> ModelAdapter:
    if model.adapter is None:
        raise InputError("this model has no LoRA; call add_adapter first")
    return model.adapter


# ---- resuming


def adapter_state(model: Mapperatorinator) -> dict[str, Tensor]:
    """What a training checkpoint of a LoRA run stores: copies on the CPU, float32.

    Keys are `<module path>.A` and `.B`, and for PiSSA `.start_A` and `.start_B`, the part taken out of the base.
    """
    state = {}
    for name, adapted in _adapter(model).layers.items():
        for label, matrix in zip("AB", adapted.matrices, strict=True):
            state[f"{name}.{label}"] = matrix.detach().cpu().clone()
        for label, matrix in zip("AB", adapted.start or (), strict=False):
            state[f"{name}.start_{label}"] = matrix.clone()
    return state


@torch.no_grad()
def load_adapter_state(model: Mapperatorinator, state: dict[str, Tensor]) -> None:
    """Continues from `adapter_state`; the model must hold the same start weights. Bit-exact on the same machine.

    Raises CheckpointError, naming what differs, when the state belongs to other layers, another rank or another init.
    """
    adapter = _adapter(model)
    labels = ("A", "B", "start_A", "start_B") if adapter.settings.principal else ("A", "B")
    expected = {f"{name}.{label}" for name in adapter.layers for label in labels}
    differing = sorted(expected.symmetric_difference(state))
    for name, adapted in adapter.layers.items():
        for label, matrix in zip("AB", adapted.matrices, strict=True):
            for key in (f"{name}.{label}", f"{name}.start_{label}"):
                if key in state and state[key].shape != matrix.shape:
                    differing.append(f"{key} is {tuple(state[key].shape)}, not {tuple(matrix.shape)}")
    if differing:
        more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
        raise CheckpointError(
            "the LoRA state of the checkpoint does not fit this run's lora settings: "
            f"{', '.join(differing[:3])}{more}; resume with the settings that it was made with"
        )
    for name, adapted in adapter.layers.items():
        for label, matrix in zip("AB", adapted.matrices, strict=True):
            matrix.copy_(state[f"{name}.{label}"])
        if adapter.settings.principal:
            adapted.start = (
                state[f"{name}.start_A"].cpu().float().clone(),
                state[f"{name}.start_B"].cpu().float().clone(),
            )
            adapted.take_start_from_base(adapter.scale)


# ---- what comes out


@contextmanager
def merged(model: Mapperatorinator) -> Iterator[Mapperatorinator]:
    """Within the block the model is plain, its LoRA merged: for generating, evaluating and `save_checkpoint`.

    Afterwards training goes on exactly where it was, in the mode it was in. A model without a LoRA is left as it is.
    """
    adapter = model.adapter
    if adapter is None:
        yield model
        return
    training = model.training
    try:
        for name, adapted in adapter.layers.items():
            _replace(model, name, _plain_linear(adapted, adapter.scale))
        model.adapter = None
        yield model.train(training)
    finally:
        for name, adapted in adapter.layers.items():
            _replace(model, name, adapted.layer)
        model.adapter = adapter
        model.train(training)


def _plain_linear(adapted: AdaptedLayer, scale: float) -> nn.Linear:
    base = adapted.base
    linear = nn.Linear(base.in_features, base.out_features, bias=base.bias is not None, device="meta")
    linear.weight = nn.Parameter(adapted.merged_weight(scale), requires_grad=False)
    linear.bias = base.bias
    return linear


def _replace(model: nn.Module, name: str, part: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(model.get_submodule(parent), child, part)


def save_adapter(model: Mapperatorinator, folder: str | Path, base_name: str | None = None) -> Path:
    """Writes the LoRA as a folder that adds to the original base weights, whatever the initialisation was.

    A PiSSA adapter becomes a standard one of rank 2r: B A - B0 A0 = [B, -B0] [A; A0].

    Args:
        base_name: what `base_model_name_or_path` says; by default the folder or hub id that the base was loaded from.

    Raises CheckpointError when the folder cannot be written.
    """
    adapter = _adapter(model)
    matrices = {}
    for name, adapted in adapter.layers.items():
        a, b = (m.detach().cpu().float() for m in adapted.matrices)
        matrices[name] = (a, b) if adapted.start is None else stack_start((a, b), adapted.start)
    settings = adapter.settings
    growth = 2 if settings.principal else 1
    config = adapter_config(
        r=growth * settings.r,
        lora_alpha=growth * settings.lora_alpha,
        target_modules=sorted({name.rsplit(".", 1)[-1] for name in matrices})
        if settings.target_modules is None
        else sorted(settings.target_modules),
        lora_dropout=settings.lora_dropout,
        base_name=adapter.base_name if base_name is None else base_name,
    )
    restriction = None if adapter.subfolders is None else list(adapter.subfolders)
    identity = base_identity(model.config, model.profile, model.vocabulary)
    return write_adapter(Adapter(Path(folder), config, matrices), folder, restriction, identity)
