"""What a request names on disk: paths that exist, a song with a fitting name, a reference beatmap that reads.

All mistakes are named together, before anything is loaded.
"""

from __future__ import annotations

import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

from osuT5.beatmap import Beatmap, read
from osuT5.bundled import bundled
from osuT5.errors import BeatmapError, OptionErrors
from osuT5.inference.options import LARGEST_SEED, Request
from osuT5.options import DEFAULT

AUDIO_SUFFIXES = (".mp3", ".wav", ".ogg", ".opus", ".oga", ".m4a", ".mp4", ".aac", ".wma", ".flac", ".webm")
EMBEDDED_MODEL = bundled("models/mini")


@dataclass(frozen=True)
class Inputs:
    """What a request names on disk, read and checked."""

    request: Request
    audio_path: Path
    output_folder: Path
    reference: Beatmap | None
    background: Path | None
    model_source: str
    seed: int

    @property
    def gamemode(self) -> int:
        """The mode whose sub-checkpoint is taken."""
        if self.reference is not None and self.request.origin("gamemode") == DEFAULT:
            return int(self.reference.mode)
        return self.request.gamemode


def read_inputs(request: Request) -> Inputs:
    """Checks paths and reads the reference beatmap.

    Raises:
        OptionErrors: naming every path that is wrong.
    """
    problems: list[str] = []
    reference, reference_path = None, None
    if request.beatmap_path:
        reference_path = Path(request.beatmap_path).expanduser()
        reference = _read_reference(reference_path, problems)
    audio_path = _audio_path(request, reference, reference_path, problems)
    folder = _output_folder(request, audio_path, reference_path, problems)
    if request.background:
        background = Path(request.background).expanduser()
        if not background.is_file():
            problems.append(f"background: no such file: {request.background}")
    else:
        background = reference_background(request, reference)
    source = _model_source(request.model_path, problems)
    if problems:
        raise OptionErrors(problems)
    assert audio_path is not None and folder is not None
    seed = request.seed if request.seed is not None else random.SystemRandom().randint(0, LARGEST_SEED)
    return Inputs(request, audio_path, folder, reference, background, source, seed)


def _model_source(model_path: str | None, problems: list[str]) -> str:
    """Folder or hub id; `models/NAME` of a bundled model is found from every folder."""
    if not model_path:
        return str(EMBEDDED_MODEL)
    parts = Path(model_path).parts
    if len(parts) != 2 or parts[0] != "models" or Path(model_path).exists():
        return model_path
    if not bundled(model_path).is_dir():
        problems.append(f"model_path: there is no folder {model_path}; the bundled model is models/mini")
    return str(bundled(model_path))


def _read_reference(path: Path, problems: list[str]) -> Beatmap | None:
    if not path.is_file():
        problems.append(f"beatmap_path: no such file: {path}")
    elif path.suffix.lower() != ".osu":
        problems.append(f"beatmap_path: {path.name} is not an .osu file")
    else:
        try:
            return read(path)
        except BeatmapError as error:
            problems.append(f"beatmap_path: {error}")
    return None


def _audio_path(
    request: Request, reference: Beatmap | None, reference_path: Path | None, problems: list[str]
) -> Path | None:
    if request.audio_path:
        path = Path(request.audio_path).expanduser()
    elif reference is not None and reference_path is not None:
        if not reference.audio_filename:
            problems.append("audio_path is missing, and the reference beatmap names no audio")
            return None
        path = reference_path.parent / reference.audio_filename
    else:
        if not request.beatmap_path:
            problems.append("audio_path is missing: name the song to map, e.g. audio_path=song.mp3")
        return None
    if path.is_dir():
        problems.append(f"audio_path: {path} is a folder, not a song")
    elif not path.is_file():
        problems.append(f"audio_path: no such file: {path}")
    elif path.suffix.lower() not in AUDIO_SUFFIXES:
        problems.append(f"audio_path: {path.name} is not one of {', '.join(s[1:] for s in AUDIO_SUFFIXES)}")
    else:
        return path
    return None


def _output_folder(
    request: Request, audio_path: Path | None, reference_path: Path | None, problems: list[str]
) -> Path | None:
    if request.output_path:
        folder = Path(request.output_path).expanduser()
    elif reference_path is not None:
        folder = reference_path.parent
    elif audio_path is not None:
        folder = audio_path.parent
    else:
        return None
    problem = unwritable(folder)
    if problem:
        problems.append(f"output_path: {problem}; choose another with output_path=")
    return folder


def reference_background(request: Request, reference: Beatmap | None) -> Path | None:
    """The picture that the reference beatmap names, if it lies in the beatmap's folder."""
    if reference is None or not reference.background_filename or not request.beatmap_path:
        return None
    folder = Path(request.beatmap_path).expanduser().parent
    path = folder / reference.background_filename
    return path if path.is_file() and path.resolve().is_relative_to(folder.resolve()) else None


def unwritable(folder: Path) -> str | None:
    """Why nothing can be written into a folder that may not exist yet; None if it can."""
    nearest = folder
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        return f"{nearest} is not a folder"
    try:
        with tempfile.TemporaryFile(dir=nearest):
            return None
    except OSError as error:
        return f"{nearest} cannot be written to ({error.strerror or error})"
