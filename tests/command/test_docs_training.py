"""Every command that the pages on training and data show is one that the entry points take."""

import re
import shlex
from pathlib import Path

import pytest

from osuT5 import cli
from osuT5.convert import CONVERSIONS
from osuT5.errors import OptionErrors
from osuT5.options.commands import options_of
from osuT5.options.compose import compose, find_preset, sort_overrides

ROOT = Path(__file__).resolve().parents[2]
PAGES = tuple(
    str(path.relative_to(ROOT)) for path in sorted([*ROOT.glob("README*.md"), *ROOT.glob("docs/*.md")])
    if path.name not in ("experiments.md", "architecture.md")
)  # fmt: skip
# program -> its options
PROGRAMS = {
    "osuT5/train.py": "train",
    "osuT5/test.py": "train",
    "osuT5.data.build": "build",
    "osuT5.data.compile": "compile",
    "osuT5.data.corpora": "corpora",
    "osuT5.convert": "convert",
    "osuT5.publish": "publish",
    "evaluate.py": "evaluate",
    "inference.py": "inference",
    "mapperatorinator": "inference",
    "mapperatorinator-train": "train",
}
# what is said of paths that are not there, which those of a page are not
ABOUT_PATHS = ("there is no", "exists already")
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
    assert {PROGRAMS[program] for program, _ in COMMANDS} == set(PROGRAMS.values())


@pytest.mark.parametrize(("program", "arguments"), COMMANDS, ids=[" ".join([p, *a])[:60] for p, a in COMMANDS])
def test_a_shown_command_is_one_that_the_program_takes(program, arguments):
    name = PROGRAMS[program]
    if name == "convert":
        kind = arguments[0] if arguments[0] in CONVERSIONS else "state"
        name, arguments = f"convert/{kind}", [a for a in arguments if a not in CONVERSIONS]
    options = options_of(name)
    arguments = [
        a.replace("model_path=", "pretrained_path=", 1) if program.endswith("test.py") else a
        for a in arguments
        if not re.fullmatch(r".*\$(mode|stars).*", a)  # counted up by a loop of the shell
    ]
    typed = cli.parse(arguments, "default", ["--explain"])
    if typed.show == "help":
        return
    if program in ("osuT5/train.py", "mapperatorinator-train"):
        assert typed.name != "default", "training has no default configuration"
    preset = find_preset(options.command.tree, typed.name)
    if typed.show == "multirun":  # values are lists of what the jobs get
        assert not sort_overrides(options, typed.overrides, sweep=True).problems
        return
    found = compose(options, preset, typed.overrides)
    try:
        options.read(found.values, found.layers, found.problems)
    except OptionErrors as error:
        assert all(any(words in problem for words in ABOUT_PATHS) for problem in error.problems), error
