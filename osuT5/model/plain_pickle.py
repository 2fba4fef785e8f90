"""Reading the pickled token tables of old training states without running anything that they hold.

A pickle is a program; unpickling one from a stranger gives the stranger the machine. Here only containers, texts and
numbers are built. Facts: what the older trainer pickled beside them: members of its two enums and its range tuples,
and integers of numpy. Whatever else a pickle asks for is refused before it is looked up.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from enum import Enum
from pathlib import Path
from typing import Any

from osuT5.errors import CheckpointError
from osuT5.events.types import ContextType, EventType

MAX_BYTES = 256 * 2**20
_ENUMS = {"EventType": EventType, "ContextType": ContextType}
# numpy's scalar kinds -> struct codes by size in bytes
_NUMBERS = {
    "i": {1: "b", 2: "h", 4: "i", 8: "q"},
    "u": {1: "B", 2: "H", 4: "I", 8: "Q"},
    "f": {2: "e", 4: "f", 8: "d"},
}


def read_plain_pickle(path: Path) -> Any:
    """The object in a file written by torch.save or pickle.dump, enum members as their texts.

    Raises CheckpointError for files that are damaged, too large, or hold more than containers, texts and numbers.
    """
    try:
        return _PlainUnpickler(io.BytesIO(_pickled_bytes(path)), str(path)).load()
    except CheckpointError:
        raise
    except Exception as error:  # a damaged or hostile program can fail in any way; none of it has run anything
        raise CheckpointError(f"{path}: cannot be read as a table of tokens: {error!r}") from error


def _pickled_bytes(path: Path) -> bytes:
    if path.stat().st_size > MAX_BYTES:
        raise CheckpointError(f"{path}: larger than {MAX_BYTES >> 20} MB; token tables are smaller")
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        programs = [info for info in archive.infolist() if info.filename.endswith("data.pkl")]
        if len(programs) != 1:
            raise CheckpointError(f"{path}: {len(programs)} pickles inside, expected one")
        if programs[0].file_size > MAX_BYTES:
            raise CheckpointError(f"{path}: unpacks to more than {MAX_BYTES >> 20} MB; token tables are smaller")
        return archive.read(programs[0])


class _PlainUnpickler(pickle.Unpickler):
    """Looks up no module: each allowed name stands for an object made here, anew for every file."""

    def __init__(self, file: io.BytesIO, path: str):
        super().__init__(file)
        self._path = path
        self._names = _stand_ins()

    def find_class(self, module: str, name: str) -> Any:
        key = (module if module.partition(".")[0] in _BUILT_IN else "older trainer", name)
        found = self._names.get(key)
        if found is None:
            raise CheckpointError(
                f"{self._path}: refused, because it asks for {module}.{name}, and only containers, texts and numbers "
                "are read from pickles"
            )
        return found

    def persistent_load(self, pid: Any) -> Any:
        raise CheckpointError(f"{self._path}: refused, because it holds tensors where a table of tokens should be")


_BUILT_IN = ("builtins", "__builtin__", "collections", "numpy", "_codecs")


def _stand_ins() -> dict[tuple[str, str], Any]:
    """(module, name) -> stand-in. Classes are local, so that a pickle can spoil none but its own."""

    class Dtype:
        def __init__(self, code: str = "i8", align: bool = False, copy: bool = False):
            self.code, self.order = code, "<"

        def __setstate__(self, state: tuple) -> None:
            self.order = ">" if state[1] == ">" else "<"

    def scalar(dtype: Dtype, data: bytes) -> int | float | bool:
        code = dtype.code.lstrip("<>=|")
        if code == "b1":
            return bool(data[0])
        return struct.unpack(dtype.order + _NUMBERS[code[0]][int(code[1:])], data)[0]

    def encode(text: str, encoding: str = "latin1") -> bytes:
        if encoding != "latin1":
            raise ValueError(f"encoding {encoding!r}")
        return text.encode("latin1")

    class Names:
        """An enum of the older trainer: called with a value, or asked for a member, it gives the value's text."""

        def __init__(self, members: type[Enum]):
            self._values = {m.name: m.value for m in members}

        def __call__(self, value: str) -> str:
            if value not in self._values.values():
                raise ValueError(f"unknown event or context {value!r}")
            return value

        def member(self, name: str) -> str:
            return self._values[name]

    def get_member(names: Names, name: str) -> str:
        if not isinstance(names, Names):
            raise ValueError("getattr on something that is no event type")
        return names.member(name)

    class EventRange(dict):
        """The older trainer's range object, as the mapping that tokenizer.json has."""

        def __init__(self, type: Any = None, min_value: int = 0, max_value: int = 0):
            super().__init__(type=type, min_value=min_value, max_value=max_value)

        def __setstate__(self, state: dict) -> None:
            self.update(state)

    multiarray = ("numpy.core.multiarray", "numpy._core.multiarray")
    return {
        ("collections", "OrderedDict"): OrderedDict,
        ("builtins", "getattr"): get_member,
        ("__builtin__", "getattr"): get_member,
        ("numpy", "dtype"): Dtype,
        **{(module, "scalar"): scalar for module in multiarray},
        ("_codecs", "encode"): encode,
        ("older trainer", "EventRange"): EventRange,
        **{("older trainer", name): Names(members) for name, members in _ENUMS.items()},
    }
