"""Loader, optimiser, loop, network, LoRA and mixture of a run from the values of its configuration."""

from __future__ import annotations

import re
from typing import Any

from osuT5.data.mixture import MixtureSettings
from osuT5.errors import CheckpointError, OptionErrors, suggestion
from osuT5.events import Profile, load_profile
from osuT5.model.families import BackboneSettings
from osuT5.training.lora_settings import LoraSettings
from osuT5.training.optim_settings import OptimSettings
from osuT5.training.settings.placed import Placed
from osuT5.training.settings.sections import LoaderSettings, LoopSettings, ModelSettings, ProfilerSettings
from osuT5.training.settings.table import BY_RECIPE

LEAST_LANES = 8  # as many sets as the published loader's eight workers had open at once
PREFETCH = 4
# what `model.*` of a backbone means when nobody says otherwise; only other values go into its configuration
STOCK_BACKBONE = {
    "rope_encoder_scaling_factor": 1.0,
    "rope_decoder_scaling_factor": 1.0,
    "local_attention": 128,
    "local_rope_theta": 10000,
    "global_rope_theta": 10000,
}
# of a profile's sizes, those that follow from others
DERIVED = ("cond_size", "conv1_input_channels")
STOCK_ROPE = {"factor": 1.0, "rope_type": "default"}
# fields of a backbone's configuration that may be set; the others follow from profile and vocabulary
BACKBONE_FIELDS = (
    "d_model", "encoder_layers", "decoder_layers", "encoder_attention_heads", "decoder_attention_heads",
    "encoder_ffn_dim", "decoder_ffn_dim", "dropout", "attention_bias", "init_std", "rope_type", "rope_scaling",
    "global_attn_every_n_layers", *STOCK_BACKBONE,
)  # fmt: skip


def by_recipe(placed: Placed, key: str, value: Any) -> Any:
    """The value, or what null means under the recipe of the run."""
    return BY_RECIPE[placed.recipe_name][key] if value is None else value


def optim_of(placed: Placed) -> OptimSettings:
    values = dict(placed["optim"])
    for name in ("second_rate", "decay", "orthogonalise"):
        values[name] = by_recipe(placed, f"optim.{name}", values.get(name))
    try:
        return OptimSettings(**values)
    except OptionErrors as error:
        placed.problems += error.problems
        return OptimSettings()


def loader_of(placed: Placed, optim: OptimSettings) -> LoaderSettings:
    values = dict(placed["loader"])
    buffer, share, cycle = values.pop("buffer", 0), values.pop("prefetch_share", 0), values.pop("cycle", 1)
    if buffer % optim.micro_batch:
        placed.problems.append(
            f"dataloader.balancer_buffer_size {buffer} is no multiple of the micro-batch, {optim.micro_batch} "
            "(optim.batch_size / optim.grad_acc)"
        )
    if values.get("pool") is None:
        values["pool"] = buffer or by_recipe(placed, "data.pool", None)
    if values.get("batching") is None:
        values["batching"] = "balanced" if buffer else by_recipe(placed, "data.batching", None)
    values["lanes"] = values.get("lanes") or max(cycle, LEAST_LANES)
    values["prefetch"] = max(int(buffer / optim.micro_batch * share), 2) if buffer else PREFETCH
    return LoaderSettings(**values)


def loop_of(placed: Placed) -> LoopSettings:
    values = dict(placed["loop"])
    values["device"] = _device(values.get("device", "auto"), placed)
    values["precision"] = {None: "fp32", "amp": "fp32"}.get(values.get("precision"), values.get("precision"))
    empty = placed["empty"]
    values["empty_from_step"] = 0 if empty.get("always", True) else max(empty.get("from_step", 0), 0)
    loop = LoopSettings(**values, profiler=ProfilerSettings(**placed["profiler"]))
    if loop.eval_every % loop.log_every:
        placed.problems.append(
            f"eval.every_steps {loop.eval_every} is no multiple of logging.every_steps {loop.log_every}"
        )
    return loop


def _device(name: str, placed: Placed) -> str:
    device = {"gpu": "cuda"}.get(name, name)
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        hint = suggestion(name, ("auto", "cpu", "cuda", "gpu"))
        placed.problems.append(f"device {name!r} is unknown{hint}; use auto, cpu, gpu, cuda or cuda:N")
    elif device.startswith("cuda"):
        import torch

        if not torch.cuda.is_available():
            placed.problems.append(f"device={name}, but torch sees no GPU here; use device=auto or device=cpu")
    return device


def model_of(placed: Placed, profile: Profile) -> ModelSettings:
    values, smoothing = placed["model"], placed["model"].get("label_smoothing", 0.0)
    if by_recipe(placed, "recipe_options.label_smoothing", values.get("smoothing")) == "ignored":
        if smoothing:
            placed.notices.append(
                f"data.label_smoothing {smoothing} has no effect, as in the training of the published models; "
                "recipe_options.label_smoothing=honoured gives it one"
            )
        smoothing = 0.0
    backbone = _backbone(placed, profile)
    run = placed["run"]
    if run.get("pretrained_path") and not run.get("pretrained_transfer"):
        base = load_profile(profile.name).model
        changed = sorted({k for k, v in profile.model.items() if base.get(k) != v and k not in DERIVED} | set(backbone))
        if changed:
            placed.problems.append(
                f"the network comes from pretrained_path, but {', '.join(changed)} of `model.*` are set; leave them as "
                "they are, or set pretrained_transfer=true for a new network"
            )
    return ModelSettings(values.get("rhythm_weight", 1.0), smoothing, values.get("onset_weight"), backbone)


def _backbone(placed: Placed, profile: Profile) -> dict[str, Any]:
    """Fields of the backbone's configuration that differ from what it is anyway."""
    values = placed["backbone"]
    fields = {name: values[name] for name, stock in STOCK_BACKBONE.items() if values.get(name, stock) != stock}
    scaling = {name: values.get(f"rope_scaling.{name}", stock) for name, stock in STOCK_ROPE.items()}
    if scaling != STOCK_ROPE:
        fields["rope_scaling"] = scaling
    for key in ("overwrite", "add_config"):
        given = dict(values.get(key) or {})
        if given.pop("tie_word_embeddings", False) is not False:
            placed.problems.append(f"model.{key}.tie_word_embeddings can only be false: input and output ids differ")
        for name in given:
            if name not in BACKBONE_FIELDS:
                known = ", ".join(BACKBONE_FIELDS)
                hint = suggestion(name, BACKBONE_FIELDS)
                placed.problems.append(f"model.{key}.{name} is no field of a backbone{hint}; there are {known}")
        fields |= given
    sizes = profile.model
    whole = {
        "d_model": sizes["d_model"],
        "encoder_attention_heads": sizes["heads"],
        "decoder_attention_heads": sizes["heads"],
        **fields,
    }
    try:
        BackboneSettings.from_dict(load_profile(profile.name).model["backbone_model_name"], whole)
    except CheckpointError as error:
        placed.problems.append(f"model.*: {str(error).removeprefix('config.json: ')}")
    return fields


def lora_of(placed: Placed) -> LoraSettings | None:
    run = placed["run"]
    if not run.get("enable_lora"):
        return None
    if not run.get("pretrained_path"):
        placed.problems.append("enable_lora needs pretrained_path: the model that the LoRA changes")
    try:
        return LoraSettings(**placed["lora"])
    except OptionErrors as error:
        placed.problems += error.problems
        return None


def mixture_of(placed: Placed) -> MixtureSettings:
    return MixtureSettings(**placed["mixture"])
