"""One training run, from its options to its exported model: data → model → loop. Started again, it resumes."""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import sys
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed

from osuT5.data.batches import Batch, encoder_conditions
from osuT5.data.loader import Loader, WorkerSettings, evaluation_batches
from osuT5.data.source import Source
from osuT5.data.stream import StreamSettings
from osuT5.events import Vocabulary
from osuT5.model import Mapperatorinator
from osuT5.training.adapters import add_adapter
from osuT5.training.failures import told_as_messages
from osuT5.training.journal import Journal
from osuT5.training.loop import EvaluationBatches, Trainer
from osuT5.training.open_data import open_data
from osuT5.training.options import TrainOptions
from osuT5.training.processes import open_accelerator
from osuT5.training.run import Run
from osuT5.training.sample_map import draw_sample
from osuT5.training.start import start_weights
from osuT5.training.trackers import open_tracker

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def train(run: Run) -> None:
    """One run, or this process's part of it. Raises MapperatorinatorError for what the user can mend."""
    options = run.options
    accelerator = open_accelerator(options)
    say = _say if accelerator.is_main_process else _keep_quiet
    # without a handler of its own, logging writes warnings plainly to the standard error stream of the moment
    logging.getLogger("osuT5").setLevel(logging.WARNING if accelerator.is_main_process else logging.ERROR)
    for notice in run.notices:
        say(f"note: {notice}")
    if options.threads:
        torch.set_num_threads(options.threads)
    set_seed(options.seed)

    model = start_weights(
        options.pretrained_path, options.pretrained_gamemode, run.profile, options.pretrained_transfer
    ) if options.pretrained_path else None  # fmt: skip
    source, vocabulary = open_data(run, run.train, run.recipe, model.vocabulary if model else None)
    model = prepare_model(run, model, vocabulary)
    conditions = encoder_conditions(run.profile)
    evaluation = open_evaluation(run, vocabulary, conditions, accelerator)
    ranks = accelerator.num_processes
    settings = run.stream(options.optim.micro_batch * ranks, ranks)

    stated = options_as_values(options)
    kind = options.logging.log_with if accelerator.is_main_process else None
    tracker = open_tracker(kind, run.output_dir, options.logging.run_name, options.logging.mode, stated)
    journal = Journal(run.output_dir / "log.jsonl", say, tracker, options.optim.total_steps)
    scheme = run_scheme(run, settings, source, vocabulary)
    trainer = Trainer(model, options, run.output_dir, accelerator, journal, scheme)
    checkpoint = options.checkpoint_path
    resumed = trainer.resume(None if checkpoint is None else Path(checkpoint).expanduser())
    say(describe(model, source, options.optim.batch_size * ranks, trainer.step if resumed else 0))
    if trainer.finished:
        total = options.optim.total_steps
        say(f"all {total} steps are done; raise optim.total_steps to go on, or name another output_dir")
    else:
        say(f"filling the shuffle buffer ({settings.pool} windows)" if settings.pool else "reading the first windows")
    if accelerator.is_main_process:
        keep_config(run.output_dir, stated)
    pinned = options.dataloader.pin_memory and torch.cuda.is_available()
    workers = WorkerSettings(options.dataloader.num_workers, run.prefetch, pinned)
    loader = Loader(source, settings, workers, conditions, accelerator.process_index, ranks, trainer.cursors)
    draw = partial(draw_sample, seed=options.seed) if options.eval.sample_map else None
    try:
        with told_as_messages():
            trainer.fit(loader, evaluation, draw)
    finally:
        tracker.close()
    name = "lora" if options.enable_lora else "model"
    say(f"{'LoRA' if options.enable_lora else 'model'} saved to {run.output_dir / name}")
    trainer.leave()


def options_as_values(options: TrainOptions) -> dict[str, Any]:
    """All values by section, as a configuration file holds them."""
    return json.loads(options.model_dump_json())


def prepare_model(run: Run, model: Mapperatorinator | None, vocabulary: Vocabulary) -> Mapperatorinator:
    """The model to train: new, or with the weights that training starts from; with a LoRA if one is wanted."""
    if model is None:
        model = Mapperatorinator.from_profile(run.profile, vocabulary, **run.model_overrides)
    for name, value in run.loss.items():
        setattr(model.config, name, value)
    model = model.to(DTYPES[run.options.precision])
    if not run.options.enable_lora:
        return model
    return add_adapter(model, run.options.lora, subfolders=run.options.lora_metadata.ckpt_subfolders)


def run_scheme(run: Run, settings: StreamSettings, source: Source, vocabulary: Vocabulary) -> dict[str, Any]:
    """What a resumed run must find unchanged."""
    optim = run.options.optim
    values = {
        "profile": run.profile.to_dict(),
        "vocabulary": hashlib.sha256(json.dumps(vocabulary.to_dict(), sort_keys=True).encode()).hexdigest()[:16],
        "data": source.scheme(),
        "recipe": asdict(run.recipe),
        "stream": asdict(settings),
        "optim": {"name": optim.name, "grad_acc": optim.grad_acc, "ema": optim.ema_decay > 0},
        "lora": run.options.lora.model_dump() if run.options.enable_lora else None,
        "start": run.options.pretrained_path,
    }
    return json.loads(json.dumps(values))  # as it will be read back


def open_evaluation(
    run: Run, vocabulary: Vocabulary, conditions: tuple[str, ...], accelerator: Accelerator
) -> EvaluationBatches | None:
    """The batches of the test split, anew at each call; None where there is none."""
    if run.test is None:
        return None
    source, _ = open_data(run, run.test, run.recipe.evaluation(), vocabulary)
    if not len(source):
        return None
    optim = run.options.optim
    size, limit = optim.micro_batch, run.options.eval.steps * optim.grad_acc

    def batches() -> Iterable[Batch]:
        made = evaluation_batches(source, size, conditions, accelerator.process_index, accelerator.num_processes)
        made = (b for b in made if len(b["labels"]) == size) if run.options.dataloader.drop_last else made
        return itertools.islice(made, limit)

    return batches


def describe(model: Mapperatorinator, source: Source, batch_size: int, step: int) -> str:
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad) / 1e6
    size = sum(p.numel() for p in model.parameters()) / 1e6
    share = f", {trained:.2f} M of them trained" if trained < size else ""
    where = f", resumed after step {step}" if step else ""
    return f"{size:.1f} M parameters{share}; {len(source)} units of data; steps of {batch_size} windows{where}"


def keep_config(folder: Path, config: dict[str, Any]) -> None:
    """The configuration of the run beside its results, for people."""
    from omegaconf import OmegaConf

    folder.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(OmegaConf.create(config), folder / "config.yaml")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _keep_quiet(text: str) -> None:
    """Only the main process speaks."""
