"""Where the files that come with the program lie (`configs/`, `models/`, `demo/`), in a clone and installed."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_WHEEL = _PACKAGE / "_bundled"  # made by the build; a clone has none


def in_clone() -> bool:
    """Whether the program runs from its repository."""
    return not _WHEEL.is_dir()


def bundled(name: str) -> Path:
    """The path of a bundled file or folder, such as `configs/inference`."""
    return (_PACKAGE.parent if in_clone() else _WHEEL) / name
