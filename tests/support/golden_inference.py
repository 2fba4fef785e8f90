"""Access to the recorded vectors of generation."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

from osuT5.events import Profile, load_profile

FOLDER = Path(__file__).resolve().parents[1] / "golden" / "inference"

# Windows of the tiny checkpoints: (src_seq_len, tgt_seq_len)
TINY_WINDOWS = {"v28": (1024, 224), "v29": (1024, 224), "v30": (512, 192), "v31": (1024, 224), "v32": (768, 224)}


@cache
def load_json(name: str) -> Any:
    path = FOLDER / name
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return json.loads(data)


def tiny_profile(version: str) -> Profile:
    src, tgt = TINY_WINDOWS[version]
    return load_profile(version).replace(src_seq_len=src, tgt_seq_len=tgt)
