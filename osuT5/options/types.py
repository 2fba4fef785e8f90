"""The types of options: strict where a slip would pass for a value, lenient where people write it either way.

`gamemode=true` is no number, `title=123` is a text, `descriptors=clean` is a list of one, `hitsounded=True` is true.
Each type is an annotated standard type whose validator raises ValueError with the end of a sentence that begins with
`option=value`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BeforeValidator, Field, WithJsonSchema

LARGEST = 2**63 - 1  # of whole numbers without a range of their own


def _int(value: Any) -> int:
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    number = int(value) if whole else _float(value, "a whole number")
    if number != int(number):
        raise ValueError("is not a whole number")
    if abs(number) > LARGEST:
        raise ValueError("is too large")
    return int(number)


def _number(value: Any) -> float:
    return _float(value, "a number") + 0.0  # which makes -0.0 a plain 0


def _float(value: Any, wanted: str) -> float:
    try:
        number = math.nan if isinstance(value, bool) or not isinstance(value, (Real, str)) else float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"is not {wanted}")
    return number


def _bool(value: Any) -> bool:
    word = str(value).lower()
    if not isinstance(value, (bool, str)) or word not in ("true", "false"):
        raise ValueError("is not true or false")
    return word == "true"


def _text(value: Any) -> str:
    if not isinstance(value, (str, int, float)):
        raise ValueError("is not a text")
    text = str(value).lower() if isinstance(value, bool) else str(value)  # as it was written
    if any(ord(c) < 32 and c != "\t" or 0xD800 <= ord(c) < 0xE000 for c in text):
        raise ValueError("holds a line break or a character that no file can hold")
    return text


def _path(value: Any) -> str:
    if not isinstance(value, (str, int, float)) and not hasattr(value, "__fspath__"):
        raise ValueError("is not a path")
    if "\0" in str(value):
        raise ValueError("holds a zero character, which no path can")
    return str(value)


def as_list(value: Any) -> list[Any]:
    """A list, or one value as a list of one."""
    if isinstance(value, Mapping):
        raise ValueError("is not a list")
    return [value] if isinstance(value, (str, int, float)) or not hasattr(value, "__iter__") else list(value)


def _names(value: Any) -> list[Any]:
    whole = lambda item: isinstance(item, Integral) and not isinstance(item, bool)  # noqa: E731
    return list(dict.fromkeys(int(item) if whole(item) else _text(item) for item in as_list(value)))


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("is not a mapping {name: value}")
    return dict(value)


FREE_TEXT = "free text"  # in the annotation of options that are taken as they are typed, without Hydra's grammar

Bool = Annotated[bool, BeforeValidator(_bool)]
Int = Annotated[int, BeforeValidator(_int)]
Number = Annotated[float, BeforeValidator(_number)]
Text = Annotated[str, BeforeValidator(_text), FREE_TEXT]
PathText = Annotated[str, BeforeValidator(_path), FREE_TEXT]
Names = Annotated[
    tuple[Any, ...],
    BeforeValidator(_names),
    WithJsonSchema({"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}),
]
Table = Annotated[dict[str, Any], BeforeValidator(_mapping)]


def numbers(**limits: float) -> Any:
    """A list of numbers, each within limits (ge, gt, le, lt)."""
    return Annotated[tuple[Annotated[Number, Field(**limits)], ...], BeforeValidator(as_list)]


def ints(**limits: float) -> Any:
    """A list of whole numbers, each within limits (ge, gt, le, lt)."""
    return Annotated[tuple[Annotated[Int, Field(**limits)], ...], BeforeValidator(as_list)]


Numbers, Ints = numbers(), ints()


def one_of(*words: str, case: Callable[[str], str] = str) -> Any:
    """A word out of these.

    Args:
        case: what is done to a word before it is looked up, such as `str.upper`.
    """

    def word(value: Any) -> str:
        # YAML reads a bare `no` as false
        text = "no" if value is False and "no" in words else str(getattr(value, "name", value))
        return case(text)

    return Annotated[Literal[words], BeforeValidator(word)]


def names_of(*words: str) -> Any:
    """A list of these upper-case names; lower case is accepted."""
    return Annotated[tuple[one_of(*words, case=str.upper), ...], BeforeValidator(as_list)]


# ---- looking into annotations


def parts(annotation: Any) -> tuple[Any, tuple[Any, ...], bool]:
    """(bare type, metadata, whether None is a value) of an annotation such as `Int | None`."""
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        bare, more, nullable = parts(inner)
        return bare, (*more, *metadata), nullable
    inside = get_args(annotation)
    if type(None) in inside:
        bare, metadata, _ = parts(next(a for a in inside if a is not type(None)))
        return bare, metadata, True
    return annotation, (), False


def words_of(annotation: Any) -> tuple[str, ...]:
    """The words of `one_of` or `names_of`; () of other types."""
    bare = parts(annotation)[0]
    if get_origin(bare) is tuple:
        bare = parts(get_args(bare)[0])[0]
    return tuple(get_args(bare)) if get_origin(bare) is Literal else ()


def type_in_words(annotation: Any) -> str:
    """`a number`, `true or false`, `path`, `list of numbers`: what a value must be."""
    bare, metadata, _ = parts(annotation)
    words = words_of(annotation)
    if words:
        listed = ", ".join(words)
        return f"list of {listed}" if get_origin(bare) is tuple else listed
    if any(isinstance(m, BeforeValidator) and m.func is _path for m in metadata):
        return "path"
    if get_origin(bare) is tuple:
        item = parts(get_args(bare)[0])[0]
        return {int: "list of integers", float: "list of numbers"}.get(item, "list of strings")
    names = {bool: "true or false", int: "integer", float: "number", str: "string"}
    return names.get(bare, "mapping" if bare is dict or get_origin(bare) is dict else "value")


def limits_of(annotation: Any) -> dict[str, float]:
    """ge, gt, le, lt of a number, or of the items of a list."""
    bare, metadata, _ = parts(annotation)
    found = {}
    for one in metadata:
        for limit in getattr(one, "metadata", [one]):
            found |= {name: getattr(limit, name) for name in ("ge", "gt", "le", "lt") if hasattr(limit, name)}
    return limits_of(get_args(bare)[0]) if get_origin(bare) is tuple and not found else found


def is_free_text(annotation: Any) -> bool:
    return FREE_TEXT in parts(annotation)[1]
