"""What is settled before weights load: the profile, the options under it, the contexts to write, the song."""

from __future__ import annotations

from pathlib import Path

from osuT5 import audio
from osuT5.errors import InputError
from osuT5.events import Profile, load_profile
from osuT5.inference.audio_facts import check_song
from osuT5.inference.inputs import Inputs, read_inputs
from osuT5.inference.options import Request
from osuT5.inference.resolve import ResolvedOptions, check_against_model, resolve_for_song, resolve_options
from osuT5.inference.templates import Task, choose_task
from osuT5.model.profile_match import find_profile
from osuT5.model.sources import resolve_source


def plan_map(inputs: Inputs, profile: Profile) -> tuple[ResolvedOptions, Task]:
    """The options under a profile, and which contexts it writes. Raises OptionErrors for what it cannot serve."""
    options = resolve_options(inputs.request, profile, inputs.reference)
    check_against_model(options, profile, inputs.reference)
    return options, choose_task(profile, options.contexts, options.outputs, options.gamemode)


def profile_before_loading(inputs: Inputs) -> Profile | None:
    """The profile of the model that a request names; None where a repository of the hub may hold its own.

    Raises: OptionErrors for what the profile that the request names cannot serve, whatever the repository holds.
    """
    request, folder = inputs.request, Path(inputs.model_source).expanduser()
    if folder.is_dir():
        found = resolve_source(folder, inputs.gamemode, request.auto_select_gamemode_model)
        return find_profile(found.folder, request.profile)
    if request.profile is not None:
        plan_map(inputs, load_profile(request.profile))
    return None


def open_song(path: Path, profile: Profile) -> audio.Song:
    """The song at the model's sample rate. Raises AudioError for a file that cannot be read, is too short or silent."""
    song = audio.load(path, sample_rate=profile.sample_rate, resampler=profile.model.get("resampler", "published"))
    check_song(song, path)
    return song


def check_request(request: Request) -> None:
    """Raises what is wrong with a request, as far as that is known before song and model are read."""
    inputs = read_inputs(request)
    profile = profile_before_loading(inputs)
    if profile is not None:
        plan_map(inputs, profile)


def explained_options(request: Request) -> ResolvedOptions:
    """The final options of a request; no weights are loaded."""
    inputs = read_inputs(request)
    profile = profile_before_loading(inputs)
    if profile is None:  # of a repository that was not asked
        if request.profile is None:
            raise InputError(f"{inputs.model_source}: name its profile, or a local folder, to see the options")
        profile = load_profile(request.profile)
    options, _ = plan_map(inputs, profile)
    return resolve_for_song(options, inputs.audio_path, open_song(inputs.audio_path, profile), profile)
