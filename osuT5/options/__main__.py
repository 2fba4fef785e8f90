"""`python -m osuT5.options write`: `configs/*/default.yaml` and the pages of options, anew from the options.

`python -m osuT5.options schema inference` prints the JSON schema of a command's options.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from osuT5.bundled import bundled, in_clone
from osuT5.errors import InputError, MapperatorinatorError, suggestion
from osuT5.options.commands import PAGES, STATED, named, options_of
from osuT5.options.documents import page, yaml_text

USAGE = f"""python -m osuT5.options write           default.yaml of every command, and the pages of options, in a clone
python -m osuT5.options schema NAME     JSON schema of a command's options: {", ".join(STATED)}"""


def written() -> dict[Path, str]:
    """All files that are made from options, with their text."""
    files = {bundled("configs") / f"{name}/default.yaml": yaml_text(options_of(name)) for name in STATED}
    for name, (tree, head) in PAGES.items():
        files[bundled("docs") / name] = page(options_of(tree), named(head)())
    return files


def main(arguments: list[str]) -> int:
    if arguments == ["write"]:
        if not in_clone():
            raise InputError("the files are part of the repository; this is an installed copy")
        for path, text in written().items():
            path.write_text(text, encoding="utf-8")
            print(path)
        return 0
    if len(arguments) == 2 and arguments[0] == "schema":
        if arguments[1] not in STATED:
            raise InputError(f"no options are named {arguments[1]!r}{suggestion(arguments[1], STATED)}")
        print(json.dumps(options_of(arguments[1]).json_schema(), indent=2))
        return 0
    print(USAGE, file=sys.stdout if arguments in (["-h"], ["--help"]) else sys.stderr)
    return 0 if arguments in (["-h"], ["--help"]) else 2


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except MapperatorinatorError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
