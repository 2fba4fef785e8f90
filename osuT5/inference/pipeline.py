"""Generation, the whole of it on one page. Each line is a call into a folder whose name tells what it does."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from osuT5 import audio
from osuT5.beatmap import Beatmap, TimingPoint, merge_range
from osuT5.beatmap.verify import Finding, gate
from osuT5.errors import RejectedMap
from osuT5.events import ContextType, EventSequence, encode_timing, merge
from osuT5.events.prompt import PromptBuilder, negative_conditions
from osuT5.inference import output
from osuT5.inference.audio_facts import audio_facts, check_song
from osuT5.inference.contexts import given_sequence, template_inputs
from osuT5.inference.decoder import Decoder
from osuT5.inference.encoded import EncodedWindows
from osuT5.inference.ignored import encoder_conditions, ignored_conditions
from osuT5.inference.map_settings import background_file, map_settings, with_difficulty_defaults
from osuT5.inference.postprocess import build, place, unpack_positions
from osuT5.inference.progress import Notice, OnProgress, Stage, Window, silent
from osuT5.inference.request import Request
from osuT5.inference.resolve import Inputs, Settled, check_against_model, device_name, read_inputs
from osuT5.inference.sampling import Sampling
from osuT5.inference.song_loop import LoopStats, SongLoop, trim_range
from osuT5.inference.templates import Task, choose_task
from osuT5.inference.tick_weights import TickWeights, loudness_of
from osuT5.inference.timing_stage import find_red_lines
from osuT5.model import Mapperatorinator, load_model
from osuT5.timing import fit_timing

REGENERATIONS = 2


@dataclass
class Result:
    """What came of a request: the files, the maps in them, what verification found and mended, and some numbers."""

    paths: list[Path]
    beatmaps: list[Beatmap]
    findings: list[Finding]
    seed: int
    stats: dict[str, float] = field(default_factory=dict)


def generate(request: Request, on_progress: OnProgress | None = None, model: Mapperatorinator | None = None) -> Result:
    """Turns a song into a beatmap.

    Args:
        on_progress: receives `Stage`, `Window` and `Notice` events.
        model: a loaded model, to spare loading it for every song; else `request.model_path` or the embedded one.
    Raises:
        OptionErrors, InputError, AudioError, BeatmapError, CheckpointError: what the user can mend.
        RejectedMap: no attempt passed the gate; the last one lies beside the output as `*.rejected.osu`.
    """
    tell = on_progress or silent
    began = time.perf_counter()
    inputs = read_inputs(request)
    for notice in request.notices():
        tell(Notice(notice))
    model = model or open_model(request, inputs, tell)
    settled = Settled(request, model.profile, inputs.reference)
    check_against_model(settled, model.profile)
    for notice in ignored_conditions(settled, model.profile, model.vocabulary):
        tell(Notice(notice))
    task = choose_task(model.profile, settled.contexts, settled.outputs, settled.gamemode)

    tell(Stage("audio", inputs.audio_path.name))
    song = audio.load(inputs.audio_path, sample_rate=model.profile.sample_rate, resampler=resampler_of(model))
    check_song(song, inputs.audio_path)
    for attempt in range(REGENERATIONS + 1):
        seed = inputs.seed + attempt
        attempt_map, stats = write_map(inputs, settled, task, model, song, seed, tell)
        if settled.verify == "off" or ContextType.MAP not in task.wanted or not is_whole(settled):
            findings: list[Finding] = []
            break
        tell(Stage("verify"))
        result = gate(attempt_map, audio_facts(song, inputs.audio_path))
        findings = result.findings
        for notice in repairs(findings):
            tell(Notice(notice))
        if settled.verify == "report":
            break
        if result.passed:
            attempt_map = result.beatmap
            break
        tell(Notice(f"attempt {attempt + 1} did not pass verification"))
    else:
        refused = [f"{f.code} {f.message}" for f in findings if not f.fixed and f.severity in ("fatal", "error")]
        path = output.write_rejected(result.text, result.beatmap, refused, inputs.output_folder)
        raise RejectedMap(
            f"no attempt passed verification ({'; '.join(refused[:3])}); the last one is kept as {path}; "
            "try another seed, or verify=report"
        )

    tell(Stage("write"))
    paths = save(inputs, settled, attempt_map, song)
    stats["seconds"] = time.perf_counter() - began
    stats["attempts"] = attempt + 1
    return Result(paths, [attempt_map], findings, seed, stats)


def open_model(request: Request, inputs: Inputs, tell: OnProgress) -> Mapperatorinator:
    """Loads the model that a request names."""
    device = device_name(request.device or "auto")
    tell(Stage("model", inputs.model_source))
    mode = request.gamemode
    if mode is None and inputs.reference is not None:
        mode = int(inputs.reference.mode)
    model = load_model(
        inputs.model_source,
        device=device,
        precision=request.precision or "fp32",
        gamemode=mode or 0,
        profile=request.profile,
        lora_path=request.lora_path,
        auto_select_gamemode=request.auto_select_gamemode_model,
    )
    for notice in model.notices:
        tell(Notice(notice))
    return model


def resampler_of(model: Mapperatorinator) -> str:
    """The resampling that the model was trained to hear."""
    return model.profile.model.get("resampler", "published")


def is_whole(settled: Settled) -> bool:
    """Whether the output is a whole map (a part alone cannot satisfy the rules for maps)."""
    return settled.start_time is None and settled.end_time is None or settled.add_to_beatmap


def write_map(
    inputs: Inputs,
    settled: Settled,
    task: Task,
    model: Mapperatorinator,
    song: audio.Song,
    seed: int,
    tell: OnProgress,
) -> tuple[Beatmap, dict[str, float]]:
    """One attempt: timing, then every context of the task, then a beatmap."""
    profile, vocabulary = model.profile, model.vocabulary
    plan = audio.plan_windows(
        len(song.samples),
        window_samples=profile.window_samples,
        sample_rate=profile.sample_rate,
        lookback=settled.lookback,
        lookahead=settled.lookahead,
        start_ms=settled.start_time,
        end_ms=settled.end_time,
        integer=profile.event_rules != "published",
    )
    length = plan.song_length_ms
    with_difficulty_defaults(settled, length)
    conditions = settled.conditions(length)
    builder = PromptBuilder(
        profile,
        vocabulary,
        task.template,
        conditions,
        length,
        template_inputs(task.template, inputs.reference, profile, vocabulary, length),
        negative_conditions(conditions, settled.negative_descriptors) if settled.cfg_scale > 1 else None,
    )
    sampling = Sampling(settled, profile, vocabulary, seed)
    loop = SongLoop(
        builder,
        plan,
        EncodedWindows(model, song.samples, plan, settled.max_batch_size, encoder_conditions(settled, model)),
        Decoder(model, profile.tgt_seq_len, max(settled.cfg_scale, 1.0)),
        sampling.filters,
        sampling.draw,
        settled.lookback,
        settled.lookahead,
        on_window=lambda context, number, total, sequence: tell(
            Window(context.value, number + 1, total, len(sequence), float(plan.times_ms[number]))
        ),
    )
    tell(Stage("timing", settled.timing))
    timing = find_red_lines(settled, inputs.reference, song, loop, lambda text: tell(Notice(text)))
    if settled.grid_times and timing:
        sampling.ticks = TickWeights(
            timing,
            settled.difficulty,
            loudness_of(song),
            settled.grid_habit,
            settled.grid_hearing,
            settled.grid_onsets,
        )
    give_contexts(loop, inputs, settled, task, timing, length)

    wanted = [c for c in task.wanted if c not in loop.given]
    written = loop.run(wanted)
    pieces = [unpack_positions(s, profile) for s in written.values()]
    whole = pieces[0] if pieces else EventSequence()
    for piece in pieces[1:]:
        whole = merge(whole, piece)
    whole = trim_range(whole, settled.start_time, settled.end_time)
    if timing is None:
        timing = fit_timing(whole, profile.types_first)
    map_values = map_settings(settled, inputs, song, profile)
    assembly = build(place(whole, timing, profile, map_values), profile, map_values)
    for warning in by_kind(assembly.warnings):
        tell(Notice(warning))
    beatmap = assembly.beatmap
    if settled.add_to_beatmap and inputs.reference is not None:
        beatmap = merge_range(inputs.reference, beatmap, settled.start_time, settled.end_time)
    return beatmap, numbers_of(loop.stats, song)


def give_contexts(
    loop: SongLoop,
    inputs: Inputs,
    settled: Settled,
    task: Task,
    timing: list[TimingPoint] | None,
    song_length_ms: float,
) -> None:
    """Puts what is known beforehand into the loop: timing, contexts of the reference, the map before a range."""
    profile = loop.profile
    given = set()
    if timing is not None and ContextType.TIMING in profile.output_contexts:
        loop.sequences[ContextType.TIMING] = encode_timing(timing, profile, song_length_ms)
        given.add(ContextType.TIMING)
    for context in task.template.outputs:
        if inputs.reference is None or context in given:
            continue
        if context in settled.contexts:
            loop.sequences[context] = given_sequence(inputs.reference, context, profile, song_length_ms)
            given.add(context)
        elif settled.add_to_beatmap and settled.start_time is not None:
            before = given_sequence(inputs.reference, context, profile, song_length_ms)
            end = sum(t <= settled.start_time - 1 for t in before.times)
            loop.sequences[context] = before.slice(0, end)
    loop.given = frozenset(given)


def save(inputs: Inputs, settled: Settled, beatmap: Beatmap, song: audio.Song) -> list[Path]:
    """Writes what was asked for: an .osz, a bare .osu, or the reference itself."""
    if settled.overwrite_reference_beatmap and inputs.request.beatmap_path:
        return output.overwrite_reference(beatmap, Path(inputs.request.beatmap_path).expanduser())
    picture = background_file(inputs, song)
    return output.write_result([beatmap], inputs.output_folder, inputs.audio_path, picture, settled.export_osz)


def by_kind(warnings: list[str]) -> list[str]:
    """Warnings that differ in numbers only, once each with their count."""
    kinds: dict[str, list[str]] = {}
    for warning in warnings:
        kinds.setdefault(re.sub(r"-?\d+(\.\d+)?", "#", warning), []).append(warning)
    return [w[0] if len(w) == 1 else f"{w[0]} (and {len(w) - 1} more like it)" for w in kinds.values()]


def repairs(findings: list[Finding]) -> list[str]:
    """One sentence per kind of repair: how often, and the first case."""
    by_code: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.fixed:
            by_code.setdefault(finding.code, []).append(finding)
    return [f"repaired {len(cases)} x {code}, e.g.: {cases[0].message}" for code, cases in by_code.items()]


def numbers_of(stats: LoopStats, song: audio.Song) -> dict[str, float]:
    return {
        "tokens": stats.tokens,
        "decoder_seconds": stats.seconds,
        "windows": stats.windows,
        "cut_windows": stats.cut_windows,
        "song_seconds": song.duration_ms / 1000,
    }
