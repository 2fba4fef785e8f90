"""Measures generated maps against songs whose truth is known: `python evaluate.py suite=maps songs=data/heldout`."""

import sys

from osuT5.evaluation.command import main

if __name__ == "__main__":
    sys.exit(main())
