"""Trains a model: `python osuT5/train.py -cn mini data.path=FOLDER output_dir=runs/mini`. See docs/training.md."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that the file runs as it lies in the repository

from osuT5.training.command import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
