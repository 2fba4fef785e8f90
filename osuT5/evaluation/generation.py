"""Maps to measure: generated one by one into a folder, and not a second time when they lie there already.

Each map has a folder of its own, `<out>/maps/<song>/<stars>-<seed>/`, with the `.osu` and `generation.json`: the
settings, the model's fingerprint and what generation said. A map made with other settings is made anew.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from osuT5.errors import MapperatorinatorError, RejectedMap
from osuT5.evaluation.songs import EvaluationSong
from osuT5.inference import Request, generate
from osuT5.inference.inputs import EMBEDDED_MODEL, read_inputs
from osuT5.inference.pipeline import ATTEMPTS, open_model
from osuT5.model import Mapperatorinator

RECORD = "generation.json"


@dataclass(frozen=True)
class Settings:
    """What is asked of the model for every map. `options`: further options of a generation request."""

    model_path: str | None
    gamemode: int
    device: str | None
    precision: str | None
    options: Mapping[str, Any]

    def request(self, song: EvaluationSong, folder: Path, difficulty: float, seed: int) -> Request:
        """Raises OptionErrors for options that generation does not know."""
        return Request(
            **{
                **self.options,
                "model_path": self.model_path,
                "gamemode": self.gamemode,
                "device": self.device,
                "precision": self.precision,
                "audio_path": str(song.audio),
                "title": song.title,
                "artist": song.artist,
                "output_path": str(folder),
                "difficulty": difficulty,
                "seed": seed,
                "export_osz": False,
            }
        )


@dataclass(frozen=True)
class Generated:
    """One generated map and how it came about.

    Attributes:
        path: the .osu; of a refused map its last attempt; None when there is not even that.
        attempts: how many it took; a refused map used up all.
        passed: through the gate, without a blocking finding.
        seconds: of the whole generation, the model being loaded already.
        findings: code -> how often, mended ones included.
        error: why there is no map.
    """

    path: Path | None
    attempts: int
    passed: bool
    seconds: float
    findings: dict[str, int] = field(default_factory=dict)
    error: str = ""

    @property
    def passed_at_once(self) -> bool:
        return self.passed and self.attempts == 1


class Generator:
    """Makes maps with one model, which is loaded when the first map is really needed."""

    def __init__(self, settings: Settings, out: Path):
        self.settings, self.out = settings, out
        self._model: Mapperatorinator | None = None

    def map_of(self, song: EvaluationSong, difficulty: float, seed: int) -> tuple[Generated, bool]:
        """(the map, whether it was made just now).

        Raises what a model that cannot be loaded or a wrong option raises; a song that fails is recorded.
        """
        folder = self.out / "maps" / song.name / f"{difficulty:g}-{seed}"
        wanted = self._identity(song, difficulty, seed)
        kept = _kept(folder, wanted)
        if kept is not None:
            return kept, False
        shutil.rmtree(folder, ignore_errors=True)
        request = self.settings.request(song, folder, difficulty, seed)
        if self._model is None:
            self._model = open_model(read_inputs(request))
        made = self._generate(request, folder)
        _keep(folder, wanted, made)
        return made, True

    def _generate(self, request: Request, folder: Path) -> Generated:
        began = perf_counter()
        try:
            result = generate(request, model=self._model)
        except RejectedMap as refused:
            paths = sorted(folder.glob("*.rejected.osu"))
            last = paths[0] if paths else None
            return Generated(last, ATTEMPTS, False, perf_counter() - began, error=str(refused))
        except MapperatorinatorError as error:
            return Generated(None, 1, False, perf_counter() - began, error=str(error))
        codes: dict[str, int] = {}
        for finding in result.findings:
            codes[finding.code] = codes.get(finding.code, 0) + 1
        passed = not any(f.blocking for f in result.findings)
        stats = result.stats
        return Generated(result.paths[0], int(stats["attempts"]), passed, float(stats["seconds"]), codes)

    def _identity(self, song: EvaluationSong, difficulty: float, seed: int) -> dict[str, Any]:
        """What a map depends on, as far as it can be told without loading the model."""
        settings = {**asdict(self.settings), "options": dict(self.settings.options)}
        audio = song.audio.stat()
        return {
            "settings": settings,
            "difficulty": float(difficulty),
            "seed": seed,
            "audio_bytes": audio.st_size,
            "weights": _fingerprint(self.settings.model_path),
        }


def _fingerprint(model_path: str | None) -> list[list[Any]]:
    """Name, size and time of the weight files of a local model; nothing for one that is known by name."""
    folder = Path(model_path).expanduser() if model_path else EMBEDDED_MODEL
    files = sorted(p for p in folder.rglob("*") if p.suffix in (".safetensors", ".bin")) if folder.is_dir() else []
    return [[p.name, p.stat().st_size, p.stat().st_mtime_ns] for p in files]


def _kept(folder: Path, wanted: dict[str, Any]) -> Generated | None:
    """A map made before under the same settings, if it is whole."""
    try:
        record = json.loads((folder / RECORD).read_text("utf-8"))
        if record["identity"] != wanted:
            return None
        row = record["generated"]
        path = folder / row.pop("file") if row["file"] else row.pop("file")
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None if path is not None and not path.is_file() else Generated(path=path, **row)


def _keep(folder: Path, identity: dict[str, Any], made: Generated) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    row = asdict(made)
    path = row.pop("path")
    record = {"identity": identity, "generated": {"file": path.name if path else None, **row}}
    partial = folder / (RECORD + ".partial")
    partial.write_text(json.dumps(record, indent=1), "utf-8")
    os.replace(partial, folder / RECORD)
