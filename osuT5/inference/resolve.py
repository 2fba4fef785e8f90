"""From a request to resolved options: a value for every option, and where it is from.

An option that was not asked for takes the reference beatmap's value, then the model profile's, then its default; what
the song's file says and what follows from the star rating comes when the song is known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from osuT5.audio.song import Song
from osuT5.beatmap import Beatmap
from osuT5.errors import InputError, OptionErrors, suggestion
from osuT5.events import Conditions, ContextType, Profile, conditions_of
from osuT5.inference.inputs import reference_background
from osuT5.inference.options import InferenceOptions, Request, window_is_full
from osuT5.inference.postprocess import difficulty_name, difficulty_values, song_names
from osuT5.options import ASKED, DEFAULT
from osuT5.timing import timing_of

MANIA = 3
OBJECT_CONTEXTS = (ContextType.MAP, ContextType.GD, ContextType.NO_HS)

# old name in a profile -> the option
RENAMED = {"grid_habit": "prior_weight", "grid_hearing": "audio_weight", "grid_onsets": "onset_weight"}
# what no checkpoint may say: the user's files
NO_DEFAULTS = frozenset(
    {"audio_path", "beatmap_path", "output_path", "model_path", "lora_path", "profile", "background", "export_osz",
     "add_to_beatmap", "overwrite_reference_beatmap"}
)  # fmt: skip
# where a value may be from, besides "preset NAME"
REFERENCE, PROFILE, TAGS, SONG, RATING, UNSET = "reference", "profile", "tags", "song", "rating", "unset"


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
    """The final value of every option, as attributes, and where each is from.

    Attributes:
        values: option -> value; lists are tuples.
        origins: option -> "asked", "preset NAME", "reference", "tags", "profile", "rating", "song", "default", or
            "unset" for None.
    """

    values: Mapping[str, Any]
    origins: Mapping[str, str]

    def __reduce__(self) -> tuple:
        return _frozen, (dict(self.values), dict(self.origins))

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
        return self.with_origin(ASKED, **changes)

    def filled(self, origin: str, **values: Any) -> ResolvedOptions:
        """The same with values for options that have none yet."""
        new = {name: value for name, value in values.items() if self.values[name] is None and value is not None}
        return self.with_origin(origin, **new)

    def with_origin(self, origin: str, **changes: Any) -> ResolvedOptions:
        return _frozen({**self.values, **changes}, {**self.origins, **dict.fromkeys(changes, origin)})

    def is_asked(self, name: str) -> bool:
        """Whether the request or its preset gives the value."""
        return self.origins[name] == ASKED or self.origins[name].startswith("preset ")

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


def _frozen(values: Mapping[str, Any], origins: Mapping[str, str]) -> ResolvedOptions:
    return ResolvedOptions(MappingProxyType(dict(values)), MappingProxyType(dict(origins)))


def resolve_options(request: Request, profile: Profile, reference: Beatmap | None) -> ResolvedOptions:
    """Every option's value from, in falling order, request, reference beatmap, model profile and default.

    Raises: OptionErrors for a profile with unknown or impossible generation values.
    """
    origins = {name: request.origin(name) for name in request.keys()}
    asked = {name: request.get(name) for name, origin in origins.items() if origin != DEFAULT}
    if request.difficulties and "difficulty" not in asked:
        asked["difficulty"], origins["difficulty"] = request.difficulties[0], origins["difficulties"]
    from_reference: dict[str, Any] = {}
    if reference is not None:
        from_reference = reference_values(reference, profile)
        background = reference_background(request, reference)
        from_reference["background"] = None if background is None else str(background)
        if reference.mode == MANIA and asked.get("gamemode") not in (None, MANIA):
            del from_reference["circle_size"]  # its number of keys
    from_profile = generation_values(profile)
    values: dict[str, Any] = {}
    for name in request.keys():
        for origin, found in (
            (origins[name], asked),
            (REFERENCE, from_reference),
            (PROFILE, from_profile),
            (DEFAULT, {name: getattr(InferenceOptions.model_fields[name], "default", None)}),
        ):
            if found.get(name) not in (None, ""):
                values[name], origins[name] = found[name], origin
                break
        else:
            values[name], origins[name] = None, UNSET
    options = _frozen(values, origins)
    if options.gamemode == MANIA:
        return options
    return options.filled(RATING, circle_size=difficulty_values(options.gamemode, options.difficulty).cs)


def generation_values(profile: Profile) -> dict[str, Any]:
    """The profile's generation defaults, checked, under the names of today."""
    named = {RENAMED.get(k, k): v for k, v in profile.generation.items() if k not in NO_DEFAULTS}
    return InferenceOptions.checked(named, f"generation defaults of profile {profile.name}")


def resolve_for_song(options: ResolvedOptions, audio_path: Path, song: Song, profile: Profile) -> ResolvedOptions:
    """What was open until the song was known: names from its tags or its file name, values by star rating.

    Raises: OptionErrors when the range begins beyond the song.
    """
    if (options.start_time or 0) >= song.duration_ms:
        length = f"{song.duration_ms:.0f} ms"
        raise OptionErrors([f"start_time={options.start_time} lies beyond the song, which lasts {length}"])
    options = options.filled(TAGS, title=song.tags.title, artist=song.tags.artist)
    given = {name: options.values[name] for name in ("title", "artist", "title_unicode", "artist_unicode")}
    for name, value in vars(song_names(audio_path.stem, **given)).items():
        if value != given[name]:
            # the plain name is a romanisation, the other the name as it was given; a name nobody gave is the file's
            origin = options.origins[name.removesuffix("_unicode")]
            options = options.with_origin(SONG if origin == UNSET else origin, **{name: value})
    values = difficulty_values(
        options.gamemode, options.difficulty, keycount=options.keycount, song_length_ms=song.duration_ms,
        hp=options.hp_drain_rate, cs=options.circle_size, od=options.overall_difficulty, ar=options.approach_rate,
    )  # fmt: skip
    if not options.is_asked("version"):
        name = difficulty_name(options.version or profile.name, options.difficulty)
        options = options.with_origin(RATING, version=name)
    return options.filled(RATING, hp_drain_rate=values.hp, overall_difficulty=values.od, approach_rate=values.ar)


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
    full = window_is_full.says(options.lookback, options.lookahead)
    if full:
        problems.append(full)
    if problems:
        raise OptionErrors(problems)


def device_name(wanted: str) -> str:
    """The torch device to use. Raises InputError when the one that was asked for cannot be."""
    import torch

    if wanted == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    if not re.fullmatch(r"cpu|cuda(:\d+)?|mps(:\d+)?|xpu(:\d+)?", wanted):
        hint = suggestion(wanted, ("auto", "cpu", "cuda", "mps"))
        raise InputError(f"device={wanted!r} is unknown{hint}; use auto, cpu, cuda, cuda:N, mps or xpu")
    try:
        device = torch.device(wanted)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, ValueError) as error:
        raise InputError(f"device={wanted!r} cannot be used: {str(error).splitlines()[0]}; try device=auto") from error
    return str(device)
