"""What is written from options: the lines of `--help`, a page of documentation, a configuration with all defaults."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from pydantic.fields import FieldInfo

from osuT5.options.model import Options, annotation_of, limits_in_words, put, spelled
from osuT5.options.types import parts, type_in_words

WIDTH = 110


def takes(row: FieldInfo) -> str:
    """`number, between 0 and 3`: what a value must be."""
    limits = limits_in_words(row)
    return type_in_words(annotation_of(row)) + (f", {limits}" if limits else "")


def default_of(row: FieldInfo) -> Any:
    return row.get_default(call_default_factory=True)


def by_heading(options: type[Options]) -> Iterator[tuple[str, list[tuple[str, FieldInfo]]]]:
    """(heading, its options) in the order of their statement; a heading holds until the next."""
    current: tuple[str, list[tuple[str, FieldInfo]]] = ("Options", [])
    for key, row in options.keys().items():
        extra = row.json_schema_extra if isinstance(row.json_schema_extra, dict) else {}
        name = str(extra.get("heading", current[0]))
        if name != current[0]:
            if current[1]:
                yield current
            current = (name, [])
        current[1].append((key, row))
    yield current


def option_lines(options: type[Options]) -> str:
    """Every option with its sentence, what it takes and its default."""
    lines = []
    for name, rows in by_heading(options):
        lines += [name]
        for key, row in rows:
            value = default_of(row)
            default = "" if value is None or value in ((), {}, "") else f"; default {spelled(value)}"
            text = f"{row.description} [{takes(row)}{default}]"
            lines += textwrap.wrap(text, WIDTH, initial_indent=f"  {key:<29} ", subsequent_indent=" " * 32)
        lines.append("")
    for title, reasons in _fixed(options):
        lines += [title]
        for key, reason in reasons:
            lines += textwrap.wrap(reason, WIDTH, initial_indent=f"  {key:<29} ", subsequent_indent=" " * 32)
        lines.append("")
    return "\n".join(lines).rstrip()


def _fixed(options: type[Options]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """What published configurations hold and cannot act here."""
    command = options.command
    if command.without_effect:
        yield "Accepted, without effect", list(command.without_effect.items())
    if command.only:
        rows = [(key, f"{' or '.join(map(spelled, values))}: {why}") for key, (values, why) in command.only.items()]
        yield "Only this value", rows


def page(options: type[Options], head: str) -> str:
    """Markdown: a table for each heading."""
    lines = [head.rstrip()]
    for name, rows in by_heading(options):
        lines += [f"\n## {name}\n", "| option | default | takes | meaning |", "|---|---|---|---|"]
        for key, row in rows:
            value = default_of(row)
            default = "" if value is None and options.command.null_is_open else f"`{spelled(value)}`"
            null = "; or null" if parts(annotation_of(row))[2] and not options.command.null_is_open else ""
            lines.append(_row(f"`{key}`", default, takes(row) + null, row.description or ""))
    for title, reasons in _fixed(options):
        lines += [f"\n## {title}\n", "| option | why |", "|---|---|"]
        lines += [_row(f"`{key}`", reason) for key, reason in reasons]
    return "\n".join(lines) + "\n"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def default_values(options: type[Options]) -> dict[str, Any]:
    """What `default.yaml` holds, by section: null for all where that means "not asked for"."""
    values: dict[str, Any] = {}
    for key, row in options.keys().items():
        put(values, key, None if options.command.null_is_open else _plain(default_of(row)))
    return values


def _plain(value: Any) -> Any:
    return list(map(_plain, value)) if isinstance(value, tuple) else value


def yaml_text(options: type[Options]) -> str:
    """`default.yaml` of the command, with its comments."""
    import yaml

    lines = [
        f"# Every option of {options.command.title}, written by `python -m osuT5.options write`: not to be edited.",
        "# Your own values belong into a file beside this one that begins with `defaults: [default, _self_]`.",
    ]
    if options.command.null_is_open:
        lines.append("# null: taken from the reference beatmap, the song, the model's profile or the general default.")
    heading, section = "", ""
    for name, rows in by_heading(options):
        for key, _ in rows:
            value = None if options.command.null_is_open else _plain(default_of(options.keys()[key]))
            *path, last = key.split(".")
            if name != heading:
                lines += ["", f"# {name}"]
                heading = name
            for depth in range(len(path)):
                if path[: depth + 1] != section.split(".")[: depth + 1]:
                    lines.append(f"{'  ' * depth}{path[depth]}:")
            section = ".".join(path)
            text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True).strip()
            lines.append(f"{'  ' * len(path)}{last}: {text.removesuffix('...').strip()}")
    return "\n".join(lines) + "\n"
