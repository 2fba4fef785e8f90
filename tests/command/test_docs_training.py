"""Every command that the pages on training and data show is one that the entry points take."""

import re
import shlex
from pathlib import Path

import pytest

from osuT5 import cli
from osuT5.convert import CONVERSIONS
from osuT5.training.settings import text_keys

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "README.es.md", "docs/training.md", "docs/data.md", "docs/training-options.md")
TRAINING = ("train", "mini", text_keys())
# program -> folder of configurations, the default one, keys of free text
PROGRAMS = {
    "osuT5/train.py": TRAINING,
    "osuT5/test.py": TRAINING,
    "osuT5.data.build": ("build", "default", ("osz_dir", "out", "api_csv")),
    "osuT5.data.compile": ("compile", "default", ("dataset", "out", "subset")),
    "osuT5.convert": ("convert", "", ("model", "lora", "out", "state")),
    "inference.py": ("inference", "default", ("audio_path", "beatmap_path", "output_path", "model_path", "lora_path")),
}
ELLIPSIS = ("...", "…")


def shown(page: str) -> list[list[str]]:
    """The words of every command line in the page's shell blocks; variables that a block sets are filled in."""
    variables: dict[str, str] = {}
    found = []
    for block in re.findall(r"^```sh\n(.*?)^```$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        block = re.sub(r"<<'PY'\n.*?^PY$", "", block, flags=re.MULTILINE | re.DOTALL).replace("\\\n", " ")
        for line in block.splitlines():
            setting = re.fullmatch(r'([A-Z]+)="(.*)"', line)
            if setting:
                variables[setting[1]] = setting[2]
            elif "{hydra" not in line:  # not a variable of the shell
                line = re.sub(r"\$([A-Z]+)", lambda m: variables.get(m[1], m[0]), line)
            found.append([word for word in shlex.split(line, comments=True) if word not in ELLIPSIS])
    return found


def commands() -> list[tuple[str, list[str]]]:
    """(program, its arguments)."""
    found = []
    for page in PAGES:
        for words in shown(page):
            programs = [i for i, word in enumerate(words) if word in PROGRAMS]
            if programs:
                found.append((words[programs[0]], words[programs[0] + 1 :]))
    return found


COMMANDS = commands()


def test_the_pages_show_commands_of_every_program():
    assert {program for program, _ in COMMANDS} == set(PROGRAMS)


@pytest.mark.parametrize(("program", "arguments"), COMMANDS, ids=[" ".join([p, *a])[:60] for p, a in COMMANDS])
def test_a_shown_command_is_one_that_the_program_takes(program, arguments):
    tree, default, texts = PROGRAMS[program]
    if program == "osuT5.convert":
        default = arguments[0] if arguments[0] in CONVERSIONS else "state"
        arguments = [a for a in arguments if a not in CONVERSIONS]
    arguments = [
        a.replace("model_path=", "pretrained_path=", 1) if tree == "train" and a.startswith("model_path=") else a
        for a in arguments
        if not re.fullmatch(r".*\$(mode|stars).*", a)  # counted up by a loop of the shell
    ]
    name, overrides, show = cli.split_arguments(arguments, default)
    if show == "multirun":  # values are lists of what the jobs get
        assert cli.complete_all(overrides, cli.flat_keys(cli.compose(tree, name, [])), texts)
    elif show != "help":
        assert cli.compose(tree, name, overrides, texts)
