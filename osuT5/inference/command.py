"""`python inference.py`: options in, progress bars and the path of the result out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from osuT5 import cli
from osuT5.inference.options import Request
from osuT5.options import spelled

STAGE_TEXT = {
    "model": "loading model",
    "audio": "reading",
    "timing": "detecting beats:",
    "verify": "verifying",
    "write": "writing",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code of one generation."""
    flags = [("--explain", "show every value and where it is from; loads no weights", explain)]
    return cli.run(work, Request, "mini", arguments, flags)


def work(request: Request) -> int:
    from rich.console import Console
    from rich.text import Text

    from osuT5.inference.plan import check_request

    check_request(request)  # what is wrong is said before a library that takes seconds is imported
    console = Console(stderr=True)
    result = generate_on(console, request)
    for path in result.paths:
        console.print(Text(str(path), style="bold green"), soft_wrap=True)
    stats = result.stats
    speed = stats["tokens"] / max(stats["decoder_seconds"], 1e-9)
    console.print(
        f"{len(result.beatmaps[0].hit_objects)} objects, seed {result.seed}, {stats['seconds']:.1f} s "
        f"for {stats['song_seconds']:.0f} s of song ({speed:.0f} tokens/s)",
        highlight=False,
    )
    console.print("Disclose that this map was generated; the game's rules do not allow it to be ranked as it is.")
    return 0


def explain(request: Request) -> int:
    """Prints the final value of every option and its origin."""
    from osuT5.inference.plan import explained_options

    options = explained_options(request)
    width = max(map(len, options.origins.values()))
    for name, value in options.values.items():
        print(f"{name:<28} {options.origins[name]:<{width}}  {spelled(value)}")
    return 0


def generate_on(console: Any, request: Request) -> Any:
    """Generates while rendering progress on a `rich` console."""
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    from osuT5.inference.pipeline import generate
    from osuT5.inference.progress import Notice, Objects, Progress, Restart, Stage, Window

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
