"""Values of a configuration on their way into the settings, with the mistakes found so far."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from osuT5.training.settings.option import Option


@dataclass
class Placed:
    """First name of `Option.goes_to` -> rest -> value. A value that could not be read is not there."""

    values: dict[str, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    problems: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    recipe_name: str = "improved"

    def __getitem__(self, part: str) -> dict[str, Any]:
        return self.values[part]

    def put(self, option: Option, value: Any) -> None:
        part, name = option.goes_to.split(".", 1)
        self.values[part][name] = value
