"""`python inference.py`: configuration in, progress bars and the path of the result out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from osuT5 import cli
from osuT5.inference.progress import Notice, Objects, Progress, Restart, Stage, Window
from osuT5.inference.request import Request, build_request, option_rows

TREE = "inference"
STAGE_TEXT = {
    "model": "loading model",
    "audio": "reading",
    "timing": "finding beats",
    "verify": "verifying",
    "write": "writing",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code of one generation."""
    texts = [n for n, row in option_rows().items() if row.metadata["kind"] in ("path", str)]
    return cli.run(work, TREE, "mini", texts, arguments, help_text())


def work(config: dict[str, Any]) -> int:
    request = build_request({k: v for k, v in config.items() if v is not None})
    console = Console(stderr=True)
    result = generate_on(console, request)
    for path in result.paths:
        console.print(f"[bold green]{path}", soft_wrap=True, highlight=False)
    stats = result.stats
    speed = stats["tokens"] / max(stats["decoder_seconds"], 1e-9)
    console.print(
        f"{len(result.beatmaps[0].hit_objects)} objects, seed {result.seed}, {stats['seconds']:.1f} s "
        f"for {stats['song_seconds']:.0f} s of song ({speed:.0f} tokens/s)",
        highlight=False,
    )
    console.print("Disclose that this map was generated; the game's rules do not allow it to be ranked as it is.")
    return 0


def generate_on(console: Console, request: Request) -> Any:
    """Generates while rendering progress on a console."""
    from osuT5.inference.pipeline import generate

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"), TimeRemainingColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        tasks: dict[str, Any] = {}
        objects = 0

        def show(event: Progress) -> None:
            nonlocal objects
            if isinstance(event, Notice):
                bars.console.print(f"note: {event.message}", highlight=False, markup=False)
            elif isinstance(event, Stage):
                if event.name in STAGE_TEXT:
                    bars.console.print(
                        f"{STAGE_TEXT[event.name]} {event.detail}".rstrip(), highlight=False, markup=False
                    )
            elif isinstance(event, Window):
                if event.stage not in tasks:
                    tasks[event.stage] = bars.add_task(f"writing {event.stage}", total=event.total, note="")
                note = f"{objects} objects" if event.stage == "map" and objects else f"{event.events} events"
                bars.update(tasks[event.stage], completed=event.done, note=note)
            elif isinstance(event, Objects):
                objects = len(event.objects) + (0 if event.replaces else objects)
            elif isinstance(event, Restart):
                objects = 0

        return generate(request, show)


def help_text() -> str:
    """Every option with its kind, range and meaning."""
    lines = [
        "python inference.py audio_path=SONG [key=value ...]",
        "",
        "Turns a song into an osu! beatmap. Options (defaults come from the model's profile):",
    ]
    for name, row in option_rows().items():
        facts = row.metadata
        kind = facts["kind"] if isinstance(facts["kind"], str) else facts["kind"].__name__
        if facts["choices"]:
            kind = "|".join(facts["choices"])
        elif facts["high"] is not None:
            kind += f" {facts['low']:g}..{facts['high']:g}"
        lines.append(f"  {name:<28} {facts['about']} [{kind}]")
    return "\n".join(lines)
