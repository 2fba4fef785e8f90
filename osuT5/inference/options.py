"""All options of a generation, stated once: `InferenceOptions`, under its public name `Request`.

Command line, web page, notebooks and Python make one; it is frozen, and right in itself. An option that nobody gave
takes the value of the reference beatmap, the model's profile, the song or its default here (`resolve.py`).
"""

from __future__ import annotations

from typing import ClassVar

from osuT5.events.profile import load_profile, profile_names
from osuT5.options import (
    Bool,
    Command,
    Int,
    Names,
    Number,
    Options,
    PathText,
    Text,
    contradiction,
    heading,
    names_of,
    numbers,
    one_of,
    spelled,
)
from osuT5.timing.constant import FASTEST_BPM, SLOWEST_BPM

LARGEST_SEED = 2**32 - 1
LONGEST_MS = 36_000_000  # ten hours
# lookback + lookahead from here on leave a window nothing to write
WHOLE_WINDOW = 0.995

USAGE = """python inference.py audio_path=SONG [key=value ...]     or, installed: mapperatorinator audio_path=SONG ...

Turns a song into an osu! beatmap. Options that are not given take their value from the reference beatmap, the model's
profile, the song, or the default below; --explain shows which. To keep settings, put them into a preset file of your
own and take it with -cn NAME: configs/inference/NAME.yaml in a clone, otherwise FOLDER/NAME.yaml with
--config-dir FOLDER."""


@contradiction("audio_path", "beatmap_path")
def song_is_missing(audio_path: str | None, beatmap_path: str | None) -> str | None:
    if audio_path or beatmap_path:
        return None
    return "audio_path is missing: name the song to map, e.g. audio_path=song.mp3"


@contradiction("start_time", "end_time")
def range_is_empty(start: int | None, end: int | None) -> str | None:
    if start is None or end is None or start < end:
        return None
    return f"start_time={start} is not before end_time={end}"


@contradiction("lookback", "lookahead")
def window_is_full(lookback: float | None, lookahead: float | None) -> str | None:
    lookback, lookahead = lookback or 0.0, lookahead or 0.0
    if lookback + lookahead < WHOLE_WINDOW:
        return None
    return f"lookback + lookahead = {lookback + lookahead:g} leaves nothing to write: keep the sum below 1"


@contradiction("timing", "bpm", "beatmap_path")
def tempo_is_missing(timing: str | None, bpm: float | None, beatmap_path: str | None) -> str | None:
    if timing != "constant" or bpm is not None or beatmap_path:
        return None
    return "timing=constant needs bpm (and offset)"


@contradiction("in_context", "timing", "add_to_beatmap", "beatmap_path")
def reference_is_missing(
    in_context: tuple[str, ...] | None, timing: str | None, add: bool | None, beatmap_path: str | None
) -> list[str]:
    if beatmap_path:
        return []
    contexts = ",".join(c for c in in_context or () if c != "NONE")
    needs = {
        f"in_context=[{contexts}] needs beatmap_path: the contexts are read from that map": contexts,
        "timing=file needs beatmap_path: the red lines are read from that map": timing == "file",
        "add_to_beatmap=true needs beatmap_path: the map to add to": add,
    }
    return [sentence for sentence, missing in needs.items() if missing]


@contradiction("overwrite_reference_beatmap", "add_to_beatmap")
def nothing_to_overwrite(overwrite: bool | None, add: bool | None) -> str | None:
    return "overwrite_reference_beatmap=true works only with add_to_beatmap=true" if overwrite and not add else None


_files = heading("Files")
_map = heading("The map")
_range = heading("Contexts and range")
_timing = heading("Timing")
_sampling = heading("Sampling")
_grid = heading("Grid and verification")
_names = heading("Names in the file")
_machine = heading("Machine")
_diffusion = heading("Coordinates by diffusion (not built yet)")


class InferenceOptions(Options):
    """Options of one generation; times in ms on the game clock. Raises OptionErrors naming every mistake."""

    command: ClassVar[Command] = Command(
        tree="inference",
        title="a generation",
        usage=USAGE,
        null_is_open=True,
        contradictions=(
            song_is_missing,
            range_is_empty,
            window_is_full,
            tempo_is_missing,
            reference_is_missing,
            nothing_to_overwrite,
        ),
        words={
            "song": "audio_path", "audio": "audio_path", "input": "audio_path", "file": "audio_path",
            "beatmap": "beatmap_path", "reference": "beatmap_path", "map": "beatmap_path",
            "output": "output_path", "out": "output_path", "model": "model_path", "checkpoint": "model_path",
            "lora": "lora_path", "mode": "gamemode", "ruleset": "gamemode", "stars": "difficulty", "sr": "difficulty",
            "star_rating": "difficulty", "keys": "keycount", "mapper": "mapper_id", "user_id": "mapper_id",
            "style": "descriptors", "negative_prompt": "negative_descriptors", "hp": "hp_drain_rate",
            "cs": "circle_size", "od": "overall_difficulty", "ar": "approach_rate", "sv": "slider_multiplier",
            "tempo": "bpm", "guidance_scale": "cfg_scale", "guidance": "cfg_scale", "beams": "num_beams",
            "batch_size": "max_batch_size", "start": "start_time", "end": "end_time", "dtype": "precision",
            "grid_habit": "prior_weight", "grid_hearing": "audio_weight", "grid_onsets": "onset_weight",
            "mapset_creator": "creator", "difficulty_name": "version", "diffname": "version",
        },
        without_effect={
            "attn_implementation": "attention is exact, and torch takes the fastest kernel that the machine has",
            "snap_near_perfect_overlaps": "overlaps are cleaned up in every map",
            "timing_leniency": "the fit of red lines to beats measures their noise itself",
            "use_server": "windows are batched inside the process",
        },
    )  # fmt: skip

    audio_path: PathText | None = _files("song: mp3, ogg, opus, flac, wav (m4a, wma with the extra `m4a`)")
    beatmap_path: PathText | None = _files("reference .osu: conditions, timing and contexts are taken from it")
    output_path: PathText | None = _files("folder of the result; else beside the reference or the song")
    model_path: PathText | None = _files("checkpoint folder or hub id; else the embedded model")
    profile: one_of(*profile_names()) | None = _files("profile of a checkpoint that does not carry its own")
    lora_path: PathText | None = _files("LoRA adapter, folder or hub id")
    auto_select_gamemode_model: Bool = _files("use the checkpoint's gamemode=N folder if it has one", True)
    export_osz: Bool = _files("write an .osz (true) or a bare .osu (false)", True)

    gamemode: Int = _map("0 osu!, 1 taiko, 2 catch, 3 mania", 0, ge=0, le=3)
    difficulty: Number | None = _map("star rating", ge=0, le=30)
    difficulties: numbers(ge=0, le=30) | None = _map("several star ratings for one set (not built yet)")
    beatmap_id: Int | None = _map("style of a beatmap (no published model uses it)", ge=0)
    mapper_id: Int | None = _map("osu! user id of the mapper to imitate", ge=0)
    year: Int | None = _map("year of submission", ge=2007, le=2077)
    hitsounded: Bool = _map("write hitsounds", True)
    keycount: Int = _map("keys of mania", 4, ge=1, le=18)
    hold_note_ratio: Number | None = _map("share of hold notes in mania", ge=0, le=1)
    scroll_speed_ratio: Number | None = _map("scroll speed changes per distinct object time (taiko, mania)", ge=0)
    descriptors: Names | None = _map("style tags that the map should have, such as 'jump aim'")
    negative_descriptors: Names | None = _map("style tags that it should not have; needs cfg_scale above 1")
    hp_drain_rate: Number | None = _map("HP drain rate", ge=0, le=10)
    circle_size: Number | None = _map("circle size", ge=0, le=10)
    overall_difficulty: Number | None = _map("overall difficulty", ge=0, le=10)
    approach_rate: Number | None = _map("approach rate", ge=0, le=10)
    slider_multiplier: Number = _map("base slider velocity", 1.4, ge=0.4, le=3.6)
    slider_tick_rate: Number = _map("slider tick rate", 1.0, ge=0.5, le=8)

    in_context: names_of("NONE", "TIMING", "NO_HS", "GD", "MAP", "KIAI", "SV") = _range(
        "contexts taken from the reference", ()
    )
    output_type: names_of("TIMING", "MAP", "KIAI", "SV") = _range(
        "contexts to generate", ("TIMING", "KIAI", "MAP", "SV")
    )
    start_time: Int | None = _range("generate from here, ms", ge=0, le=LONGEST_MS)
    end_time: Int | None = _range("generate up to here, ms", ge=1, le=LONGEST_MS)
    add_to_beatmap: Bool = _range("put the result into the reference beatmap", False)
    overwrite_reference_beatmap: Bool = _range("write over the reference; a .bak is kept", False)

    timing: one_of("auto", "grid", "model", "file", "constant") = _timing("where the beats come from", "model")
    bpm: Number = _timing("tempo for timing=constant; else the reference's", 120.0, ge=SLOWEST_BPM, le=FASTEST_BPM)
    offset: Number = _timing("a beat for timing=constant, ms; else the reference's", 0.0, ge=-3_600_000, le=LONGEST_MS)
    super_timing: Bool = _timing("vote over many shifted timing passes (not built yet)", False)
    timer_num_beams: Int = _timing("super timing: beams", 1, ge=1, le=64)
    timer_bpm_threshold: Number = _timing("super timing: share of votes a tempo needs", 0.1, ge=0, le=1)
    timer_cfg_scale: Number = _timing("super timing: guidance", 1.0, ge=0, le=100)
    timer_iterations: Int = _timing("super timing: passes", 20, ge=1, le=1000)

    seed: Int | None = _sampling("same seed, same bytes; else random", ge=0, le=LARGEST_SEED)
    do_sample: Bool = _sampling("sample (true) or take the most probable token (false)", True)
    temperature: Number = _sampling("sampling temperature; 0 is greedy", 0.9, ge=0, le=10)
    timing_temperature: Number = _sampling("sampling temperature of beat times", 0.1, ge=0, le=10)
    mania_column_temperature: Number = _sampling("sampling temperature of mania columns", 0.8, ge=0, le=10)
    taiko_hit_temperature: Number = _sampling("sampling temperature of taiko colours", 0.8, ge=0, le=10)
    timeshift_bias: Number = _sampling("added to the logits of all time tokens", 0.0, ge=-100, le=100)
    top_p: Number = _sampling("nucleus sampling; 1 is off", 0.9, ge=0, le=1)
    top_k: Int = _sampling("the most probable tokens only; 0 is off", 0, ge=0, le=1_000_000)
    cfg_scale: Number = _sampling("classifier-free guidance; 1 is off", 1.0, ge=0, le=100)
    num_beams: Int = _sampling("beam search (not built yet)", 1, ge=1, le=64)
    lookback: Number = _sampling("fraction of a window that is context from the windows before", 0.5, ge=0, le=0.99)
    lookahead: Number = _sampling("fraction at the end of a window that the next window writes", 0.4, ge=0, le=0.99)
    parallel: Bool = _sampling("windows without what was written before (not built yet)", False)
    max_batch_size: Int = _sampling("windows encoded at once", 8, ge=1, le=1024)
    end_penalty: Number = _sampling("subtracted from the logits that end a window early", 0.0, ge=0, le=100)

    grid_times: Bool = _grid("write events on ticks of the beat grid only", False)
    prior_weight: Number = _grid(
        "with grid_times: weight of how often human maps of that rating use a tick", 1.0, ge=0, le=10
    )
    audio_weight: Number = _grid("with grid_times: weight of the signal's onsets at a tick", 1.0, ge=0, le=10)
    onset_weight: Number = _grid("with grid_times: weight of the model's onset head at a tick", 1.0, ge=0, le=10)
    resnap_events: Bool = _grid("move events onto the beat grid", True)
    verify: one_of("gate", "report", "off") = _grid("repair and judge the map, report only, or neither", "gate")

    title: Text | None = _names("title")
    title_unicode: Text | None = _names("title in its original script")
    artist: Text | None = _names("artist")
    artist_unicode: Text | None = _names("artist in its original script")
    creator: Text = _names("creator", "Mapperatorinator")
    version: Text | None = _names("name of the difficulty")
    source: Text | None = _names("source")
    tags: Text | None = _names("tags; the disclosure that the map is generated is always added")
    background: PathText | None = _names("background image; else the reference's, or the cover in the audio file")
    preview_time: Int | None = _names("preview point, ms; else the first kiai", ge=-1, le=LONGEST_MS)

    device: Text = _machine("auto, cpu, cuda, cuda:N, mps", "auto")
    precision: one_of("fp32", "fp16", "bf16", "amp") = _machine("type of the weights; amp: fp32 with autocast", "fp32")

    generate_positions: Bool = _diffusion("refine coordinates", False)
    diff_ckpt: PathText | None = _diffusion("checkpoint of the refiner")
    diff_refine_ckpt: PathText | None = _diffusion("checkpoint of the second refiner")
    beatmap_idx: PathText | None = _diffusion("the refiner's table of styles")
    diff_cfg_scale: Number = _diffusion("guidance", 1.0, ge=0, le=100)
    refine_iters: Int = _diffusion("passes of the second refiner", 10, ge=0, le=10_000)
    random_init: Bool = _diffusion("start from noise", False)
    timesteps: numbers(ge=0) | None = _diffusion("steps of each tenth or hundredth of the noise schedule")
    max_seq_len: Int = _diffusion("points in a window", 1024, ge=1, le=1_000_000)
    overlap_buffer: Int = _diffusion("points that windows share", 128, ge=0, le=1_000_000)
    pad_sequence: Bool = _diffusion("pad the last window", False)
    compile: Bool = _diffusion("compile the refiner with torch", False)


Request = InferenceOptions


def page_head() -> str:
    """What stands above the tables of `docs/options.md`: how options are given, and what the embedded model says."""
    profile = InferenceOptions.checked(load_profile("mini").generation, "mini")
    own = {key: value for key, value in profile.items() if value != InferenceOptions.model_fields[key].default}
    rows = "\n".join(f"| `{key}` | `{spelled(value)}` |" for key, value in sorted(own.items()) if key != "version")
    return f"""# All options of a generation

`python inference.py key=value ...`; written from `osuT5/inference/options.py` by `python -m osuT5.options write`. An
option that is not given takes its value from the reference beatmap, the model's profile, the song, or the *default*
here, in that order; `--explain` shows every value and its source: asked (the command line), preset NAME, reference,
tags (of the audio file), profile (of the model), rating (follows from the difficulty), song, default, or unset. Presets
(`-cn NAME`) lie in `configs/inference`: put your arguments into a file of your own there, or in any folder with
`--config-dir FOLDER`, instead of typing them.

The profile of the embedded model differs from the defaults in:

| option | embedded model |
|---|---|
{rows}"""
