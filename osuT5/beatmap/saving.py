"""Files that are there whole or not at all: written beside their place, flushed to disk, renamed."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from osuT5.errors import InputError


def write_atomically(path: str | Path, data: bytes, overwrite: bool = False) -> Path:
    """Puts `data` at `path`; folders on the way are made.

    Args:
        overwrite: allows to replace a file, whose old content is kept beside it as `<name>.bak`.
    Raises InputError if the file exists and may not be replaced, or cannot be written.
    """
    path = Path(path)
    temporary = None
    try:
        exists = path.exists()
        if exists and not overwrite:
            raise InputError(f"{path}: exists and is not replaced; give another name or allow overwriting")
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-", suffix=path.suffix)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, path.stat().st_mode & 0o777 if exists else 0o666 & ~_umask())
        if exists:
            shutil.copy2(path, path.with_name(path.name + ".bak"))
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
    return path


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
