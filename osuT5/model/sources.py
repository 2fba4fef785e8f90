"""Where a checkpoint is: a local folder, its `gamemode=<n>` sub-folder, or a repository on the model hub.

Facts: the published rules for sub-checkpoints. The hub is asked only for a source that is no local path and has the
form owner/name; "not there", "cannot be reached" and "failed" are different errors, so that a network fault never
changes which model is used.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from osuT5.errors import CheckpointError

_MODE_FOLDER = re.compile(r"gamemode=\d+")
_HUB_ID = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(?:/(?P<subfolder>[\w.=/-]+))?")
WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)


@dataclass(frozen=True)
class CheckpointSource:
    """A checkpoint's folder on this machine and the name of its sub-checkpoint ("" = root)."""

    folder: Path
    subfolder: str


def normalise_subfolder(name: str | None) -> str:
    """Trimmed, forward slashes, no slashes at the ends; "" is the root."""
    return (name or "").strip().replace("\\", "/").strip("/")


def subfolder_name(path: str, hub: bool, explicit: str | None = None) -> str:
    """Name of the sub-checkpoint that `path` stands for.

    A hub id is one in any component of its path; a local folder only in its last one.
    """
    if explicit is not None and normalise_subfolder(explicit):
        return normalise_subfolder(explicit)
    parts = normalise_subfolder(path).split("/")
    candidates = parts if hub else parts[-1:]
    return next((part for part in candidates if _MODE_FOLDER.fullmatch(part)), "")


def is_missing_folder(source: str) -> bool:
    """Whether a source is a folder that is not there, and no hub id either."""
    folder = Path(source).expanduser()
    if folder.is_dir():
        return False
    return (
        _HUB_ID.fullmatch(normalise_subfolder(source)) is None
        or folder.is_absolute()
        or folder.exists()
        or Path(folder.parts[0]).is_dir()
    )


def resolve_source(
    source: str | Path, gamemode: int | None = None, auto_select_gamemode: bool = True, revision: str | None = None
) -> CheckpointSource:
    """Finds a checkpoint, downloading it only when `source` is a hub id.

    Args:
        source: a folder, or owner/name with an optional sub-folder.
        gamemode: with `auto_select_gamemode`, a complete sub-checkpoint `gamemode=<n>` takes the root's place.
        revision: branch, tag or commit on the hub.

    Raises:
        CheckpointError: nothing there, hub unreachable, or download failed.
    """
    text = str(source)
    if not text:
        raise CheckpointError("the model path is empty; give a folder or a hub id such as owner/name")
    wanted = f"gamemode={gamemode}" if gamemode is not None and auto_select_gamemode else None
    folder = Path(source).expanduser()
    if folder.is_dir():
        if wanted and (folder / wanted).is_dir():
            return CheckpointSource(folder / wanted, wanted)
        return CheckpointSource(folder, subfolder_name(str(folder.resolve()), hub=False))
    match = _HUB_ID.fullmatch(normalise_subfolder(text))
    if match is None or is_missing_folder(text):
        raise CheckpointError(f"{text}: there is no such model folder")
    repo, subfolder = match["repo"], normalise_subfolder(match["subfolder"])
    if wanted and not subfolder and fetch(repo, f"{wanted}/tokenizer.json", revision, required=False):
        subfolder = wanted
    return CheckpointSource(_download(repo, subfolder, revision), subfolder_name(text, hub=True, explicit=subfolder))


def _download(repo: str, subfolder: str, revision: str | None) -> Path:
    prefix = f"{subfolder}/" if subfolder else ""
    config = fetch(repo, f"{prefix}config.json", revision)
    fetch(repo, f"{prefix}tokenizer.json", revision)
    for name in ("generation_config.json", "profile.json"):
        fetch(repo, prefix + name, revision, required=False)
    for name in WEIGHT_FILES:
        found = fetch(repo, prefix + name, revision, required=False)
        if found is not None:
            for shard in shard_names(found):
                fetch(repo, prefix + shard, revision)
            return config.parent
    raise CheckpointError(f"{repo}: the repository holds no weights ({', '.join(WEIGHT_FILES)})")


def shard_names(path: Path) -> list[str]:
    """Weight files beside `path` that an index names, in order; `path` itself when it is no index."""
    if path.name.endswith(".index.json"):
        try:
            names = json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise CheckpointError(f"{path}: cannot be read as an index of weights: {error!r}") from error
        names = list(dict.fromkeys(names))
        if any("/" in name or "\\" in name or name.startswith("..") for name in names):
            raise CheckpointError(f"{path}: it names weight files outside its folder")
        return names
    return [path.name]


def fetch(repo: str, name: str, revision: str | None = None, required: bool = True) -> Path | None:
    """One file of a hub repository, from the cache or the network; None if it is not there and not required.

    Raises CheckpointError saying whether the repository is missing, the hub cannot be reached, or the fetch failed.
    """
    from huggingface_hub import _CACHED_NO_EXIST, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        return Path(hf_hub_download(repo, name, revision=revision))
    except LocalEntryNotFoundError as error:
        known_missing = try_to_load_from_cache(repo, name, revision=revision) is _CACHED_NO_EXIST
        if known_missing and not required:
            return None
        raise CheckpointError(
            f"{repo}: {name} is not in the local cache and the model hub cannot be reached; "
            "go online once, or give a local folder"
        ) from error
    except RepositoryNotFoundError as error:
        raise CheckpointError(
            f"{repo}: no such local folder, and no such repository on the model hub (or it is private)"
        ) from error
    except EntryNotFoundError as error:
        if not required:
            return None
        raise CheckpointError(f"{repo}: the repository has no {name}") from error
    except Exception as error:  # network errors come from whichever HTTP client the hub library uses
        raise CheckpointError(f"{repo}: fetching {name} from the model hub failed: {error}") from error
