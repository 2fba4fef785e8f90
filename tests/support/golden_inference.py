"""Access to the recorded vectors of generation."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

from osuT5.events import Profile, load_profile

DEFAULT = Path(__file__).resolve().parents[1] / "golden" / "inference"
_folders = [DEFAULT]

# Windows of the tiny checkpoints: (src_seq_len, tgt_seq_len)
TINY_WINDOWS = {"v28": (1024, 224), "v29": (1024, 224), "v30": (512, 192), "v31": (1024, 224), "v32": (768, 224)}


def use_folder(folder: Path) -> None:
    """Takes files from this folder first."""
    _folders[:] = [folder.resolve(), DEFAULT]


def find(name: str) -> Path:
    """A recorded file or folder by name."""
    return next((f / name for f in _folders if (f / name).exists()), DEFAULT / name)


@cache
def load_json(name: str) -> Any:
    path = find(name)
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return json.loads(data)


def tiny_profile(version: str) -> Profile:
    src, tgt = TINY_WINDOWS[version]
    return load_profile(version).replace(src_seq_len=src, tgt_seq_len=tgt)
