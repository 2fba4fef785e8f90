"""`--golden FOLDER`: recorded runs of the older system to hold generation to, instead of those in tests/golden."""

from pathlib import Path

import golden_inference
import pytest


def pytest_addoption(parser):
    parser.addoption(
        "--golden",
        type=Path,
        default=None,
        help="folder of recorded inference vectors; files that it lacks are taken from tests/golden/inference",
    )


def pytest_configure(config):
    folder = config.getoption("--golden")
    if folder is not None:
        if not folder.is_dir():
            raise pytest.UsageError(f"--golden: no such folder: {folder}")
        golden_inference.use_folder(folder)
