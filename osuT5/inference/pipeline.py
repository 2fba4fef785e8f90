"""Generation, the whole of it on one page. Each line is a call into a file whose name tells what it does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from osuT5 import audio
from osuT5.beatmap import Beatmap, TimingPoint, merge_range
from osuT5.beatmap.verify import Finding, gate
from osuT5.errors import InputError, RejectedMap
from osuT5.events import ContextType, EventSequence, merge
from osuT5.inference import output
from osuT5.inference.audio_facts import audio_facts
from osuT5.inference.inputs import Inputs, read_inputs
from osuT5.inference.map_settings import background_file, map_settings
from osuT5.inference.notices import by_kind, ignored_by_given_model, ignored_options, repairs
from osuT5.inference.options import Request
from osuT5.inference.plan import open_song, plan_map, profile_before_loading
from osuT5.inference.postprocess import build, place, unpack_positions
from osuT5.inference.progress import CancelToken, Notice, OnProgress, Restart, Stage, silent
from osuT5.inference.red_lines import find_red_lines
from osuT5.inference.resolve import ResolvedOptions, device_name, resolve_for_song
from osuT5.inference.session import SongSession
from osuT5.inference.song_loop import LoopStats, SongLoop
from osuT5.inference.track import MapTask, Track, open_track, trim_range
from osuT5.model import Mapperatorinator, load_model
from osuT5.timing import fit_timing

ATTEMPTS = 3


@dataclass
class Result:
    """What came of a request: the files, the maps in them, what verification found and mended, and some numbers."""

    paths: list[Path]
    beatmaps: list[Beatmap]
    findings: list[Finding]
    seed: int
    stats: dict[str, float] = field(default_factory=dict)


def generate(
    request: Request,
    on_progress: OnProgress | None = None,
    model: Mapperatorinator | None = None,
    *,
    session: SongSession | None = None,
    save: bool = True,
    cancel: CancelToken | None = None,
) -> Result:
    """Turns a song into a beatmap and saves it.

    Args:
        on_progress: receives the events of `progress`.
        model: a loaded model, to spare loading it for every song; else `request.model_path` or the embedded one.
        session: an open session of this song, to spare hearing it again; brings its own model.
        save: False makes the map and writes no file.
        cancel: ends the work from elsewhere.
    Raises:
        OptionErrors, InputError, AudioError, BeatmapError, CheckpointError: what the user can mend.
        RejectedMap: no attempt passed the gate; with `save` the last one lies beside the output as `*.rejected.osu`.
        Cancelled: by `cancel`.
    """
    report, cancel = on_progress or silent, cancel or CancelToken()
    began = time.perf_counter()
    inputs = read_inputs(request)
    notify(report, request.ignored())
    if session is not None:
        if model is not None and model is not session.model:
            raise InputError("a model and a session of another model were given; give one of them")
        model = session.model
    if model is not None:
        notify(report, ignored_by_given_model(request, model))
    profile = model.profile if model is not None else profile_before_loading(inputs)
    if profile is None:  # known when the checkpoint has been fetched
        model = open_model(inputs, report)
        profile = model.profile
    options, task = plan_map(inputs, profile)
    if model is None:
        device_name(request.device)  # said before the song is read
    if session is None:
        report(Stage("audio", inputs.audio_path.name))
        song = open_song(inputs.audio_path, profile)
    else:
        song = session.song
    options = resolve_for_song(options, inputs.audio_path, song, profile)
    if model is None:
        model = open_model(inputs, report)
    if session is None:
        session = SongSession(song, model, options.max_batch_size, inputs.audio_path)
    elif session.audio_path is not None and session.audio_path.resolve() != inputs.audio_path.resolve():
        raise InputError(f"the session is of {session.audio_path}, the request is for {inputs.audio_path}")
    notify(report, ignored_options(options, model.profile, model.vocabulary))
    try:
        result = make_maps(session, [MapTask(inputs, options, task)], report, cancel)
    except RejectedMap as rejected:
        if not save:
            raise
        cancel.check()
        path = output.write_rejected(rejected.text, rejected.beatmap, rejected.reasons, inputs.output_folder)
        raise RejectedMap(
            f"{rejected}; the last attempt is kept as {path}",
            reasons=rejected.reasons,
            beatmap=rejected.beatmap,
            text=rejected.text,
        ) from None
    cancel.check()
    if save:
        report(Stage("write"))
        cancel.check()
        result.paths = save_maps(inputs, options, result.beatmaps, session.song)
    result.stats["seconds"] = time.perf_counter() - began
    return result


def open_model(inputs: Inputs, on_progress: OnProgress = silent) -> Mapperatorinator:
    """Loads the model that a request names."""
    request = inputs.request
    on_progress(Stage("model", inputs.model_source))
    model = load_model(
        inputs.model_source,
        device=device_name(request.device),
        precision=request.precision,
        gamemode=inputs.gamemode,
        profile=request.profile,
        lora_path=request.lora_path,
        auto_select_gamemode=request.auto_select_gamemode_model,
    )
    notify(on_progress, model.notices)
    if request.profile not in (None, model.profile.name):
        own = model.profile.name
        notify(on_progress, [f"profile={request.profile}: ignored, the model carries its own profile, {own}"])
    return model


def open_session(audio_path: str | Path, model: Mapperatorinator, encoder_batch: int = 8) -> SongSession:
    """A session of a song file with a model; `generate(request, session=…)` uses it.

    Args:
        encoder_batch: windows encoded at once.
    Raises: AudioError for a file that cannot be read, is too short or silent.
    """
    path = Path(audio_path).expanduser()
    return SongSession(open_song(path, model.profile), model, encoder_batch, path)


def make_maps(session: SongSession, tasks: Sequence[MapTask], on_progress: OnProgress, cancel: CancelToken) -> Result:
    """Makes the maps of a session, all together; those that the gate rejects again, up to `ATTEMPTS` times.

    Args:
        tasks: of one reference and one plan of windows, with the same stages.
    Raises:
        RejectedMap: for the first map whose attempts are used up.
    """
    with session.lock:
        return _make_maps(session, tasks, on_progress, cancel)


def _make_maps(session: SongSession, tasks: Sequence[MapTask], on_progress: OnProgress, cancel: CancelToken) -> Result:
    stats = LoopStats()
    plan = session.plan(tasks[0].options)
    cancel.check()
    session.measure_threads()
    timing = find_red_lines(session, tasks[0], on_progress, cancel, stats)
    maps: list[Beatmap | None] = [None] * len(tasks)
    findings: list[Finding] = []
    waiting = list(range(len(tasks)))
    for attempt in range(ATTEMPTS):
        cancel.check()
        tracks = [open_track(session, tasks[n], (attempt, n), timing) for n in waiting]
        loop = SongLoop(session, plan, tracks, on_progress, cancel, stats)
        loop.run(c for c in tasks[0].task.wanted if c not in tracks[0].given)
        rejected = {}
        for number, track in zip(waiting, tracks, strict=True):
            task = tasks[number]
            beatmap = build_map(session, task, track, timing, on_progress)
            verify = task.options.verify
            if verify == "off" or ContextType.MAP not in task.task.wanted or not task.options.is_whole_map:
                maps[number] = beatmap
                continue
            on_progress(Stage("verify"))
            checked = gate(beatmap, audio_facts(session.song, task.inputs.audio_path))
            if verify == "report" or checked.passed:
                if verify != "report":
                    notify(on_progress, repairs(checked.findings))
                maps[number] = beatmap if verify == "report" else checked.beatmap
                findings += checked.findings
                continue
            rejected[number] = checked
            notify(on_progress, [f"attempt {attempt + 1} did not pass verification"])
        waiting = list(rejected)
        if not waiting:
            break
        if attempt + 1 < ATTEMPTS:
            for number in waiting:
                on_progress(Restart(attempt + 1, number))
    else:
        checked = rejected[waiting[0]]
        reasons = [f"{f.code} {f.message}" for f in checked.findings if f.blocking]
        reasons = reasons or ["too many objects would have to be dropped"]
        message = f"no attempt passed verification ({'; '.join(reasons[:3])}); try another seed, or verify=report"
        raise RejectedMap(message, reasons=reasons, beatmap=checked.beatmap, text=checked.text)
    numbers = {
        "tokens": stats.tokens,
        "decoder_seconds": stats.seconds,
        "windows": stats.windows,
        "cut_windows": stats.cut_windows,
        "song_seconds": session.song.duration_ms / 1000,
        "attempts": attempt + 1,
    }
    if stats.cut_windows:
        limit = session.model.profile.tgt_seq_len
        notify(on_progress, [f"{stats.cut_windows} window(s) met the model's limit of {limit} tokens and were cut off"])
    return Result([], [m for m in maps if m is not None], findings, tasks[0].inputs.seed, numbers)


def build_map(
    session: SongSession, task: MapTask, track: Track, timing: list[TimingPoint] | None, on_progress: OnProgress
) -> Beatmap:
    """A beatmap of what a track has written."""
    options, profile = task.options, session.model.profile
    wanted = [c for c in task.task.wanted if c not in track.given]
    written = track.finished(wanted, session.plan(options).song_length_ms)
    pieces = [unpack_positions(s, profile) for s in written.values()]
    whole = pieces[0] if pieces else EventSequence()
    for piece in pieces[1:]:
        whole = merge(whole, piece)
    whole = trim_range(whole, options.start_time, options.end_time)
    if timing is None:
        timing = fit_timing(whole, profile.types_first)
    settings = map_settings(options, task.inputs, session.song)
    placement = place(whole, timing, profile, settings)
    for objects in track.last_objects(placement):
        on_progress(objects)
    assembly = build(placement, profile, settings)
    notify(on_progress, by_kind(assembly.warnings))
    beatmap = assembly.beatmap
    if options.add_to_beatmap and task.inputs.reference is not None:
        beatmap = merge_range(task.inputs.reference, beatmap, options.start_time, options.end_time)
    return beatmap


def save_maps(inputs: Inputs, options: ResolvedOptions, beatmaps: list[Beatmap], song: audio.Song) -> list[Path]:
    """Writes what was asked for: an .osz, bare .osu files, or the reference itself."""
    if options.overwrite_reference_beatmap and inputs.request.beatmap_path:
        return output.overwrite_reference(beatmaps[0], Path(inputs.request.beatmap_path).expanduser())
    picture = background_file(inputs, song)
    return output.write_result(beatmaps, inputs.output_folder, inputs.audio_path, picture, options.export_osz)


def notify(on_progress: OnProgress, messages: Sequence[str]) -> None:
    for message in messages:
        on_progress(Notice(message))
