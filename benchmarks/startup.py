"""How long commands take to answer: `python benchmarks/startup.py [--runs 5] [--tree FOLDER ...]`.

Every command is a process of its own; medians of wall time. With several trees (checkouts of other commits) the runs
take turns, so that a busy machine slows all alike.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CASES = {
    "inference.py --help": ["inference.py", "--help"],
    "inference.py, a misspelt option": ["inference.py", "audio_pth=x", "difficulty=99"],
    "inference.py, a missing file": ["inference.py", "audio_path=none.mp3"],
    "inference.py, a mode the model lacks": ["inference.py", "-cn", "v30", "audio_path=demo/song.ogg", "gamemode=1"],
    "train.py --help": ["osuT5/train.py", "--help"],
    "train.py, a wrong option": ["osuT5/train.py", "-cn", "v29", "data.path=x", "lr=1"],
    "train.py, a missing folder": ["osuT5/train.py", "-cn", "v29", "data.path=/none"],
    "data.build --help": ["-m", "osuT5.data.build", "--help"],
    "data.compile --help": ["-m", "osuT5.data.compile", "--help"],
    "convert merge --help": ["-m", "osuT5.convert", "merge", "--help"],
    "publish --help": ["-m", "osuT5.publish", "--help"],
    "evaluate.py --help": ["evaluate.py", "--help"],
}


def seconds(tree: Path, arguments: list[str]) -> float:
    environment = {**os.environ, "PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=tree, env=environment, capture_output=True)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--tree", type=Path, action="append", help="a checkout; this one when none is named")
    parser.add_argument("--demo", action="store_true", help="also the demo song, whole")
    options = parser.parse_args()
    trees = [tree.resolve() for tree in options.tree or [ROOT]]
    with tempfile.TemporaryDirectory() as folder:
        demo = ["inference.py", "audio_path=demo/song.ogg", f"output_path={folder}", "difficulty=4", "seed=1"]
        cases = {**CASES, **({"the demo song": demo} if options.demo else {})}
        for name, arguments in cases.items():
            found = [[seconds(tree, arguments) for tree in trees] for _ in range(options.runs)]
            medians = [statistics.median(times) for times in zip(*found, strict=True)]
            print(f"{name:<44}" + "".join(f"{median:8.2f} s" for median in medians), flush=True)


if __name__ == "__main__":
    main()
