"""The settings of one training run: frozen, checked, with every "as the profile says" already filled in.

Made by `read_settings`. What each key of a configuration turns into is said by the table of options (`table.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from osuT5.data.catalogue import MapFilter
from osuT5.data.mixture import MixtureSettings
from osuT5.data.recipes import SampleRecipe
from osuT5.data.stream import StreamSettings, lanes_for
from osuT5.events import Profile
from osuT5.training.lora_settings import LoraSettings
from osuT5.training.optim_settings import OptimSettings


@dataclass(frozen=True)
class SplitSettings:
    """Where the windows of one split come from.

    Attributes:
        path: folder (mmrs, shards, corpora, web) or hub id (web).
        dataset_type: mmrs, web, shards or corpora.
        filter: which maps to take; for web `start` and `end` count shard files and belong to `shards`, so they are
            None here.
        shards: [start, end) of the shard files of a web data set; None = all.
        subset: folder of a web data set whose shards are read.
        streaming: a published key; archives of a hub are fetched one by one either way.
        tags_path, mappers_path, weights_path, descriptors_path: side files; None = what the data set itself says.
        descriptor_source: omdb, user_tags, web, local or none.
        resampler: published or band_limited (`osuT5.audio`).
        leave_out: songs of corpora that are kept for tuning: parts of their paths.
    """

    path: str
    dataset_type: str
    filter: MapFilter = field(default_factory=MapFilter)
    shards: tuple[int, int] | None = None
    subset: str | None = None
    streaming: bool = False
    tags_path: str | None = None
    mappers_path: str | None = None
    weights_path: str | None = None
    descriptors_path: str | None = None
    descriptor_source: str = "omdb"
    resampler: str = "published"
    leave_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class LoaderSettings:
    """How windows become batches. The size of a micro-batch is `optim.micro_batch`.

    Attributes:
        workers: processes that read and cut; 0 = the training process itself.
        pool: windows that are shuffled together; 0 = they keep the order of their sets.
        lanes: sets that are open at once, whose windows take turns: at least so many where the batch size allows.
        batching: similar, balanced or random, see `StreamSettings`.
        prefetch: batches that each worker keeps ready.
        drop_last: the last windows of an evaluation that do not fill a batch are left out.
    """

    workers: int = 1
    pool: int = 512
    lanes: int = 8
    batching: str = "similar"
    pin_memory: bool = True
    prefetch: int = 4
    drop_last: bool = False

    @property
    def balanced(self) -> bool:
        """Every batch gets about the same number of tokens."""
        return self.batching == "balanced"

    def stream(self, seed: int, batch_size: int, ranks: int = 1) -> StreamSettings:
        """Of the stream that fills batches of `batch_size` windows over all ranks. Raises InputError."""
        lanes = lanes_for(batch_size, ranks, self.lanes)
        return StreamSettings(seed=seed, batch_size=batch_size, lanes=lanes, pool=self.pool, batching=self.batching)


@dataclass(frozen=True)
class ProfilerSettings:
    """A run under torch's profiler: `wait` steps untouched, `warmup` not kept, `active` kept, so `repeat` times.

    Attributes:
        early_stop: the run ends with the last kept step.
    """

    do_profile: bool = False
    early_stop: bool = True
    wait: int = 80
    warmup: int = 8
    active: int = 8
    repeat: int = 1


@dataclass(frozen=True)
class LoopSettings:
    """Machine, intervals, log.

    Attributes:
        device: auto, cpu, cuda or cuda:N.
        threads: of torch on the CPU; None = torch's own choice.
        mixed_precision: autocast: no, fp16 or bf16. precision: of the weights: fp32, fp16 or bf16.
        attn_implementation: a published key; every choice is exact attention.
        log_every, eval_every, checkpoint_every: optimiser steps.
        eval_steps: batches of an evaluation, times `optim.grad_acc` micro-batches.
        sample_map: an evaluation also generates a map and keeps its picture.
        keep_checkpoints: the newest so many are kept.
        log_with: None, tensorboard or wandb; log_mode: of wandb: online, offline or disabled.
        grad_l2, weights_l2: log the norms.
        empty_from_step: until this step windows in which nothing happens do not count; 0 = as the recipe has it.
    """

    seed: int = 42
    device: str = "auto"
    threads: int | None = None
    mixed_precision: str = "bf16"
    precision: str = "fp32"
    compile: bool = False
    attn_implementation: str = "sdpa"
    log_every: int = 10
    eval_every: int = 1000
    eval_steps: int = 500
    sample_map: bool = False
    checkpoint_every: int = 5000
    keep_checkpoints: int = 2
    log_with: str | None = None
    run_name: str | None = None
    log_mode: str = "online"
    grad_l2: bool = True
    weights_l2: bool = True
    empty_from_step: int = 0
    profiler: ProfilerSettings = field(default_factory=ProfilerSettings)


@dataclass(frozen=True)
class ModelSettings:
    """What the network is told that its profile does not say.

    Attributes:
        rhythm_weight: class weight of time tokens in the loss.
        label_smoothing: as it takes effect: 0 where the recipe ignores it.
        onset_weight: of the onset head in the loss; None = the model's own. Only models with such a head have it.
        backbone: single fields of the backbone's configuration.
    """

    rhythm_weight: float = 1.0
    label_smoothing: float = 0.0
    onset_weight: float | None = None
    backbone: dict[str, Any] = field(default_factory=dict)

    @property
    def loss(self) -> dict[str, float]:
        """Fields of the model's configuration that a loaded model takes too."""
        values = {"rhythm_weight": self.rhythm_weight, "label_smoothing": self.label_smoothing}
        return values if self.onset_weight is None else {**values, "onset_weight": self.onset_weight}

    @property
    def overrides(self) -> dict[str, Any]:
        """For `config_from_profile` and `Mapperatorinator.from_profile` of a new model."""
        return {**self.loss, "backbone_config": dict(self.backbone)}


@dataclass(frozen=True)
class RunSettings:
    """All settings of a run.

    Attributes:
        profile: the named profile with the changes of the configuration.
        recipe: how maps become samples; recipe_name: compat or improved.
        test: None = nothing is evaluated.
        num_styles: style classes at least, for profiles with style tokens.
        lora: None = the whole model is trained.
        pretrained_path: folder or hub id of the weights to start from; None = new weights.
        pretrained_transfer: a model of other tokens is carried over instead of refused.
        output_dir: log, checkpoints and model go here.
        checkpoint_path: resume from this checkpoint; None = the newest of `output_dir`, if there is one.
        notices: sentences for the user.
    """

    profile: Profile
    recipe: SampleRecipe
    recipe_name: str
    train: SplitSettings
    test: SplitSettings | None
    loader: LoaderSettings
    optim: OptimSettings
    loop: LoopSettings
    model: ModelSettings
    output_dir: Path
    mixture: MixtureSettings = field(default_factory=MixtureSettings)
    num_styles: int = 0
    lora: LoraSettings | None = None
    pretrained_path: str | None = None
    pretrained_gamemode: int | None = None
    pretrained_transfer: bool = False
    checkpoint_path: Path | None = None
    notices: tuple[str, ...] = ()
