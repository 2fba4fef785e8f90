"""The request: every option of a generation, validated together.

`Request` is frozen and complete in itself; command line, web page, notebooks and Python build it through
`build_request`, which reports all mistakes at once. An option left at None takes the value of the reference
beatmap, the audio's tags, the model's profile or the general default, in that order (`resolve.py`).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from osuT5.errors import OptionErrors, suggestion

TIMING_PROVIDERS = ("auto", "grid", "model", "file", "constant")
VERIFY_MODES = ("gate", "report", "off")
PRECISIONS = ("fp32", "fp16", "bf16", "amp")
CONTEXT_NAMES = ("NONE", "TIMING", "NO_HS", "GD", "MAP", "KIAI", "SV")
OUTPUT_NAMES = ("TIMING", "MAP", "KIAI", "SV")
LARGEST_SEED = 2**32 - 1

Kind = type | str


def option(
    kind: Kind,
    about: str,
    *,
    default: Any = None,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] | None = None,
    pending: str | None = None,
) -> Any:
    """A field of `Request`.

    Args:
        kind: int, float, bool, str, "path", "strings", "names" or "numbers".
        low, high: inclusive range of numbers (of every number of a list).
        choices: allowed words.
        pending: what is said when the option is set while its machinery is not built yet.
    """
    row = {"kind": kind, "about": about, "low": low, "high": high, "choices": choices, "pending": pending}
    return dataclasses.field(default=default, metadata=row)


BEAMS = "beam search is not built: decoding goes on with num_beams=1"
SUPER = "super timing is not built yet: timing comes from `timing=` instead"
DIFFUSION = "coordinates are not refined by diffusion yet: the model's own positions are used"


@dataclass(frozen=True)
class Request:
    """All options of one generation. Times in ms on the game clock. Raises OptionErrors naming every mistake."""

    # files
    audio_path: str | None = option("path", "song: mp3, ogg, opus, flac, wav (m4a, wma with the extra `m4a`)")
    beatmap_path: str | None = option("path", "reference .osu: conditions, timing and contexts are taken from it")
    output_path: str | None = option("path", "folder for the result; default: beside the song or the reference")
    model_path: str | None = option("path", "checkpoint folder or hub id; default: the embedded model")
    profile: str | None = option(str, "profile of a checkpoint that does not carry its own")
    lora_path: str | None = option("path", "LoRA adapter, folder or hub id")
    auto_select_gamemode_model: bool = option(
        bool, "use the checkpoint's gamemode=N folder if it has one", default=True
    )
    # what the map should be
    gamemode: int | None = option(int, "0 osu!, 1 taiko, 2 catch, 3 mania", low=0, high=3)
    difficulty: float | None = option(float, "star rating", low=0, high=30)
    difficulties: list | None = option(
        "numbers",
        "several star ratings for one set",
        low=0,
        high=30,
        pending="lists of difficulties are not built yet: only the first is generated",
    )
    beatmap_id: int | None = option(int, "style of a beatmap (no published model uses it)", low=0)
    mapper_id: int | None = option(int, "osu! user id whose style is wanted", low=0)
    year: int | None = option(int, "year of submission", low=2007, high=2077)
    hitsounded: bool | None = option(bool, "write hitsounds")
    keycount: int | None = option(int, "mania keys", low=1, high=18)
    hold_note_ratio: float | None = option(float, "share of hold notes in mania", low=0, high=1)
    scroll_speed_ratio: float | None = option(float, "scroll speed changes per object time", low=0)
    descriptors: list | None = option("strings", "what the map should be like")
    negative_descriptors: list | None = option("strings", "what it should not be like (needs cfg_scale above 1)")
    hp_drain_rate: float | None = option(float, "HP", low=0, high=10)
    circle_size: float | None = option(float, "CS", low=0, high=10)
    overall_difficulty: float | None = option(float, "OD", low=0, high=10)
    approach_rate: float | None = option(float, "AR", low=0, high=10)
    slider_multiplier: float | None = option(float, "base slider velocity", low=0.4, high=3.6)
    slider_tick_rate: float | None = option(float, "slider tick rate", low=0.5, high=8)
    # contexts and range
    in_context: list | None = option("names", "contexts taken from the reference", choices=CONTEXT_NAMES)
    output_type: list | None = option("names", "what to generate", choices=OUTPUT_NAMES)
    start_time: int | None = option(int, "generate from here, ms", low=0)
    end_time: int | None = option(int, "generate up to here, ms", low=0)
    add_to_beatmap: bool = option(bool, "put the result into the reference beatmap", default=False)
    overwrite_reference_beatmap: bool = option(bool, "write over the reference (a .bak is kept)", default=False)
    # timing
    timing: str | None = option(str, "where the beats come from", choices=TIMING_PROVIDERS)
    bpm: float | None = option(float, "tempo for timing=constant", low=6, high=10000)
    offset: float | None = option(float, "first beat for timing=constant, ms", low=-3_600_000, high=36_000_000)
    timing_leniency: int | None = option(
        int, "tolerance of the older fit; the fit now measures the noise itself", low=0
    )
    super_timing: bool | None = option(bool, "vote over many shifted passes", pending=SUPER)
    timer_num_beams: int | None = option(int, "super timing: beams", low=1)
    timer_bpm_threshold: float | None = option(float, "super timing: tempo vote", low=0, high=1)
    timer_cfg_scale: float | None = option(float, "super timing: guidance", low=0)
    timer_iterations: int | None = option(int, "super timing: passes", low=1)
    # decoding
    seed: int | None = option(int, "same seed, same bytes; default: random", low=0, high=LARGEST_SEED)
    do_sample: bool | None = option(bool, "draw (true) or take the best id (false)")
    temperature: float | None = option(float, "0 is greedy", low=0, high=10)
    timing_temperature: float | None = option(float, "temperature of beat times", low=0, high=10)
    mania_column_temperature: float | None = option(float, "temperature of mania columns", low=0, high=10)
    taiko_hit_temperature: float | None = option(float, "temperature of taiko colours", low=0, high=10)
    timeshift_bias: float | None = option(float, "added to all time logits", low=-100, high=100)
    top_p: float | None = option(float, "nucleus sampling", low=0, high=1)
    top_k: int | None = option(int, "0 is off", low=0)
    cfg_scale: float | None = option(float, "guidance; 1 is off", low=0, high=100)
    num_beams: int | None = option(int, "beams", low=1, pending=BEAMS)
    lookback: float | None = option(float, "share of a window prefilled with what was written", low=0, high=0.99)
    lookahead: float | None = option(float, "share of a window left to the next one", low=0, high=0.99)
    parallel: bool | None = option(
        bool, "windows without context", pending="parallel windows are not built: windows follow each other"
    )
    max_batch_size: int | None = option(int, "windows encoded at once", low=1, high=1024)
    # after the ids
    grid_times: bool | None = option(bool, "write events on ticks of the beat grid only")
    end_penalty: float | None = option(float, "subtracted from the logits of ending a window early", low=0, high=100)
    grid_habit: float | None = option(
        float, "with grid_times: weight of how often human maps of that rating use a tick", low=0, high=10
    )
    grid_hearing: float | None = option(float, "with grid_times: weight of how the song sounds there", low=0, high=10)
    grid_onsets: float | None = option(
        float,
        "with grid_times: weight of the onsets that the model's onset head hears",
        low=0,
        high=10,
    )
    resnap_events: bool | None = option(bool, "move events onto the beat grid")
    snap_near_perfect_overlaps: bool | None = option(bool, "older clean-up; the new one needs no switch")
    generate_positions: bool | None = option(bool, "refine coordinates by diffusion")
    verify: str = option(str, "check and repair the result", default="gate", choices=VERIFY_MODES)
    export_osz: bool | None = option(bool, "write an .osz (true) or a bare .osu (false)", default=None)
    # file side
    title: str | None = option(str, "title")
    title_unicode: str | None = option(str, "title, original script")
    artist: str | None = option(str, "artist")
    artist_unicode: str | None = option(str, "artist, original script")
    creator: str | None = option(str, "creator")
    version: str | None = option(str, "name of the difficulty")
    source: str | None = option(str, "source")
    tags: str | None = option(str, "tags; the AI disclosure is always added")
    background: str | None = option("path", "background image")
    preview_time: int | None = option(int, "preview point, ms", low=-1)
    # machine
    device: str | None = option(str, "auto, cpu, cuda, cuda:N, mps")
    precision: str | None = option(str, "weights", choices=PRECISIONS)
    attn_implementation: str | None = option(
        str, "one exact attention serves all", choices=("auto", "eager", "sdpa", "flash_attention_2")
    )
    compile: bool | None = option(bool, "compile the refiner", pending=DIFFUSION)
    use_server: bool | None = option(bool, "older batching server; not needed")
    # diffusion
    diff_cfg_scale: float | None = option(float, "refiner guidance", low=0)
    pad_sequence: bool | None = option(bool, "refiner padding")
    diff_ckpt: str | None = option("path", "refiner checkpoint")
    diff_refine_ckpt: str | None = option("path", "second refiner checkpoint")
    beatmap_idx: str | None = option("path", "refiner's table of styles")
    refine_iters: int | None = option(int, "refiner passes", low=0)
    random_init: bool | None = option(bool, "refiner starts from noise")
    timesteps: list | None = option("numbers", "refiner schedule", low=0)
    max_seq_len: int | None = option(int, "refiner window", low=1)
    overlap_buffer: int | None = option(int, "refiner overlap", low=0)

    def __post_init__(self) -> None:
        problems: list[str] = []
        for row in dataclasses.fields(self):
            value, problem = coerce(row, getattr(self, row.name))
            if problem:
                problems.append(problem)
            else:
                object.__setattr__(self, row.name, value)
        problems += _contradictions(self) if not problems else []
        if problems:
            raise OptionErrors(problems)

    def notices(self) -> list[str]:
        """What was asked for and cannot be done yet, one sentence each."""
        said = []
        for row in dataclasses.fields(self):
            value, pending = getattr(self, row.name), row.metadata["pending"]
            plain = value in (None, row.default, []) or value is False or (row.metadata["kind"] is int and value == 1)
            if pending and not plain and pending not in said:
                said.append(pending)
        return said


def option_rows() -> dict[str, dataclasses.Field]:
    """All options by name."""
    return {row.name: row for row in dataclasses.fields(Request)}


def build_request(options: Mapping[str, Any]) -> Request:
    """A `Request` from names and values as a front end has them.

    Raises:
        OptionErrors: naming every unknown name (with a suggestion) and every wrong value.
    """
    rows = option_rows()
    problems = [f"unknown option {n!r}{suggestion(n, rows)}" for n in options if n not in rows]
    values: dict[str, Any] = {}
    for name, row in rows.items():
        if name in options:
            values[name], problem = coerce(row, options[name])
            if problem:
                problems.append(problem)
    if problems:
        raise OptionErrors(problems)
    return Request(**values)


def coerce(row: dataclasses.Field, value: Any) -> tuple[Any, str | None]:
    """The value in the option's own type, or a sentence that says what is wrong with it."""
    facts = row.metadata
    if value is None or value == "":
        return row.default, None
    kind = facts["kind"]
    if kind in ("strings", "names", "numbers"):
        return _coerce_list(row, value)
    converted, wanted = _convert(kind, value)
    if converted is None:
        return None, f"{row.name}={value!r} is not {wanted} ({facts['about']})"
    return converted, _out_of_range(row, converted)


def _convert(kind: Kind, value: Any) -> tuple[Any, str]:
    if kind is bool:
        if isinstance(value, str) and value.lower() in ("true", "false"):
            value = value.lower() == "true"
        return (value if isinstance(value, bool) else None), "true or false"
    if kind in (int, float):
        wanted = "a whole number" if kind is int else "a number"
        try:
            number = float(value) if not isinstance(value, bool) else math.nan
        except (TypeError, ValueError):
            return None, wanted
        if not math.isfinite(number) or (kind is int and number != int(number)):
            return None, wanted
        return (value if kind is int and isinstance(value, int) else kind(number)), wanted
    if isinstance(value, (list, tuple, dict)):
        return None, "a text"
    return str(value), "a text"


def _out_of_range(row: dataclasses.Field, value: Any) -> str | None:
    low, high, choices = row.metadata["low"], row.metadata["high"], row.metadata["choices"]
    if choices and value not in choices:
        return f"{row.name}={value!r}: choose one of {', '.join(choices)}{suggestion(str(value), list(choices))}"
    if low is not None and value < low or high is not None and value > high:
        bounds = f"at least {low:g}" if high is None else f"between {low:g} and {high:g}"
        return f"{row.name}={value} is out of range: it must be {bounds}"
    return None


def _coerce_list(row: dataclasses.Field, value: Any) -> tuple[Any, str | None]:
    if isinstance(value, (str, int, float)):
        value = [value]
    try:
        items = list(value)
    except TypeError:
        return None, f"{row.name}={value!r} is not a list"
    kind = row.metadata["kind"]
    if kind == "numbers":
        pairs = [_convert(float, item) for item in items]
        bad = [item for item, (number, _) in zip(items, pairs, strict=True) if number is None]
        items = [number for number, _ in pairs if number is not None]
        if bad:
            return None, f"{row.name}: {bad[0]!r} is not a number"
    elif kind == "names":
        items = [str(getattr(item, "name", item)).upper() for item in items]
    else:
        items = list(dict.fromkeys(item if isinstance(item, int) else str(item) for item in items))
    problems = [p for p in (_out_of_range(row, item) for item in items) if p]
    return items, problems[0] if problems else None


def _contradictions(request: Request) -> list[str]:
    """Options that are right each but wrong together."""
    problems = []
    if not request.audio_path and not request.beatmap_path:
        problems.append("audio_path is missing: name the song to map, e.g. audio_path=song.mp3")
    if request.start_time is not None and request.end_time is not None and request.start_time >= request.end_time:
        problems.append(f"start_time={request.start_time} is not before end_time={request.end_time}")
    lookback, lookahead = request.lookback or 0.0, request.lookahead or 0.0
    if lookback + lookahead >= 0.995:
        problems.append(
            f"lookback + lookahead = {lookback + lookahead:g} leaves nothing to write: keep the sum below 1"
        )
    if request.timing == "constant" and request.bpm is None and not request.beatmap_path:
        problems.append("timing=constant needs bpm (and offset)")
    needs_map = [c for c in request.in_context or [] if c != "NONE"]
    if needs_map and not request.beatmap_path:
        problems.append(f"in_context=[{','.join(needs_map)}] needs beatmap_path: the contexts are read from that map")
    if request.timing == "file" and not request.beatmap_path:
        problems.append("timing=file needs beatmap_path: the red lines are read from that map")
    if request.add_to_beatmap and not request.beatmap_path:
        problems.append("add_to_beatmap=true needs beatmap_path: the map to add to")
    if request.overwrite_reference_beatmap and not request.add_to_beatmap:
        problems.append("overwrite_reference_beatmap=true works only with add_to_beatmap=true")
    return problems
