"""`python osuT5/train.py`: configuration → data → model → loop. Started again with the same output_dir, it resumes."""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed

from osuT5 import cli
from osuT5.data.batches import Batch, encoder_conditions
from osuT5.data.loader import Loader, WorkerSettings, evaluation_batches
from osuT5.data.source import Source
from osuT5.data.stream import StreamSettings
from osuT5.errors import InputError
from osuT5.events import Vocabulary
from osuT5.inference.inputs import unwritable
from osuT5.model import Mapperatorinator
from osuT5.training.adapters import add_adapter
from osuT5.training.failures import told_as_messages
from osuT5.training.journal import Journal
from osuT5.training.loop import EvaluationBatches, Trainer
from osuT5.training.open_data import open_data
from osuT5.training.processes import open_accelerator
from osuT5.training.sample_map import draw_sample
from osuT5.training.settings import RunSettings, read_settings, text_keys
from osuT5.training.start import start_weights
from osuT5.training.trackers import open_tracker

ABOUT = """python osuT5/train.py [-cn NAME] data.train_dataset_path=FOLDER [output_dir=...] [section.key=value ...]
torchrun --nproc_per_node=N osuT5/train.py ...

Trains a model, or a LoRA with enable_lora=true. A key may be written without its section where it names exactly one.
Started again with the same output_dir, a run goes on from its newest checkpoint. Options: docs/training-options.md."""

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def main(arguments: Sequence[str] | None = None) -> int:
    return cli.run(work, "train", "mini", text_keys(), arguments, ABOUT)


def work(config: dict[str, Any]) -> int:
    """One run, or this process's part of it. Raises MapperatorinatorError for what the user can mend."""
    run = read_settings(config)
    problem = unwritable(run.output_dir)
    if problem:
        raise InputError(f"output_dir: {problem}; choose another folder")
    accelerator = open_accelerator(run.loop)
    say = _say if accelerator.is_main_process else _keep_quiet
    # without a handler of its own, logging writes warnings plainly to the standard error stream of the moment
    logging.getLogger("osuT5").setLevel(logging.WARNING if accelerator.is_main_process else logging.ERROR)
    for notice in run.notices:
        say(f"note: {notice}")
    if run.loop.threads:
        torch.set_num_threads(run.loop.threads)
    set_seed(run.loop.seed)

    model = start_weights(
        run.pretrained_path, run.pretrained_gamemode, run.profile, run.pretrained_transfer
    ) if run.pretrained_path else None  # fmt: skip
    train, vocabulary = open_data(run, run.train, run.recipe, model.vocabulary if model else None)
    model = prepare_model(run, model, vocabulary)
    told = encoder_conditions(run.profile)
    evaluation = open_evaluation(run, vocabulary, told, accelerator)
    ranks = accelerator.num_processes
    settings = run.loader.stream(run.loop.seed, run.optim.micro_batch * ranks, ranks)

    tracker = open_run_tracker(run, config, accelerator)
    journal = Journal(run.output_dir / "log.jsonl", say, tracker, run.optim.total_steps)
    trainer = Trainer(
        model, run.optim, run.loop, run.output_dir, accelerator, journal, run_scheme(run, settings, train, vocabulary)
    )
    resumed = trainer.resume(run.checkpoint_path)
    say(describe(model, train, run.optim.batch_size * ranks, trainer.step if resumed else 0))
    if trainer.finished:
        say(f"all {run.optim.total_steps} steps are done; raise optim.total_steps to go on, or name another output_dir")
    if accelerator.is_main_process:
        keep_config(run.output_dir, config)
    workers = WorkerSettings(
        run.loader.workers, run.loader.prefetch, run.loader.pin_memory and torch.cuda.is_available()
    )
    loader = Loader(train, settings, workers, told, accelerator.process_index, ranks, trainer.cursors)
    draw = partial(draw_sample, seed=run.loop.seed) if run.loop.sample_map else None
    try:
        with told_as_messages():
            trainer.fit(loader, evaluation, draw)
    finally:
        tracker.close()
    say(f"{'the LoRA' if run.lora else 'the model'} lies in {run.output_dir / ('lora' if run.lora else 'model')}")
    trainer.leave()
    return 0


def prepare_model(run: RunSettings, model: Mapperatorinator | None, vocabulary: Vocabulary) -> Mapperatorinator:
    """The model to train: new, or with the weights that training starts from; with a LoRA if one is wanted."""
    if model is None:
        model = Mapperatorinator.from_profile(run.profile, vocabulary, **run.model.overrides)
    for name, value in run.model.loss.items():
        setattr(model.config, name, value)
    model = model.to(DTYPES[run.loop.precision])
    return add_adapter(model, run.lora) if run.lora else model


def run_scheme(run: RunSettings, settings: StreamSettings, source: Source, vocabulary: Vocabulary) -> dict[str, Any]:
    """What a resumed run must find unchanged."""
    values = {
        "profile": run.profile.to_dict(),
        "vocabulary": hashlib.sha256(json.dumps(vocabulary.to_dict(), sort_keys=True).encode()).hexdigest()[:16],
        "data": source.scheme(),
        "recipe": asdict(run.recipe),
        "stream": asdict(settings),
        "optim": {"name": run.optim.name, "grad_acc": run.optim.grad_acc, "ema": run.optim.ema_decay > 0},
        "lora": asdict(run.lora) if run.lora else None,
        "start": run.pretrained_path,
    }
    return json.loads(json.dumps(values))  # as it will be read back


def open_evaluation(
    run: RunSettings, vocabulary: Vocabulary, told: tuple[str, ...], accelerator: Accelerator
) -> EvaluationBatches | None:
    """The batches of the test split, anew at each call; None where there is none."""
    if run.test is None:
        return None
    source, _ = open_data(run, run.test, run.recipe.evaluation(), vocabulary)
    if not len(source):
        return None
    size, limit = run.optim.micro_batch, run.loop.eval_steps * run.optim.grad_acc

    def batches() -> Iterable[Batch]:
        made = evaluation_batches(source, size, told, accelerator.process_index, accelerator.num_processes)
        made = (b for b in made if len(b["labels"]) == size) if run.loader.drop_last else made
        return itertools.islice(made, limit)

    return batches


def open_run_tracker(run: RunSettings, config: dict[str, Any], accelerator: Accelerator) -> Any:
    kind = run.loop.log_with if accelerator.is_main_process else None
    return open_tracker(kind, run.output_dir, run.loop.run_name, run.loop.log_mode, config)


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
