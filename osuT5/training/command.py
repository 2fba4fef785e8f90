"""`python osuT5/train.py`: options in, a training run. Started again with the same output_dir, it resumes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from osuT5 import cli
from osuT5.errors import InputError
from osuT5.training.options import TrainOptions


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code of one run. There is no default configuration: hours of training are not spent on a guess."""
    return cli.run(work, TrainOptions, None, arguments)


def work(options: TrainOptions) -> int:
    """Raises MapperatorinatorError for what the user can mend."""
    # what is wrong is said before libraries that take seconds are imported
    from osuT5.inference.inputs import unwritable
    from osuT5.training.run import RANGES_OF_FILES, open_run

    run = open_run(options)
    for split in (run.train, run.test):
        if split and options.data.dataset_type not in RANGES_OF_FILES and not Path(split.path).is_dir():
            raise InputError(f"data.path: there is no folder {split.path}; `python -m osuT5.data.build` makes one")
        if split and options.data.dataset_type == "mmrs" and not (Path(split.path) / "metadata.parquet").is_file():
            raise InputError(
                f"data.path: {split.path} holds no data set (no metadata.parquet); if it holds .osz files, run "
                f"`python -m osuT5.data.build osz_dir={split.path} out=FOLDER` and train on FOLDER"
            )
    problem = unwritable(run.output_dir)
    if problem:
        raise InputError(f"output_dir: {problem}; choose another folder")
    try:
        from osuT5.training.fit import train
    except ModuleNotFoundError as error:
        if error.name not in ("accelerate", "peft", "pyarrow"):
            raise
        raise InputError(f"training needs {error.name}: pip install 'mapperatorinator[train]'") from error
    train(run)
    return 0
