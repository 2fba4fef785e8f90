"""Options as frozen pydantic models: every option is stated once, and all that is wrong is said at once.

A field made with `option` carries type, range, default, one sentence and the heading it is listed under. What can be
wrong between options is a `contradiction`: a function over the values of the options it names, called when these are
right each by itself. So one message tells misspelt names, wrong values and contradictions together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError
from pydantic.fields import FieldInfo

from osuT5.errors import OptionErrors, suggestion
from osuT5.options.types import is_free_text, limits_of, words_of

ASKED, DEFAULT = "asked", "default"
LONGEST = 80  # characters of a wrong value that are repeated in a message
Self = TypeVar("Self", bound="Options")


def option(about: str, default: Any = None, *, heading: str = "", **limits: Any) -> Any:
    """A field of options.

    Args:
        about: one sentence or less, without a full stop.
        heading: what it is listed under.
        limits: of numbers: ge, gt, le, lt.
    """
    extra = {"heading": heading} if heading else {}
    return Field(default, description=about, json_schema_extra=extra or None, **limits)


def heading(text: str) -> Callable[..., Any]:
    """`option` with that heading."""
    return partial(option, heading=text)


def section(model: type[Section]) -> Any:
    """A field that holds options of their own, written `section.option`."""
    return Field(default_factory=model)


@dataclass(frozen=True)
class Contradiction:
    """What is wrong between options: `says(*values)` returns a sentence, several, or None.

    Of a command whose None means "not asked for", options that were not given are None.
    """

    keys: tuple[str, ...]
    says: Callable[..., str | Sequence[str] | None]


def contradiction(*keys: str) -> Callable[[Callable[..., Any]], Contradiction]:
    """Makes a function of the values of these options a `Contradiction`."""
    return lambda says: Contradiction(keys, says)


def required(key: str, what: str) -> Contradiction:
    """The option has to be given.

    Args:
        what: what it is to name, for the message.
    """
    return Contradiction((key,), lambda value: f"{key} is missing: {what}" if value is None else None)


def must_exist(key: str, kind: str) -> Contradiction:
    """The option names a file or folder that has to be there.

    Args:
        kind: "file" or "folder".
    """

    def says(value: str | None) -> str | None:
        path = Path(value or ".").expanduser()
        there = value is None or (path.is_dir() if kind == "folder" else path.is_file())
        return None if there else f"{key}: there is no {kind} {value}"

    return Contradiction((key,), says)


@dataclass(frozen=True)
class Layer:
    """Values by key that are from one place: "preset NAME" or "asked"."""

    origin: str
    values: Mapping[str, Any]


class Section(BaseModel):
    """A group of options."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


@dataclass(frozen=True)
class Command:
    """What is known of a command besides its options.

    Attributes:
        tree: its folder below `configs/`.
        title: what the options are of, such as "a generation".
        usage: the head of its help.
        null_is_open: None means "not asked for"; otherwise None is a value, of those options that allow it.
        contradictions: see `Contradiction`.
        words: other names that people try -> the option.
        without_effect: keys of published configurations that are accepted -> why they do nothing here.
        only: keys of published configurations -> (the values that are accepted, why no other).
        only_in_clone: presets that an installed copy cannot use -> why.
    """

    tree: str
    title: str
    usage: str
    null_is_open: bool = False
    contradictions: tuple[Contradiction, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)
    without_effect: Mapping[str, str] = field(default_factory=dict)
    only: Mapping[str, tuple[tuple[Any, ...], str]] = field(default_factory=dict)
    only_in_clone: Mapping[str, str] = field(default_factory=dict)


class Options(Section):
    """All options of a command. Construction raises OptionErrors naming every mistake."""

    command: ClassVar[Command]

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)
    _ignored: tuple[str, ...] = PrivateAttr(default=())

    def __init__(self, /, **values: Any):
        layers = [Layer(ASKED, dict(leaves(values, self.keys())))]
        self._validate(self.completed(values, layers), layers)

    @classmethod
    def read(
        cls: type[Self], values: Mapping[str, Any], layers: Sequence[Layer], problems: Sequence[str] = ()
    ) -> Self:
        """Options of composed values.

        Args:
            layers: what presets say and what was typed, the last to count last.
            problems: what is known to be wrong already.
        Raises: OptionErrors.
        """
        made = cls.__new__(cls)
        made._validate(cls.completed(values, layers), layers, problems)
        return made

    @classmethod
    def completed(cls, values: Mapping[str, Any], layers: Sequence[Layer]) -> Mapping[str, Any]:
        """The values with what follows from how they were given; a command may say so."""
        return values

    def _validate(
        self,
        values: Mapping[str, Any],
        layers: Sequence[Layer],
        problems: Sequence[str] = (),
        rules: Sequence[Contradiction] | None = None,
    ) -> None:
        found, ignored = list(problems), []
        origins = {key: layer.origin for layer in layers for key in layer.values}
        kept: dict[str, Any] = {}
        for key, value in leaves(values, self.keys()):
            if key in self.command.without_effect:
                ignored.append(key)
            elif key in self.command.only:
                accepted, reason = self.command.only[key]
                if not any(v == value and isinstance(v, bool) == isinstance(value, bool) for v in accepted):
                    allowed = " or ".join(spelled(v) for v in accepted)
                    found.append(f"{key}={spelled(value)} is not possible, only {allowed}: {reason}")
            elif not (self.command.null_is_open and (value is None or isinstance(value, str) and value == "")):
                put(kept, key, value)
        wrong, sentences = self._try(kept)
        self._origins = {key: origins[key] for key, _ in leaves(kept, self.keys()) if key in origins}
        found += sentences
        for rule in self.command.contradictions if rules is None else rules:
            if not wrong.intersection(rule.keys):
                said = rule.says(*(self._given(key) for key in rule.keys))
                found += [said] if isinstance(said, str) else said or []
        if found:
            raise OptionErrors(found)
        self._ignored = tuple(key for key in ignored if origins.get(key) == ASKED)

    def _given(self, key: str) -> Any:
        return None if self.command.null_is_open and self.origin(key) == DEFAULT else self.get(key)

    def _try(self, values: dict[str, Any]) -> tuple[set[str], list[str]]:
        """Sets the fields; (options whose values are wrong, which have their defaults then, a sentence for each)."""
        try:
            BaseModel.__init__(self, **values)
            return set(), []
        except ValidationError as error:
            wrong, sentences = set(), {}
            for one in error.errors(include_url=False):
                key = self._key_of(one["loc"])
                wrong.add(key)
                sentences.setdefault(key, self._sentence(key, one, values))
            for key in wrong:
                remove(values, key)
            BaseModel.__init__(self, **values)
            return wrong, list(sentences.values())

    @classmethod
    def _key_of(cls, location: Sequence[Any]) -> str:
        """The option that a place in the values belongs to."""
        path = [str(part) for part in location]
        for length in range(1, len(path) + 1):
            if ".".join(path[:length]) in cls.keys():
                return ".".join(path[:length])
        return ".".join(path)

    @classmethod
    def _sentence(cls, key: str, error: Mapping[str, Any], values: Mapping[str, Any]) -> str:
        if error["type"] == "extra_forbidden":
            return cls.unknown(key)
        row = cls.keys().get(key)
        if row is None:
            return cls.unknown(key)
        given, kind, about = error["input"], error["type"], row.description
        stated = get(values, key)
        inside = isinstance(stated, (list, tuple, Mapping)) and stated != given  # an item of it
        within = f"{key}: {spelled(given)}" if inside else f"{key}={spelled(stated)}"
        if given is None:
            return f"{key} needs a value: {about}"
        if kind == "literal_error":
            words = words_of(annotation_of(row))
            return f"{within}: choose one of {', '.join(words)}{suggestion(str(given), words)}"
        if kind in ("greater_than_equal", "greater_than", "less_than_equal", "less_than"):
            return f"{within} is out of range: it must be {limits_in_words(row)}"
        if kind == "value_error":
            return f"{within} {error['ctx']['error']} ({about})"
        return f"{within} is not possible: {error['msg']} ({about})"

    @classmethod
    def unknown(cls, key: str) -> str:
        """What is said of a key that is no option."""
        known = cls.keys()
        inside = [k for k in known if k.startswith(f"{key}.")]
        namesakes = [k for k in known if k.split(".")[-1] == key.split(".")[-1]]
        word = cls.command.words.get(key) or cls.command.words.get(key.split(".")[-1])
        if word:
            return f"unknown option {key!r} (did you mean {word!r}?)"
        if inside:
            other = f", or {' or '.join(namesakes)}" if namesakes else ""
            some = ", ".join(inside[:6]) + (" …" if len(inside) > 6 else "")
            return f"{key} is a section, no option; write one of {some}{other}"
        if namesakes:
            return f"unknown option {key!r} (did you mean {' or '.join(map(repr, namesakes))}?)"
        return f"unknown option {key!r}{suggestion(key, [*known, *(k.split('.')[-1] for k in known)])}"

    # ---- what is known of the options

    @classmethod
    def keys(cls) -> Mapping[str, FieldInfo]:
        """All options, `section.option` where there are sections, in the order of their statement."""
        return _keys(cls)

    @classmethod
    def free_texts(cls) -> frozenset[str]:
        """Options whose values are taken as they are typed."""
        return frozenset(key for key, row in cls.keys().items() if is_free_text(annotation_of(row)))

    @classmethod
    def checked(cls, values: Mapping[str, Any], source: str) -> dict[str, Any]:
        """Values of some options in their own types, without contradictions and what has no effect.

        Args:
            source: what they are read from, for the message.
        Raises: OptionErrors.
        """
        try:
            made = cls.__new__(cls)
            made._validate(values, [Layer(ASKED, values)], rules=())
        except OptionErrors as error:
            raise OptionErrors([f"{source}: {problem}" for problem in error.problems]) from error
        return made.asked()

    def get(self, key: str) -> Any:
        """The value of `section.option`."""
        value: Any = self
        for name in key.split("."):
            value = getattr(value, name)
        return value

    def asked(self) -> dict[str, Any]:
        """Values of the options that were given, by name; of sections as mappings."""
        return self.model_dump(exclude_unset=True)

    def origin(self, key: str) -> str:
        """Where the value of an option is from: "asked", "preset NAME" or "default"."""
        return self._origins.get(key, DEFAULT)

    def ignored(self) -> list[str]:
        """One sentence for each option that was given and has no effect."""
        return [f"{key} has no effect: {self.command.without_effect[key]}" for key in self._ignored]

    def replace(self: Self, **changes: Any) -> Self:
        """The same with other values, checked again. `section={...}` changes single options of a section."""
        values = self.asked()
        layers = [Layer(origin, {key: self.get(key)}) for key, origin in self._origins.items()]
        layers.append(Layer(ASKED, dict(leaves(changes, self.keys()))))
        for key, value in layers[-1].values.items():
            put(values, key, value)
        made = type(self).__new__(type(self))
        made._validate(values, layers)
        return made

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """JSON schema (draft 2020-12) of the options."""
        return _standard(cls.model_json_schema())


@cache
def _keys(model: type[Section], prefix: str = "") -> dict[str, FieldInfo]:
    found: dict[str, FieldInfo] = {}
    for name, row in model.model_fields.items():
        if is_section(row):
            found |= _keys(row.annotation, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = row
    return found


def is_section(row: FieldInfo) -> bool:
    return isinstance(row.annotation, type) and issubclass(row.annotation, Section)


def annotation_of(row: FieldInfo) -> Any:
    """The annotation as it was written; pydantic keeps the metadata of a plain `Annotated` apart."""
    return Annotated[(row.annotation, *row.metadata)] if row.metadata else row.annotation


def limits_in_words(row: FieldInfo) -> str:
    """`between 0 and 3`, `at least 1`, `above 0 and below 1`; "" without limits."""
    limits = limits_of(annotation_of(row))
    if set(limits) == {"ge", "le"}:
        return f"between {_plain(limits['ge'])} and {_plain(limits['le'])}"
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    return " and ".join(f"{words[name]} {_plain(limit)}" for name, limit in limits.items())


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else f"{number:g}"


def spelled(value: Any) -> str:
    """A value as it is written in a configuration, shortened."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        text = value or "''"
    elif isinstance(value, Mapping):
        text = "{" + ", ".join(f"{k}: {spelled(v)}" for k, v in value.items()) + "}"
    elif isinstance(value, (list, tuple)):
        text = "[" + ", ".join(spelled(v) for v in value) + "]"
    elif isinstance(value, int) and value.bit_length() > 10_000:  # too long for Python to print
        text = f"a number of {round(value.bit_length() * 0.30103)} digits"
    else:
        text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


# ---- values by key


def leaves(values: Mapping[str, Any], known: Iterable[str], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """`section.option` and value of everything that is an option or no mapping."""
    for name, value in values.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and key not in known and value:
            yield from leaves(value, known, f"{key}.")
        else:
            yield key, value


def put(values: dict[str, Any], key: str, value: Any) -> None:
    """Sets `values[section][option]`, making the section."""
    *path, name = key.split(".")
    for part in path:
        if not isinstance(values.get(part), dict):
            values[part] = {}
        values = values[part]
    values[name] = value


def get(values: Mapping[str, Any], key: str) -> Any:
    """`values[section][option]`; None where it is not."""
    for part in key.split("."):
        values = values.get(part) if isinstance(values, Mapping) else None
    return values


def remove(values: dict[str, Any], key: str) -> None:
    *path, name = key.split(".")
    for part in path:
        values = values.get(part, {})
    values.pop(name, None)


def _standard(schema: Any) -> Any:
    """Limits under their names in JSON schema, wherever pydantic could not place them."""
    names = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
    if isinstance(schema, dict):
        return {names.get(k, k) if not isinstance(v, (dict, list)) else k: _standard(v) for k, v in schema.items()}
    return [_standard(item) for item in schema] if isinstance(schema, list) else schema
