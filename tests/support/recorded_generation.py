"""What the embedded model writes today for the bundled song: ids per window in four modes, and the demo's bytes.

    python tests/support/recorded_generation.py        writes the recording anew (only after a deliberate change)
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
import tempfile
import zipfile
from pathlib import Path
from unittest import mock

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from osuT5 import Request, generate  # noqa: E402
from osuT5.inference import track as track_module  # noqa: E402
from osuT5.inference.inputs import EMBEDDED_MODEL  # noqa: E402
from osuT5.model import load_model  # noqa: E402

RECORDING = ROOT / "tests" / "golden" / "generation" / "mini.json.gz"
SONG = ROOT / "demo" / "song.ogg"
END_MS = 20_000  # of the runs in four modes
MODES = {0: {"difficulty": 4.0}, 1: {"difficulty": 3.0}, 2: {"difficulty": 3.5}, 3: {"difficulty": 3.0, "keycount": 4}}


def machine() -> dict[str, str]:
    """What the ids depend on besides the code: another vector width sums in another order."""
    release = torch.__version__.split("+")[0]
    return {"torch": release, "cpu": torch.backends.cpu.get_cpu_capability(), "platform": sys.platform}


def open_embedded():
    return load_model(str(EMBEDDED_MODEL))


def ids_of_mode(mode: int, model) -> list[list[int]]:
    """The ids of every window, in the order in which they were written."""
    written: list[list[int]] = []
    append = track_module.append_window

    def spy(sequence, ids, *rest):
        written.append([int(i) for i in ids])
        return append(sequence, ids, *rest)

    with tempfile.TemporaryDirectory() as folder, mock.patch.object(track_module, "append_window", spy):
        request = Request(
            audio_path=str(SONG), output_path=folder, gamemode=mode, end_time=END_MS, seed=10 + mode, **MODES[mode]
        )
        generate(request, model=model)
    return written


def demo_digest(model) -> str:
    """SHA-256 of the .osu of `make demo`."""
    with tempfile.TemporaryDirectory() as folder:
        request = Request(audio_path=str(SONG), output_path=folder, difficulty=4, seed=1)
        path = generate(request, model=model).paths[0]
        with zipfile.ZipFile(path) as archive:
            name = next(n for n in archive.namelist() if n.endswith(".osu"))
            return hashlib.sha256(archive.read(name)).hexdigest()


def load() -> dict:
    return json.loads(gzip.decompress(RECORDING.read_bytes()))


if __name__ == "__main__":
    opened = open_embedded()
    record = {
        "machine": machine(),
        "demo": demo_digest(opened),
        "ids": {str(mode): ids_of_mode(mode, opened) for mode in MODES},
    }
    RECORDING.write_bytes(gzip.compress(json.dumps(record).encode(), mtime=0))
    print(record["machine"], record["demo"], {m: sum(map(len, ids)) for m, ids in record["ids"].items()})
