"""One key of a training configuration: what values it takes, where its value goes, or why it may not be changed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from osuT5.errors import suggestion


@dataclass(frozen=True)
class Option:
    """A row of the table of options.

    Attributes:
        key: with its section, such as `optim.base_lr`.
        kind: a name of `KINDS`, or "choice".
        about: what the key does here, or why nothing else than `only` makes sense.
        goes_to: the place in `RunSettings` that the value fills, such as `recipe.lookback`; empty where `only` holds.
        only: the values that are accepted; others are refused with `about`. Empty: any.
        null: null is accepted; it means what `about` says, else "none".
        low, high: inclusive limits of numbers, or of each number of a list.
        choices: of a "choice".
        ours: the published configurations lack this key.
    """

    key: str
    kind: str
    about: str
    goes_to: str = ""
    only: tuple[Any, ...] = ()
    null: bool = False
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    ours: bool = False

    def read(self, value: Any) -> Any:
        """The value as the settings take it. Raises ValueError with one sentence that names the key."""
        if self.only:
            if any(v == value and isinstance(v, bool) == isinstance(value, bool) for v in self.only):
                return value
            allowed = " or ".join(spelled(v) for v in self.only)
            raise ValueError(f"{self.key}={spelled(value)} is not possible, only {allowed}: {self.about}")
        if value is None:
            if self.null:
                return None
            raise ValueError(f"{self.key} needs a value: {self.about}")
        if self.kind == "choice":
            return self._choice(value)
        words, reader = KINDS[self.kind]
        try:
            read = reader(value)
        except (TypeError, ValueError, AttributeError, KeyError):
            raise ValueError(f"{self.key} must be {words}, not {spelled(value)}") from None
        outside = [n for n in _numbers(read) if _beyond(n, self.low, self.high)]
        if outside:
            raise ValueError(f"{self.key} must be {_limits(self.low, self.high)}, not {spelled(value)}")
        return read

    def _choice(self, value: Any) -> str:
        # YAML reads a bare `no` as false
        text = "no" if value is False and "no" in self.choices else str(value)
        if text not in self.choices:
            hint = suggestion(text, self.choices)
            raise ValueError(f"{self.key} {spelled(value)} is unknown{hint}; use one of {', '.join(self.choices)}")
        return text

    @property
    def allowed(self) -> str:
        """The values that it takes, in words."""
        if self.only:
            return "only " + " or ".join(f"`{spelled(v)}`" for v in self.only)
        if self.choices:
            words = ", ".join(self.choices)
        else:
            words = KINDS[self.kind][0]
            if self.low is not None or self.high is not None:
                words += f", {_limits(self.low, self.high)}"
        return f"{words}; or null" if self.null else words


def spelled(value: Any) -> str:
    """A value as it is written in a configuration."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value or "''"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {spelled(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(spelled(v) for v in value) + "]"
    return str(value)


def _limits(low: float | None, high: float | None) -> str:
    if high is None:
        return f"at least {low}"
    return f"at most {high}" if low is None else f"from {low} to {high}"


def _beyond(number: float, low: float | None, high: float | None) -> bool:
    return (low is not None and number < low) or (high is not None and number > high)


def _numbers(value: Any) -> list[float]:
    if isinstance(value, Mapping):
        value = tuple(value.values())
    values = value if isinstance(value, tuple) else (value,)
    return [v for v in values if isinstance(v, (int, float)) and not isinstance(v, bool)]


# ---- readers: raise TypeError or ValueError for what they cannot take


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError
    return value


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _text(value: Any) -> str:
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        raise ValueError
    return str(value)


def _place(value: Any) -> str | None:
    return _text(value) or None  # the published configurations write "" for none


def _free(value: Any) -> Any:
    return value


def _list_of(reader: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    def read(values: Any) -> tuple[Any, ...]:
        if isinstance(values, (str, Mapping)):
            raise ValueError
        return tuple(map(reader, values))

    return read


def _pair(values: Any) -> tuple[float, float]:
    low, high = _list_of(_number)(values)
    if low > high:
        raise ValueError
    return (low, high)


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError
    return dict(value)


def _shares(value: Any) -> dict[int, float]:
    shares = {int(mode): _number(share) for mode, share in value.items()}
    if not sum(shares.values()) > 0 or min(shares.values()) < 0 or set(shares) - {0, 1, 2, 3}:
        raise ValueError
    return shares


def _contexts(value: Any) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    """Names of contexts, lower case; whether they exist is for the builder of profiles to say."""
    names = _list_of(lambda name: _text(name).lower())
    return tuple((names(row["in"]), names(row["out"])) for row in value)


# name -> (what a value must be, reader)
KINDS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "number": ("a number", _number),
    "whole": ("a whole number", _whole),
    "switch": ("true or false", _switch),
    "text": ("a text", _text),
    "place": ("a path or name", _place),
    "wholes": ("a list of whole numbers", _list_of(_whole)),
    "numbers": ("a list of numbers", _list_of(_number)),
    "texts": ("a list of texts", _list_of(_text)),
    "range": ("two numbers, the smaller first", _pair),
    "free": ("a value", _free),  # the settings that take it check it
    "mapping": ("a mapping", _mapping),
    "shares": ("a mapping from game mode (0 to 3) to its share", _shares),
    "contexts": ("a list of {in: [...], out: [...]} with names of contexts", _contexts),
}
