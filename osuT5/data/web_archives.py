"""The archives of the web data set: in a folder, or in a data set repository of the model hub.

Archives are sorted by name, and `start` and `end` are places among them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from osuT5.data.catalogue import MapFilter
from osuT5.data.sets import MapSet
from osuT5.data.web_tar import tar_sets
from osuT5.errors import InputError

SUBSET = "compressed"


@dataclass(frozen=True)
class HubArchive:
    """An archive in a data set repository."""

    repository: str
    name: str
    revision: str

    def fetch(self, folder: Path | None = None) -> Path:
        """Its file in `folder`, or in the hub's cache. Raises InputError."""
        from huggingface_hub import hf_hub_download

        where = {"repo_type": "dataset", "revision": self.revision, "local_dir": folder}
        try:
            return Path(hf_hub_download(self.repository, self.name, **where))
        except Exception as error:  # network errors come from whichever HTTP client the hub library uses
            raise InputError(f"{self.repository}: fetching {self.name} from the model hub failed: {error}") from error


Archive = Path | HubArchive


@contextmanager
def borrowed(archive: Archive) -> Iterator[Path]:
    """The archive's file; one of a repository is fetched, and removed afterwards. Raises InputError."""
    if isinstance(archive, Path):
        yield archive
        return
    with TemporaryDirectory(prefix="web-archive-", ignore_cleanup_errors=True) as folder:
        yield archive.fetch(Path(folder))


def list_archives(
    source: str | Path, subset: str | None = None, start: int | None = None, end: int | None = None
) -> list[Archive]:
    """The archives of a folder or of a repository (`owner/name`), sorted by name, places [start, end) of them.

    Args:
        subset: the folder in which they lie; None: "compressed" where there is one.
    Raises:
        InputError: there are none, or the places are no part of them.
    """
    folder = Path(source).expanduser()
    found = _local(folder, subset) if folder.exists() else _on_hub(str(source), subset or SUBSET)
    if not found:
        raise InputError(f"{source}: holds no .tar archive of the web data set; check the path and the subset")
    first, last = start or 0, len(found) if end is None else end
    if not 0 <= first < last <= len(found):
        raise InputError(
            f"archives {first}..{last} of {source} are asked for, but it has {len(found)}; "
            f"choose 0 <= start < end <= {len(found)}"
        )
    return found[first:last]


def _local(folder: Path, subset: str | None) -> list[Archive]:
    if folder.is_file():
        return [folder]
    within = folder / (subset or SUBSET)
    return sorted((within if subset or within.is_dir() else folder).glob("*.tar"))


def _on_hub(repository: str, subset: str) -> list[Archive]:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError

    try:
        info = HfApi().dataset_info(repository)
    except (HFValidationError, RepositoryNotFoundError) as error:
        raise InputError(
            f"{repository}: no such local folder, and no such data set repository on the model hub (or it is private)"
        ) from error
    except Exception as error:  # network errors come from whichever HTTP client the hub library uses
        raise InputError(
            f"{repository}: no such local folder, and the model hub cannot be reached ({error}); go online, or give a "
            "folder of .tar archives"
        ) from error
    names = sorted(file.rfilename for file in info.siblings or ())
    return [HubArchive(repository, n, info.sha) for n in names if n.startswith(f"{subset}/") and n.endswith(".tar")]


def web_sets(
    source: str | Path,
    chosen: MapFilter | None = None,
    *,
    subset: str | None = None,
    start: int | None = None,
    end: int | None = None,
    styles: Mapping[int, int] | None = None,
    sample_rate: int = 16000,
    resampler: str = "band_limited",
) -> list[MapSet]:
    """All sets of some archives of which a map passes the filter; archives of a repository go to the hub's cache.

    Compiling first (`compile`) reads faster and needs no more than one archive at a time. Raises InputError.
    """
    sets = []
    for archive in list_archives(source, subset, start, end):
        path = archive if isinstance(archive, Path) else archive.fetch()
        sets += tar_sets(path, chosen, styles, sample_rate, resampler)
    return sets
