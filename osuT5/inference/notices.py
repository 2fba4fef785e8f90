"""Sentences about what post-processing and verification did, each kind once."""

from __future__ import annotations

import re

from osuT5.beatmap.verify import Finding


def by_kind(warnings: list[str]) -> list[str]:
    """Warnings that differ in numbers only, once each with their count."""
    kinds: dict[str, list[str]] = {}
    for warning in warnings:
        kinds.setdefault(re.sub(r"-?\d+(\.\d+)?", "#", warning), []).append(warning)
    return [w[0] if len(w) == 1 else f"{w[0]} (and {len(w) - 1} more like it)" for w in kinds.values()]


def repairs(findings: list[Finding]) -> list[str]:
    """One sentence per kind of repair: how often, and the first case."""
    by_code: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.fixed:
            by_code.setdefault(finding.code, []).append(finding)
    return [f"repaired {len(cases)} x {code}, e.g.: {cases[0].message}" for code, cases in by_code.items()]
