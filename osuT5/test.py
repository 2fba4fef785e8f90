"""Measures a checkpoint on a test split: `python osuT5/test.py model_path=FOLDER ...`. See docs/training.md."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that the file runs as it lies in the repository

from osuT5.training.evaluation_command import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
