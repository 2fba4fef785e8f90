"""Turns a song into a beatmap: `python inference.py audio_path=song.mp3 difficulty=4`. See --help."""

import sys

from osuT5.inference.command import main

if __name__ == "__main__":
    sys.exit(main())
