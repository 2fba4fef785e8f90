"""Golden vectors of the token language and the profiles that they were recorded with."""

import gzip
import json
from pathlib import Path

import pytest

from osuT5.events import Event, EventType, Vocabulary, load_profile

GOLDEN = Path(__file__).parents[1] / "golden"
TOKENS = GOLDEN / "tokens"


def load(path: str):
    file = GOLDEN / path
    data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    return json.loads(data)


def events_of(rows) -> list[Event]:
    return [Event(EventType(name), value) for name, value in rows]


def rows_of(events) -> list[list]:
    return [[e.type.value, e.value] for e in events]


def vocabulary(profile: str) -> Vocabulary:
    return Vocabulary.load(TOKENS / "tokenizers" / f"{profile}.tokenizer.json")


def profile_of(name: str):
    """Profiles of the golden files: those of older layouts share the settings of today's."""
    if name == "v32-std-only":
        return load_profile("v32").replace(gamemodes=(0,))
    return load_profile(name.partition("-asof")[0])


class Golden:
    tokens = TOKENS
    load = staticmethod(load)
    events_of = staticmethod(events_of)
    rows_of = staticmethod(rows_of)
    vocabulary = staticmethod(vocabulary)
    profile_of = staticmethod(profile_of)
    # event streams depend only on these settings
    streams = {"types_first_pos32": "v28", "timed_pos4": "v30", "types_first_pos4": "v31", "types_last_refine": "v32"}


@pytest.fixture(scope="session")
def golden():
    return Golden
