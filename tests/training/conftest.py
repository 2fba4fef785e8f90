"""Shared fixtures of the training tests."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of golden vectors."""
    return Path(__file__).resolve().parents[1] / "golden"
