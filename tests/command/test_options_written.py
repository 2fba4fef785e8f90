"""Files made from options are as the options are, and nothing states an option a second time."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from osuT5.options.__main__ import main, written
from osuT5.options.commands import STATED, options_of
from osuT5.options.compose import find_preset, preset_names
from osuT5.options.model import leaves

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("path", written(), ids=str)
def test_a_written_file_is_what_the_options_give(path):
    assert path.read_text(encoding="utf-8") == written()[path], "write it anew: python -m osuT5.options write"


@pytest.mark.parametrize("name", STATED)
def test_every_option_has_a_sentence_and_its_own_place(name):
    options = options_of(name)
    for key, row in options.keys().items():
        assert row.description and not row.description.endswith("."), key
    assert options.command.tree == name


@pytest.mark.parametrize("name", STATED)
def test_words_lead_to_options_that_exist_and_are_no_options_themselves(name):
    command, keys = options_of(name).command, options_of(name).keys()
    known = {*keys, *command.without_effect, *command.only}
    assert set(command.words.values()) <= set(keys)
    assert not known & command.words.keys()


@pytest.mark.parametrize("name", STATED)
def test_presets_state_options_that_there_are(name):
    import yaml

    options = options_of(name)
    for preset in preset_names(name):
        path = find_preset(name, preset).folder / f"{preset}.yaml"
        stated = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        stated.pop("defaults", None)
        assert {key for key, _ in leaves(stated, options.keys())} <= set(options.keys()), path


@pytest.mark.parametrize("name", STATED)
def test_schema(name):
    schema = options_of(name).json_schema()
    assert schema["additionalProperties"] is False
    assert json.loads(json.dumps(schema)) == schema
    assert not [word for word in ('"ge"', '"le"', '"gt"', '"lt"') if word in json.dumps(schema)]


def test_schema_of_generation_has_what_a_form_needs():
    rows = options_of("inference").json_schema()["properties"]
    assert rows["keycount"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 18,
        "default": 4,
        "description": "keys of mania",
        "heading": "The map",
        "title": "Keycount",
    }
    assert rows["verify"]["enum"] == ["gate", "report", "off"]


def test_command_line(capsys):
    assert main(["schema", "inference"]) == 0
    assert json.loads(capsys.readouterr().out)["properties"]["seed"]
    assert main(["--help"]) == 0 and main([]) == 2
    command = [sys.executable, "-m", "osuT5.options", "schema", "inferense"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "did you mean 'inference'?" in done.stderr


# dataclass -> why its defaults are no second statement of an option of that name
OTHER_THINGS = {
    "Conditions": "what a prompt says; its defaults are the published ones of unknown conditions",
    "MapSettings": "post-processing as a library; generation gives all of these",
    "Profile": "what a profile.json lacks",
    "Song": "the song's own rate",
    "MelSpectrogram": "a module that works alone",
}


def test_no_class_states_the_default_of_an_option_again():
    """Dataclass fields whose name and default are those of an option."""
    stated = {
        (key.split(".")[-1], repr(default))
        for name in STATED
        for key, row in options_of(name).keys().items()
        if (default := row.get_default(call_default_factory=True)) not in (None, (), {}, True, False)
    }
    found, seen = {}, 0
    for path in sorted((ROOT / "osuT5").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            decorators = [ast.unparse(d) for d in node.decorator_list] if isinstance(node, ast.ClassDef) else []
            if not any(d.startswith("dataclass") for d in decorators):
                continue
            for row in node.body:
                if isinstance(row, ast.AnnAssign) and row.value is not None:
                    seen += 1
                    if (row.target.id, ast.unparse(row.value)) in stated:
                        found.setdefault(node.name, []).append(row.target.id)
    assert seen > 100
    assert found.keys() == OTHER_THINGS.keys(), found
