"""From a request to resolved options: paths that exist, a reference that reads, a value for every option.

An option left open takes the reference beatmap's value, then the model profile's, then the general default. Everything
that can be wrong is checked here, before a model is loaded; all mistakes are named together.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from osuT5.beatmap import Beatmap, read
from osuT5.errors import BeatmapError, InputError, OptionErrors
from osuT5.events import Conditions, ContextType, Profile, conditions_of
from osuT5.inference.postprocess import difficulty_values
from osuT5.inference.request import LARGEST_SEED, Request
from osuT5.timing import timing_of

AUDIO_SUFFIXES = (".mp3", ".wav", ".ogg", ".opus", ".oga", ".m4a", ".mp4", ".aac", ".wma", ".flac", ".webm")
MANIA = 3
OBJECT_CONTEXTS = (ContextType.MAP, ContextType.GD, ContextType.NO_HS)
EMBEDDED_MODEL = Path(__file__).resolve().parents[2] / "models" / "mini"

# Values where neither request, reference nor profile says anything.
DEFAULTS: dict[str, Any] = {
    "gamemode": 0,
    "hitsounded": True,
    "keycount": 4,
    "slider_multiplier": 1.4,
    "slider_tick_rate": 1.0,
    "bpm": 120.0,
    "offset": 0.0,
    "creator": "Mapperatorinator",
    "timing": "model",
    "export_osz": True,
    "do_sample": True,
    "temperature": 0.9,
    "timing_temperature": 0.1,
    "mania_column_temperature": 0.8,
    "taiko_hit_temperature": 0.8,
    "timeshift_bias": 0.0,
    "top_p": 0.9,
    "top_k": 0,
    "cfg_scale": 1.0,
    "lookback": 0.5,
    "lookahead": 0.4,
    "max_batch_size": 8,
    "resnap_events": True,
    "grid_times": False,
    "end_penalty": 0.0,
    "grid_habit": 1.0,
    "grid_hearing": 1.0,
    "grid_onsets": 1.0,
    "device": "auto",
    "precision": "fp32",
    "in_context": [],
    "output_type": ["TIMING", "KIAI", "MAP", "SV"],
}


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
        background = _reference_background(request, reference)
    if problems:
        raise OptionErrors(problems)
    assert audio_path is not None and folder is not None
    seed = request.seed if request.seed is not None else random.SystemRandom().randint(0, LARGEST_SEED)
    return Inputs(request, audio_path, folder, reference, background, request.model_path or str(EMBEDDED_MODEL), seed)


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


def _reference_background(request: Request, reference: Beatmap | None) -> Path | None:
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


def reference_values(reference: Beatmap, profile: Profile) -> dict[str, Any]:
    """What a reference beatmap says about the options; its tempo is that of the first red line."""
    found = conditions_of(reference, profile)
    line = next(iter(timing_of(reference)), None)
    return {
        "gamemode": found.gamemode,
        "difficulty": found.difficulty,
        "hitsounded": found.hitsounded,
        "keycount": found.keycount,
        "hold_note_ratio": found.hold_note_ratio,
        "scroll_speed_ratio": found.scroll_speed_ratio,
        "hp_drain_rate": reference.hp,
        "circle_size": reference.cs,
        "overall_difficulty": reference.od,
        "approach_rate": reference.ar,
        "slider_multiplier": reference.slider_multiplier,
        "slider_tick_rate": reference.tick_rate,
        "title": reference.title,
        "title_unicode": reference.title_unicode,
        "artist": reference.artist,
        "artist_unicode": reference.artist_unicode,
        "source": reference.metadata.get("Source"),
        "preview_time": reference.preview_time,
        "bpm": None if line is None else line.bpm,
        "offset": None if line is None else round(line.time),
    }


@dataclass(frozen=True)
class ResolvedOptions:
    """The final value of every option, as attributes, and where each comes from.

    Attributes:
        values: option -> value.
        sources: option -> "request", "beatmap", "profile", "default", or "unset" for None.
    """

    values: Mapping[str, Any]
    sources: Mapping[str, str]

    def __reduce__(self) -> tuple:
        return _frozen, (dict(self.values), dict(self.sources))

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["values"][name]
        except KeyError:
            raise AttributeError(name) from None

    def replace(self, **changes: Any) -> ResolvedOptions:
        """The same with other values of some options."""
        unknown = changes.keys() - self.values.keys()
        if unknown:
            raise TypeError(f"no such option: {', '.join(sorted(unknown))}")
        return _frozen({**self.values, **changes}, {**self.sources, **dict.fromkeys(changes, "request")})

    @property
    def contexts(self) -> list[ContextType]:
        """in_context without NONE."""
        return [ContextType[c] for c in self.in_context if c != "NONE"]

    @property
    def outputs(self) -> list[ContextType]:
        return [ContextType[c] for c in self.output_type]

    @property
    def guidance(self) -> float:
        """Scale of classifier-free guidance; 1 and below is off."""
        return max(self.cfg_scale, 1.0)

    @property
    def is_whole_map(self) -> bool:
        """Whether the output is a whole map (a part alone cannot satisfy the rules for maps)."""
        return self.start_time is None and self.end_time is None or self.add_to_beatmap

    def conditions(self, song_length_ms: float) -> Conditions:
        """What the prompt says of the map to write."""
        return Conditions(
            gamemode=self.gamemode,
            difficulty=self.difficulty,
            mapper_id=self.mapper_id,
            beatmap_id=self.beatmap_id,
            year=self.year,
            hitsounded=self.hitsounded,
            slider_multiplier=self.slider_multiplier,
            circle_size=self.circle_size,
            keycount=self.keycount,
            hold_note_ratio=self.hold_note_ratio,
            scroll_speed_ratio=self.scroll_speed_ratio,
            descriptors=self.descriptors,
            song_length_ms=song_length_ms,
        )


def _frozen(values: Mapping[str, Any], sources: Mapping[str, str]) -> ResolvedOptions:
    """With lists of their own: a profile's must not change with them."""
    own = {name: list(value) if isinstance(value, list) else value for name, value in values.items()}
    return ResolvedOptions(MappingProxyType(own), MappingProxyType(dict(sources)))


def resolve_options(request: Request, profile: Profile, reference: Beatmap | None) -> ResolvedOptions:
    """Every option's value from, in falling order, request, reference beatmap, model profile and general default."""
    wanted = {f.name: getattr(request, f.name) for f in fields(request)}
    plain = {f.name: f.default for f in fields(request)}
    if request.difficulties and request.difficulty is None:
        wanted["difficulty"] = request.difficulties[0]
    from_beatmap: dict[str, Any] = {}
    if reference is not None:
        from_beatmap = reference_values(reference, profile)
        background = _reference_background(request, reference)
        from_beatmap["background"] = None if background is None else str(background)
        if reference.mode == MANIA and request.gamemode not in (None, MANIA):
            del from_beatmap["circle_size"]  # its number of keys
    places = {
        "request": wanted,
        "beatmap": from_beatmap,
        "profile": profile.generation,
        "default": DEFAULTS,
    }
    # the profiles say whether the older system wrote an .osz by default; here it is one unless asked otherwise
    places["profile"] = {k: v for k, v in places["profile"].items() if k != "export_osz"}
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for name in wanted:
        source = next((s for s, options in places.items() if options.get(name) not in (None, "")), None)
        values[name] = None if source is None else places[source][name]
        untouched = source == "request" and values[name] == plain[name]  # the request's own default
        sources[name] = "default" if untouched else source or "unset"
    if values["circle_size"] is None and values["gamemode"] != MANIA:
        values["circle_size"] = difficulty_values(values["gamemode"], values["difficulty"]).cs
        sources["circle_size"] = "default"
    return _frozen(values, sources)


def check_against_model(options: ResolvedOptions, profile: Profile, reference: Beatmap | None = None) -> None:
    """Raises OptionErrors naming every option that the chosen model or the reference beatmap's mode cannot serve."""
    problems = []
    if reference is not None:
        mode = int(reference.mode)
        read = [c.name for c in options.contexts if c in OBJECT_CONTEXTS]
        if read and mode not in profile.gamemodes:
            problems.append(
                f"in_context=[{','.join(read)}]: the reference beatmap is of mode {mode}, "
                f"which {profile.name} was not trained for"
            )
        if options.add_to_beatmap and mode != options.gamemode:
            problems.append(
                f"add_to_beatmap: the reference beatmap is of mode {mode}, objects of gamemode={options.gamemode} "
                "cannot be put into it"
            )
    if options.gamemode not in profile.gamemodes:
        modes = ", ".join(str(m) for m in profile.gamemodes)
        problems.append(f"gamemode={options.gamemode}: {profile.name} was trained for {modes} only")
    if options.lookback + options.lookahead >= 0.995:
        problems.append(
            f"lookback={options.lookback:g} and lookahead={options.lookahead:g} leave nothing to write: "
            "keep the sum below 1"
        )
    if problems:
        raise OptionErrors(problems)


def device_name(wanted: str) -> str:
    """The torch device to use. Raises InputError when the one that was asked for cannot be."""
    import torch

    if wanted == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(wanted)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, ValueError) as error:
        raise InputError(f"device={wanted!r} cannot be used: {str(error).splitlines()[0]}; try device=auto") from error
    return str(device)
