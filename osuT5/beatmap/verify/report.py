"""Reports of findings: one line each for people, JSON for programs.

Links open the game's editor at the objects meant. Facts: the checker's specification, section 12.
"""

from __future__ import annotations

from osuT5.beatmap.types import Beatmap, GameMode, HitObject
from osuT5.beatmap.verify.facts import Facts
from osuT5.beatmap.verify.findings import BLOCKING, SEVERITIES, Change, Finding

# which classes and severities a profile does not accept
PROFILES = {
    "play": {"A": BLOCKING, "B": BLOCKING},
    "rank": {"A": BLOCKING, "B": BLOCKING, "C": BLOCKING},
    "strict": {"A": SEVERITIES[:3], "B": SEVERITIES[:3], "C": SEVERITIES[:3]},
}

ISSUE_FIELDS = "code severity time end message value limit fixable fixed repair".split()


def accepted(findings: list[Finding], profile: str) -> bool:
    """Whether a profile accepts what is left of the findings."""
    refused = PROFILES[profile]
    return not any(not f.fixed and f.severity in refused.get(f.code[0], ()) for f in findings)


def clock(time: float) -> str:
    """mm:ss:mmm, as the editor writes it."""
    whole = int(round(time))
    sign, whole = ("-", -whole) if whole < 0 else ("", whole)
    return f"{sign}{whole // 60000:02d}:{whole // 1000 % 60:02d}:{whole % 1000:03d}"


class Links:
    """`osu://edit/` links into one map, made once for all its findings."""

    def __init__(self, beatmap: Beatmap):
        self._facts = Facts(beatmap)
        combos, indices = self._facts.combos, self._facts.indices
        self._numbers = {indices[place]: number for combo in combos for number, place in enumerate(combo, 1)}

    def to(self, finding: Finding) -> str:
        """With combo numbers, in mania with `time|column`; "" for a finding without a time."""
        if finding.time is None:
            return ""
        labels = ",".join(map(self._label, self.indices(finding)))
        return f"osu://edit/{clock(finding.time)}" + (f" ({labels})" if labels else "")

    def objects(self, finding: Finding) -> list[dict]:
        """Index, time and mania column of the objects that a finding means."""
        found = []
        for index in self.indices(finding):
            o = self._facts.beatmap.hit_objects[index]
            column = self._facts.column(o) if self._facts.mode == GameMode.MANIA else None
            found.append({"index": index, "time": o.time, "column": column})
        return found

    def indices(self, finding: Finding) -> list[int]:
        return [i for i in finding.objects if i < len(self._facts.objects)]

    def _label(self, index: int) -> str:
        o: HitObject = self._facts.beatmap.hit_objects[index]
        if self._facts.mode == GameMode.MANIA:
            return f"{o.time:.0f}|{self._facts.column(o)}"
        return str(self._numbers[index])


def as_line(finding: Finding) -> str:
    """`severity code time message [mended: how]`."""
    time = "" if finding.time is None else f"{clock(finding.time)} "
    mended = f" [mended: {finding.repair}]" if finding.fixed else ""
    return f"{finding.severity:7} {finding.code} {time}{finding.message}{mended}"


def as_json(
    file: str, beatmap: Beatmap, mended: Beatmap, findings: list[Finding], changes: list[Change], level: str | None
) -> dict:
    """The report of one file as a JSON object. Mended findings speak of `beatmap`, the others of `mended`."""
    before, after = Links(beatmap), Links(mended)
    issues = []
    for finding in findings:
        links = before if finding.fixed else after
        issue = {name: getattr(finding, name) for name in ISSUE_FIELDS}
        issues.append({**issue, "objects": links.objects(finding), "link": links.to(finding)})
    return {
        "file": file,
        "format": beatmap.format_version,
        "mode": int(beatmap.mode),
        "level": level,
        "summary": {s: sum(f.severity == s and not f.fixed for f in findings) for s in SEVERITIES},
        "issues": issues,
        "changes": [{"code": c.code, "time": c.time, "before": c.before, "after": c.after} for c in changes],
    }
