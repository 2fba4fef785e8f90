"""`python osuT5/test.py`: a checkpoint on the test split of a configuration, with disturbed inputs and without.

The checkpoint says what the samples look like (its own profile and vocabulary); the configuration says which maps,
how many, and how much their inputs are disturbed. Facts: the published stand-alone evaluator.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from osuT5 import cli
from osuT5.errors import InputError
from osuT5.options import Command
from osuT5.training.options import TrainOptions

if TYPE_CHECKING:
    from osuT5.data.recipes import SampleRecipe

USAGE = """python osuT5/test.py model_path=FOLDER [-cn NAME] data.test_dataset_path=FOLDER [section.key=value ...]

Measures a checkpoint on a test split: metrics by token class, context template and game mode, with the inputs disturbed
as in training (test_noise) and as they are (test). Writes evaluation.json to output_dir and prints tables. The options
are those of training; eval.steps is the number of batches."""
REPORT = "evaluation.json"


class EvaluationOptions(TrainOptions):
    """The options of training; the checkpoint to measure is what a training run would start from."""

    command: ClassVar[Command] = replace(TrainOptions.command, usage=USAGE, title="the evaluation of a checkpoint")


def main(arguments: Sequence[str] | None = None) -> int:
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    arguments = [
        f"pretrained_path={a.removeprefix('model_path=')}" if a.startswith("model_path=") else a for a in arguments
    ]
    return cli.run(work, EvaluationOptions, "default", arguments)


def work(options: TrainOptions) -> int:
    """Both passes. Raises InputError for a missing checkpoint or test split."""
    from osuT5.training.run import open_run

    if not (options.data.train_dataset_path or options.data.path):
        # nothing is trained, so only the test split has to be named
        options = options.replace(data={"train_dataset_path": options.data.test_dataset_path})
    run = open_run(options)
    if not options.pretrained_path:
        raise InputError("model_path is missing: the folder or hub id of the checkpoint to measure")
    if run.test is None:
        raise InputError(
            "no test split is named: set data.test_dataset_path, data.test_dataset_start and data.test_dataset_end"
        )

    from accelerate.utils import set_seed
    from rich.console import Console
    from rich.text import Text

    from osuT5.data.batches import encoder_conditions
    from osuT5.data.loader import evaluation_batches
    from osuT5.model import load_model
    from osuT5.training.evaluator import evaluate, save_report, tables
    from osuT5.training.open_data import open_data
    from osuT5.training.processes import open_accelerator

    accelerator = open_accelerator(options)
    set_seed(options.seed)
    model = load_model(
        options.pretrained_path, accelerator.device, gamemode=options.pretrained_gamemode, profile=run.profile
    )
    model.config.rhythm_weight = options.data.rhythm_weight
    run = replace(run, profile=model.profile)
    conditions, limit = encoder_conditions(run.profile), options.eval.steps * options.optim.grad_acc
    report: dict[str, Any] = {"model": str(options.pretrained_path), "metrics": {}, "histograms": {}}
    for prefix, recipe in passes(run.recipe).items():
        source, _ = open_data(run, run.test, recipe, model.vocabulary)
        batches = evaluation_batches(
            source, options.optim.micro_batch, conditions, accelerator.process_index, accelerator.num_processes, limit
        )
        found = evaluate(model, batches, prefix, histograms=True, mixed_precision=options.mixed_precision)
        if not any(name.endswith("/token_acc") for name in found["metrics"]):
            raise InputError(f"the test split {run.test.path} has no window with labels; check its filters and range")
        for section, values in found.items():
            report[section].update(values)
    if accelerator.is_main_process:
        save_report(report, run.output_dir / REPORT)
        console = Console()
        console.print(tables(report["metrics"]))
        console.print(Text(f"all numbers lie in {run.output_dir / REPORT}"))
    return 0


def passes(recipe: SampleRecipe) -> dict[str, SampleRecipe]:
    """{prefix of the names: how the samples of that pass are made}."""
    plain = recipe.evaluation()
    return {
        "test_noise": replace(recipe, disturb_evaluation=True).evaluation(),
        "test": replace(plain, time_jitter=0, common_time_jitter=0),
    }
