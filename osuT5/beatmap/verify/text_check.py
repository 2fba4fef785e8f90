"""Class A: the format gate, on the text of a file. One rule is one function and one row of `TEXT_RULES`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

from osuT5.beatmap.verify import line_rules, text_rules
from osuT5.beatmap.verify.document import Document
from osuT5.beatmap.verify.findings import (
    ERROR,
    FATAL,
    WARNING,
    AudioFacts,
    Change,
    Fault,
    Finding,
    sort_findings,
)

MAX_PASSES = 3
MAX_EDITS_OF_A_LINE = 8  # several missing sections are put in at one place, one after the other


class TextRule(NamedTuple):
    """One row of the table; `repair` says in words what the rule's edits do."""

    code: str
    severity: str
    check: Callable[[Document, AudioFacts | None], Iterator[Fault]]
    repair: str


TEXT_RULES = (
    TextRule("A002", FATAL, text_rules.encoding, "saved as UTF-8, NUL removed"),
    TextRule("A003", WARNING, text_rules.byte_order_mark, "dropped"),
    TextRule("A001", FATAL, text_rules.header, "v14 written"),
    TextRule("A004", FATAL, text_rules.sections, "section added or merged"),
    TextRule("A005", FATAL, text_rules.mode, "set to the mode that the objects suggest"),
    TextRule("A006", FATAL, text_rules.audio_file_name, "base name of the audio file"),
    TextRule("A007", FATAL, text_rules.difficulty_numbers, "default put in"),
    TextRule("A008", ERROR, text_rules.difficulty_ranges, "clamped"),
    TextRule("A010", FATAL, line_rules.timing_lines, "line dropped"),
    TextRule("A009", FATAL, line_rules.red_line, "tempo guessed from the objects"),
    TextRule("A011", ERROR, line_rules.timing_ranges, "clamped"),
    TextRule("A012", FATAL, line_rules.object_lines, "line dropped"),
    TextRule("A013", FATAL, line_rules.coordinates, "rounded and clamped"),
    TextRule("A014", FATAL, line_rules.slider_lines, "mended from what can be read, else made a circle"),
    TextRule("A015", ERROR, line_rules.edge_counts, "padded or cut"),
    TextRule("A016", FATAL, line_rules.end_times, "made a note"),
    TextRule("A017", ERROR, line_rules.hit_samples, "default sample"),
    TextRule("A018", FATAL, line_rules.any_object, ""),
    TextRule("A019", ERROR, line_rules.order, "sorted"),
    TextRule("A020", ERROR, text_rules.metadata_characters, "removed"),
    TextRule("A021", ERROR, text_rules.combo_colours, "numbered anew, clamped or dropped"),
    TextRule("A022", ERROR, text_rules.general_values, "set to a known value"),
    TextRule("A023", ERROR, text_rules.event_lines, "rewritten or dropped"),
    TextRule("A024", ERROR, line_rules.plausibility, "thinned out"),
    TextRule("A025", WARNING, text_rules.unknown_parts, "dropped"),
)


def check_text(text: str | bytes, audio: AudioFacts | None = None) -> list[Finding]:
    """Class A findings of a .osu file's text (or bytes), in report order. Never raises for odd text."""
    document = Document.parse(text)
    found = [_finding(rule, fault) for rule in TEXT_RULES for fault in rule.check(document, audio)]
    return sort_findings(found)


def repair_text(text: str | bytes, audio: AudioFacts | None = None) -> tuple[str, list[Finding], list[Change]]:
    """The text with its class A faults mended, what was found (`fixed` where it is gone), and what was changed.

    Lines that no rule complains of keep their bytes; a text without faults comes back as it is.
    """
    document = Document.parse(text)
    mended: list[Finding] = []
    changes: list[Change] = []
    for _ in range(MAX_PASSES):
        before, left = document, []
        for rule in TEXT_RULES:
            for _ in range(MAX_EDITS_OF_A_LINE):
                faults = list(rule.check(document, audio))
                edits: dict[int, str | None] = {}
                for fault in faults:
                    if fault.edits and not any(index in edits for index, _ in fault.edits):
                        edits.update(fault.edits)
                        mended.append(replace(_finding(rule, fault), fixed=True))
                        changes += [Change(rule.code, fault.time, document.lines[i], t or "") for i, t in fault.edits]
                if not edits:
                    break
                document = document.edited(edits)
            left += [_finding(rule, fault) for fault in faults if not fault.edits]
        if document is before:
            return document.text, sort_findings(mended + left), changes
    return document.text, sort_findings(mended + check_text(document.text, audio)), changes


def _finding(rule: TextRule, fault: Fault) -> Finding:
    return Finding(
        rule.code, fault.severity or rule.severity, fault.time, fault.message, rule.repair, fault.objects, fault.value,
        fault.limit, fixable=bool(fault.edits), end=fault.end,
    )  # fmt: skip
