"""The table of rules on a parsed beatmap: classes B (must be mended) and C (ranking criteria, reported only).

One rule is one function and one row; rows are in the order in which repairs are made. Facts: the checker's
specification, sections 4, 5, 9 and 11.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from osuT5.beatmap.types import Beatmap, GameMode
from osuT5.beatmap.verify import (
    criteria_rules,
    level_rules,
    map_rules,
    object_repairs,
    object_rules,
    overlap_repairs,
    position_repairs,
    position_rules,
    timing_repairs,
    timing_rules,
)
from osuT5.beatmap.verify.draft import Draft
from osuT5.beatmap.verify.facts import Facts
from osuT5.beatmap.verify.findings import ERROR, WARNING, AudioFacts, Fault, Finding, sort_findings
from osuT5.beatmap.verify.finite import finite_part

STD, TAIKO, CATCH, MANIA = GameMode
ALL = frozenset(GameMode)


class Rule(NamedTuple):
    """One row of the table.

    Attributes:
        check: yields the faults of a map.
        repair: mends the faults in a draft, in place; None where only a new map helps.
        words: what the repair does.
    """

    code: str
    severity: str
    modes: frozenset[GameMode]
    check: Callable[[Facts], Iterator[Fault]]
    repair: Callable[[Draft, Facts, list[Fault]], None] | None = None
    words: str = ""


def _modes(*modes: GameMode) -> frozenset[GameMode]:
    return frozenset(modes)


RULES = (
    # timing lines
    Rule("B013", ERROR, ALL, timing_rules.first_line, timing_repairs.first_line, "red line first, kiai on a green one"),
    Rule("B014", ERROR, ALL, timing_rules.double_lines, timing_repairs.double_lines, "the last one kept"),
    Rule("B015", ERROR, ALL, timing_rules.line_volumes, timing_repairs.line_volumes, "clamped"),
    Rule("B011", ERROR, ALL, object_rules.out_of_song, object_repairs.out_of_song, "timing extended, or dropped"),
    # snapping and durations
    Rule("B006", ERROR, _modes(STD, TAIKO, CATCH), object_rules.no_curve, object_repairs.no_curve,
         "natural length written, or made a circle"),
    Rule("B003", ERROR, ALL, object_rules.unsnapped, object_repairs.unsnapped, "moved to the nearest tick"),
    Rule("B007", ERROR, _modes(STD, CATCH), object_rules.short_sliders, object_repairs.to_circles, "made a circle"),
    Rule("B008", WARNING, _modes(STD, CATCH), object_rules.stretched_paths, position_repairs.stretched_paths,
         "curve rescaled about its head"),
    Rule("B021", ERROR, _modes(TAIKO, CATCH), object_rules.endless_sliders, object_repairs.endless_sliders, "cut"),
    # concurrency
    Rule("B005", ERROR, _modes(MANIA), position_rules.mania_columns, position_repairs.mania_columns,
         "moved to a column"),
    Rule("B001", ERROR, ALL, object_rules.concurrent, overlap_repairs.close_objects, "shortened, moved or dropped"),
    Rule("B002", ERROR, ALL, object_rules.almost_concurrent, overlap_repairs.close_objects,
         "shortened, moved or dropped"),
    Rule("B016", ERROR, _modes(MANIA), object_rules.short_holds, object_repairs.to_circles, "made a note"),
    # positions
    Rule("B010", ERROR, _modes(STD, CATCH), position_rules.outside_playfield, position_repairs.outside_playfield,
         "clamped"),
    Rule("B004", ERROR, _modes(STD), position_rules.off_screen, position_repairs.off_screen,
         "shifted, turned or folded inward"),
    # spinners, breaks, combos
    Rule("B009", ERROR, _modes(STD), object_rules.ninja_spinners, object_repairs.ninja_spinners,
         "extended, or removed"),
    Rule("B012", ERROR, ALL, timing_rules.breaks, timing_repairs.breaks, "recomputed, or dropped"),
    Rule("B020", WARNING, _modes(STD), map_rules.combos, object_repairs.combos, "new combos by measure"),
    # only a new map, or another file, helps
    Rule("B017", ERROR, ALL, map_rules.audio_file),
    Rule("B018", ERROR, ALL, position_rules.degenerate),
    Rule("B019", WARNING, ALL, map_rules.unmapped_song),
    Rule("B022", ERROR, ALL, object_rules.combo_and_score),
    # ranking criteria
    Rule("C001", ERROR, ALL, criteria_rules.drain_time),
    Rule("C002", ERROR, ALL, criteria_rules.preview),
    Rule("C007", ERROR, ALL, criteria_rules.romanised),
    Rule("C010", ERROR, ALL, criteria_rules.decimals),
    Rule("C012", ERROR, ALL, criteria_rules.tick_rate),
    Rule("C013", ERROR, _modes(STD, CATCH), criteria_rules.colours),
    Rule("C014", ERROR, ALL, timing_rules.useless_lines),
    Rule("C015", WARNING, _modes(STD, TAIKO, CATCH), criteria_rules.lines_after_heads),
    Rule("C018", ERROR, _modes(STD), level_rules.spinners),
    Rule("C019", ERROR, _modes(STD), level_rules.unstacked),
    Rule("C020", ERROR, _modes(STD), level_rules.close_circles),
    Rule("C021", ERROR, _modes(STD, CATCH), criteria_rules.silent_stretches),
    Rule("C022", WARNING, ALL, criteria_rules.quiet_sounds),
    Rule("C024", WARNING, ALL, criteria_rules.kiai_toggles),
    Rule("C026", ERROR, _modes(MANIA), level_rules.mania_balance),
    Rule("C029", WARNING, _modes(TAIKO), level_rules.taiko_gaps),
    Rule("C032", ERROR, _modes(TAIKO), level_rules.taiko_finishers),
    Rule("C034", ERROR, _modes(CATCH), level_rules.hyperdashes),
    Rule("C035", ERROR, _modes(CATCH), level_rules.catch_spinners),
)  # fmt: skip


def find(facts: Facts, rule: Rule) -> list[Finding]:
    """What one rule says about a map."""
    if facts.mode not in rule.modes:
        return []
    return [
        Finding(
            rule.code, fault.severity or rule.severity, fault.time, fault.message, rule.words, fault.objects,
            fault.value, fault.limit, fixable=rule.repair is not None, end=fault.end,
        )
        for fault in rule.check(facts)
    ]  # fmt: skip


def check(beatmap: Beatmap, audio: AudioFacts | None = None, level: str | None = None) -> list[Finding]:
    """Class B and C findings of a beatmap, in report order. The map is not changed.

    Args:
        audio: what is known of the song; rules that need more are silent.
        level: difficulty level E N H I X U for the rules that differ by it; None = by name, else by star rating.
    """
    finite, findings = finite_part(beatmap)
    facts = Facts(finite, audio, level)
    return sort_findings(findings + [finding for rule in RULES for finding in find(facts, rule)])
