"""The same work for many songs, over several processes, and the rows that come of it.

A row is a dict of plain values, ready for JSON: names, measures, `None` where a measure means nothing.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

Row = dict[str, Any]
OnRow = Callable[[Row], None]


def spread(
    work: Callable[[Any], list[Row]],
    items: list,
    processes: int,
    on_row: OnRow,
    start: Callable[..., None] | None = None,
    start_arguments: tuple = (),
) -> list[Row]:
    """All rows in order of the items; `on_row` sees those of an item when all of them are there.

    Args:
        work: a function of a module; processes start from nothing, for torch does not survive a fork.
        start, start_arguments: called in each process before its first item.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(items)), context, start, start_arguments) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in as_completed(futures):
                for row in future.result():
                    on_row(row)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        return [row for future in futures for row in future.result()]
