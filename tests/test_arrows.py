"""Imports point one way: the arrows of docs/architecture.md."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1] / "osuT5"

# folder -> folders of the package that it may import
MAY_IMPORT = {
    "options": set(),
    "beatmap": set(),
    "events": {"beatmap"},
    "audio": set(),
    "model": {"events"},
    "timing": {"beatmap", "events"},
    "data": {"audio", "beatmap", "events", "timing"},
    "training": {"data", "events", "inference", "model", "render"},
    "inference": {"audio", "beatmap", "events", "model", "timing"},
    "evaluation": {"audio", "beatmap", "inference", "model", "timing", "events", "data"},
    "render": {"beatmap"},
}
EVERYWHERE = {"errors", "cli", "options", "bundled", "lazy"}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [f"{node.module}.{a.name}" if node.module == "osuT5" else node.module for a in node.names]
        for name in names:
            parts = (name or "").split(".")
            if parts[0] == "osuT5" and len(parts) > 1:
                yield parts[1]


def files(folder):
    place = ROOT / folder
    return sorted(place.rglob("*.py")) if place.is_dir() else [ROOT / f"{folder}.py"]


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_folder_imports_only_what_lies_below_it(folder):
    allowed = MAY_IMPORT[folder] | EVERYWHERE | {folder}
    wrong = {f"{p.relative_to(ROOT)} -> {name}" for p in files(folder) for name in imports(p) if name not in allowed}
    assert not wrong


def test_every_package_is_under_the_rule():
    packages = {p.parent.name for p in ROOT.glob("*/__init__.py")}
    assert packages <= set(MAY_IMPORT)


def test_model_knows_of_events_only_the_profile_and_the_vocabulary():
    known = {
        "Profile",
        "Vocabulary",
        "EventType",
        "ContextType",
        "load_profile",
        "read_profile",
        "profile_names",
        "Event",
        "TIME_STEP_MS",
    }
    for path in files("model"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("osuT5.events"):
                assert {a.name for a in node.names} <= known, path
