"""All options of a training run, stated once: `TrainOptions`, with the sections of the published configurations.

null takes the profile's value (tokens, network, spectrogram) or the recipe's (samples), where the text does not say
otherwise. What null becomes, and all that follows from several options, is worked out in `run.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator

from osuT5.errors import suggestion
from osuT5.events.profile import profile_names
from osuT5.options import (
    Bool,
    Command,
    Int,
    Ints,
    Layer,
    Number,
    Options,
    PathText,
    Section,
    Table,
    Text,
    as_list,
    contradiction,
    heading,
    ints,
    numbers,
    one_of,
    section,
)

USAGE = """python osuT5/train.py -cn NAME data.path=FOLDER [output_dir=...] [section.key=value ...]
torchrun --nproc_per_node=N osuT5/train.py ...            or, installed: mapperatorinator-train ...

Trains a model, or a LoRA with enable_lora=true. A key may be written without its section where it names exactly one.
Started again with the same output_dir, a run goes on from its newest checkpoint. To keep settings, put
them into a preset file of your own: configs/train/NAME.yaml in a clone, FOLDER/NAME.yaml with --config-dir FOLDER."""
ROPE_TYPES = ("default", "linear", "dynamic")
_INIT = re.compile(r"true|default|gaussian|pissa(_niter_[1-9]\d*)?", re.IGNORECASE)
INITS = ("true", "default", "gaussian", "pissa", "pissa_niter_4")


# ---- types of single options


def _contexts(value: Any) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    try:
        names = lambda row, key: tuple(str(name).lower() for name in as_list(row[key]))  # noqa: E731
        return tuple((names(row, "in"), names(row, "out")) for row in value)
    except (TypeError, KeyError, ValueError):
        raise ValueError("is not a list of {in: [...], out: [...]} with names of contexts") from None


def _shares(value: Any) -> dict[int, float]:
    try:
        shares = {int(mode): float(share) for mode, share in value.items()}
        if sum(shares.values()) > 0 and min(shares.values()) >= 0 and not set(shares) - {0, 1, 2, 3}:
            return shares
    except (TypeError, ValueError, AttributeError):
        pass
    raise ValueError("is not a mapping from game mode (0 to 3) to its share")


def _range(value: Any) -> tuple[Any, ...]:
    pair = tuple(as_list(value))
    if len(pair) != 2 or not pair[0] <= pair[1]:
        raise ValueError("is not two numbers, the smaller first")
    return pair


def _betas(value: Any) -> list[Any]:
    pair = as_list(value)
    if len(pair) != 2:
        raise ValueError("is not two numbers such as [0.9, 0.999]")
    return pair


def _names(value: Any) -> tuple[str, ...]:
    names = as_list(value)
    if not all(isinstance(name, str) for name in names):
        raise ValueError("is not a list of names")
    return tuple(dict.fromkeys(names))


def _init(value: Any) -> str:
    if not _INIT.fullmatch(str(value)):
        hint = suggestion(str(value).lower(), INITS)
        raise ValueError(f"is unknown{hint}; use true, default, gaussian, pissa or pissa_niter_<steps>")
    return str(value).lower()


def _path(value: Any) -> Any:
    return None if value == "" else value  # the published configurations write "" for none


Path = Annotated[PathText | None, BeforeValidator(_path)]
Contexts = Annotated[Any, BeforeValidator(_contexts)]
Shares = Annotated[dict[int, float], BeforeValidator(_shares)]
Pair = Annotated[tuple[Number, Number], BeforeValidator(_range)]
Betas = Annotated[numbers(ge=0, lt=1), BeforeValidator(_betas)]
TextList = Annotated[tuple[str, ...], BeforeValidator(_names)]

_run = heading("The run")
_maps = heading("Data: which maps")
_tokens = heading("Data: tokens and windows (null: as the profile)")
_samples = heading("Data: from maps to samples (null: as the recipe)")
_batches = heading("Data: from samples to batches")
_recipe = heading("Differences of the recipes (null: as the recipe)")
_mixture = heading("Corpora of the embedded model")
_loader = heading("Loader")
_network = heading("Network (null: as the profile)")
_sound = heading("Spectrogram (null: as the profile)")
_optim = heading("Optimiser")
_every = heading("Evaluation, checkpoints, log, profiler")
_lora = heading("LoRA")


def _unknown(condition: str) -> Any:
    return _samples(f"probability of dropping the condition {condition}, for each window", ge=0, le=1)


class DataOptions(Section):
    """`data`"""

    profile: one_of(*profile_names()) = _maps("model version that gives the values of keys left null", "v29")
    dataset_type: one_of("mmrs", "web", "shards", "ors", "corpora") = _maps(
        "mmrs: of `osuT5.data.build`; web: archives on the hub; shards: of `osuT5.data.compile`; corpora: of "
        "`osuT5.data.corpora`; ors: the older format of tracks, osu! only, without years and statuses", "mmrs"
    )  # fmt: skip
    path: Path = _maps("the data set, where train_dataset_path is null")
    train_dataset_path: Path = _maps("folder, or hub id of a web data set")
    train_dataset_start: Int | None = _maps(
        "index of the first set, sorted by id (web: of the first file); both null: all", 0, ge=0
    )
    train_dataset_end: Int | None = _maps("one past the last", 38689, ge=0)
    test_dataset_path: Path = _maps("null: the training data")
    test_dataset_start: Int | None = _maps("the same for evaluation; equal to the end: no evaluation", 38689, ge=0)
    test_dataset_end: Int | None = _maps("one past the last", 39389, ge=0)
    val_fraction: Number = _maps(
        "fraction of sets held out for evaluation, those with the highest ids; used where path is yours and none of "
        "the four numbers above is given (recipe=improved); 0: no evaluation", 0.1, ge=0, lt=1
    )  # fmt: skip
    dataset_subset: Path = _maps("web: folder of the shard files")
    subset_ids: Ints | None = _maps("only these sets")
    gamemodes: ints(ge=0, le=3) | None = _maps(
        "only maps of these modes; they also lay out the tokens of a new model; null: those of the profile"
    )
    ranked_statuses: ints(ge=-2, le=4) | None = _maps(
        "only maps of these statuses: -2 graveyard, -1 wip, 0 pending, 1 ranked, 2 approved, 3 qualified, 4 loved; "
        "null: any, also unknown, which is the default where path is yours (recipe=improved)", (1, 2)
    )  # fmt: skip
    min_year: Int | None = _maps("of the ranked date")
    max_year: Int | None = _maps("of the ranked date, included")
    min_difficulty: Number | None = _maps("stars; null: any, also unrated", ge=0)
    max_difficulty: Number | None = _maps("stars, included", ge=0)
    leave_out: TextList = _maps("corpora: songs kept for tuning, by parts of their paths", ())
    mappers_path: Path = _maps("JSON {beatmap id: user id}, for data sets that do not name mappers")
    descriptors_path: Path = _maps("descriptors of maps: CSV lines `beatmap id,descriptor`, or hub id of a table")
    tags_path: Path = _maps("JSON list of tags; null: the built-in list of 2026")
    descriptor_source: one_of("omdb", "user_tags", "web", "local", "none") | None = _maps(
        "where descriptors come from; null: as the profile"
    )
    min_top_tag_count: Int | None = _maps("votes that a tag needs; null: as the recipe", ge=0)
    sample_weights_path: Path = _maps("CSV lines `beatmap id,weight` of maps in the loss")
    num_classes: Int = _maps("style classes at least; only with add_style_token", 152680, ge=0)
    resampler: one_of("published", "band_limited") | None = _maps(
        "how sound gets to the model's rate; null: published, for web band_limited"
    )

    cycle_length: Int = _batches(
        "sets read at once whose windows alternate, where lanes is null; 8 at least", 16, ge=1
    )
    lanes: Int | None = _batches("sets read at once; has to divide the batch; null: by cycle_length", ge=1)
    pool: Int | None = _batches(
        "windows of the shuffle buffer; null: dataloader.balancer_buffer_size, where 0: 512, or none under compat",
        ge=0,
    )
    batching: one_of("similar", "balanced", "random") | None = _batches(
        "similar lengths in a batch (little padding), equal numbers of tokens, or random; null: balanced "
        "with a balancer buffer, else similar, or random under compat"
    )

    src_seq_len: Int | None = _tokens("spectrogram frames of a window + 1", ge=2)
    tgt_seq_len: Int | None = _tokens("tokens of a window", ge=16)
    sample_rate: Int | None = _tokens("follows model.spectrogram.sample_rate: only that is accepted")
    hop_length: Int | None = _tokens("follows model.spectrogram.hop_length: only that is accepted")
    context_types: Contexts | None = _tokens("contexts that the model is given and that it writes")
    add_out_context_types: Bool | None = _tokens("start and end marks of what is written")
    num_diff_classes: Int | None = _tokens("classes of the star rating", ge=1)
    max_diff: Number | None = _tokens("stars at the last of them", ge=1)
    num_cs_classes: Int | None = _tokens("classes of the circle size", ge=1)
    add_gamemode_token: Bool | None = _tokens("condition: game mode")
    add_style_token: Bool | None = _tokens("condition: the map itself")
    add_diff_token: Bool | None = _tokens("condition: star rating")
    add_mapper_token: Bool | None = _tokens("condition: mapper")
    add_year_token: Bool | None = _tokens("condition: year")
    add_hitsounded_token: Bool | None = _tokens("condition: has hitsounds")
    add_song_length_token: Bool | None = _tokens("condition: length of the song")
    add_global_sv_token: Bool | None = _tokens("condition: slider multiplier")
    add_cs_token: Bool | None = _tokens("condition: circle size")
    add_keycount_token: Bool | None = _tokens("condition: keys of mania")
    add_hold_note_ratio_token: Bool | None = _tokens("condition: share of hold notes")
    add_scroll_speed_ratio_token: Bool | None = _tokens("condition: how often the scroll speed changes")
    add_descriptors: Bool | None = _tokens("condition: descriptors")
    add_kiai_special_token: Bool | None = _tokens("condition: kiai before the window")
    add_sv_special_token: Bool | None = _tokens("condition: scroll speed before the window")
    add_song_position_token: Bool | None = _tokens("condition: where in the song")
    add_pre_tokens: Bool | None = _tokens("events of the window before")
    add_gd_context: Bool | None = _tokens("one more difficulty of the set is given; sets of one map are left out")
    center_pad_decoder: Bool | None = _tokens("the start token stands near the middle of the window")
    types_first: Bool | None = _tokens("the kind of an object before its time")
    add_timing: Bool | None = _tokens("beats among the objects")
    add_timing_points: Bool | None = _tokens("timing points among the beats")
    add_snapping: Bool | None = _tokens("snap divisors")
    add_hitsounds: Bool | None = _tokens("hitsounds")
    add_volumes: Bool | None = _tokens("volumes")
    add_distances: Bool | None = _tokens("distances")
    add_positions: Bool | None = _tokens("positions")
    position_precision: Int | None = _tokens("osu! pixels of a step", ge=1)
    position_split_axes: Bool | None = _tokens("x and y as tokens of their own")
    position_refinement: Int | None = _tokens("osu! pixels of a finer second step", ge=1)
    position_range: Ints | None = _tokens("x from, x to, y from, y to")
    add_kiai: Bool | None = _tokens("kiai among the objects")
    add_sv: Bool | None = _tokens("slider and scroll speeds")
    add_mania_sv: Bool | None = _tokens("scroll speeds of mania among the objects")
    mania_bpm_normalized_scroll_speed: Bool | None = _tokens("scroll speeds of mania without what the BPM adds")
    slider_version: Int | None = _tokens("how sliders are written", ge=1, le=2)
    sustain_interval: Int | None = _tokens("ms between the tokens that say that a long object goes on", ge=1)

    context_weights: numbers(ge=0) | None = _samples("how often each of context_types is drawn; []: all alike")
    max_pre_token_len: Int | None = _samples("with add_pre_tokens: the last so many events; 0 or less: all", ge=-1)
    class_dropout_prob: Number | None = _unknown("beatmap_id")
    diff_dropout_prob: Number | None = _unknown("difficulty")
    mapper_dropout_prob: Number | None = _unknown("mapper_id")
    cs_dropout_prob: Number | None = _unknown("circle_size")
    year_dropout_prob: Number | None = _unknown("year")
    hold_note_ratio_dropout_prob: Number | None = _unknown("hold_note_ratio")
    scroll_speed_ratio_dropout_prob: Number | None = _unknown("scroll_speed_ratio")
    descriptor_dropout_prob: Number | None = _unknown("descriptors")
    add_empty_sequences: Bool = _samples("windows in which nothing happens", True)
    add_empty_sequences_at_step: Int = _samples(
        "with add_empty_sequences=false: they count from this step on; -1: never", -1, ge=-1
    )
    timing_random_offset: Int | None = _samples("jitter of input times, in steps of 10 ms", ge=0)
    timing_random_offset_2: Int | None = _samples("jitter common to all times of a window, in steps of 10 ms", ge=0)
    timing_random_offset_prob: Number | None = _samples("probability of each jitter", ge=0, le=1)
    snapping_random_prob: Number | None = _samples("fraction of input snap divisors that are replaced", ge=0, le=1)
    lookback: Number | None = _samples("fraction of a window whose events are context without labels", ge=0, le=1)
    lookback_prob: Number | None = _samples("probability of that, drawn once a map", ge=0, le=1)
    lookahead: Number | None = _samples("fraction at the end of a window whose events are not labels", ge=0, le=1)
    frame_offset_augment_prob: Number | None = _samples(
        "probability that the first window of a map begins at a random frame", ge=0, le=1
    )
    dt_augment_prob: Number | None = _samples("probability that a set is sped up", ge=0, le=1)
    dt_augment_range: Pair | None = _samples("range of the speed-up")
    dt_augment_sqrt: Bool | None = _samples("draw high speeds more often")
    flip_horizontal_prob: Number | None = _samples("probability of mirroring a set left to right", ge=0, le=1)
    flip_vertical_prob: Number | None = _samples("probability of mirroring a set top to bottom", ge=0, le=1)
    normalize_audio: Bool | None = _samples("divide the sound by its peak")
    rhythm_weight: Number = _samples("class weight of time tokens in the loss", 3.0, ge=0)
    label_smoothing: Number = _samples("of the loss; see recipe_options.label_smoothing", 0.0, ge=0, lt=1)

    @property
    def empty_from_step(self) -> int:
        """Until this step windows in which nothing happens do not count."""
        return 0 if self.add_empty_sequences else max(self.add_empty_sequences_at_step, 0)


class RecipeOptions(Section):
    """`recipe_options`"""

    state: one_of("events", "carried") | None = _recipe(
        "kiai and speed before a window are the map's own (events), or carried through the windows with the last "
        "output context winning even when it is empty"
    )
    first_pre_window: one_of("none", "all") | None = _recipe(
        "with add_pre_tokens: the first window is given nothing, or the whole map"
    )
    end_after_cut: Bool | None = _recipe("events that did not fit are followed by an end mark all the same")
    mapper_of: one_of("row", "file") | None = _recipe(
        "the mapper is the user that the data set names (row), or the one of the BeatmapID in the file"
    )
    disturb_evaluation: Bool | None = _recipe("evaluation inputs get jitter and snapping noise too")
    label_smoothing: one_of("honoured", "ignored") | None = _recipe("data.label_smoothing acts, or has no effect")


class MixtureOptions(Section):
    """`mixture`"""

    mode_shares: Shares = _mixture(
        "of rendered maps, by game mode; merged into the default, 0 leaves a mode out",
        {0: 0.6, 1: 0.1, 2: 0.08, 3: 0.22},
    )
    song_share: Number = _mixture("share of items that are real songs", 0.3, ge=0, le=1)
    rhythm_share: Number = _mixture("of those, the share that trains osu! rhythms only", 0.6, ge=0, le=1)


class LoaderOptions(Section):
    """`dataloader`"""

    num_workers: Int = _loader("processes that read and cut; they change nothing but the speed", 4, ge=0, le=1024)
    pin_memory: Bool = _loader("batches in page-locked memory, for GPUs", True)
    drop_last: Bool = _loader(
        "drop the last incomplete batch of an evaluation (training has none)", False
    )
    balancer_buffer_size: Int = _loader(
        "0: off; else batches get about the same number of tokens (data.batching) out of a pool of so many windows "
        "(data.pool); a multiple of the micro-batch", 0, ge=0
    )  # fmt: skip
    balancer_prefetch_factor: Number = _loader(
        "with a buffer: each worker keeps buffer / micro-batch times this batches ready; else 4", 0.5, ge=0
    )


class RopeScaling(Section):
    """`model.rope_scaling`"""

    factor: Number = _network("if not 1: in place of both factors above", 1.0, ge=1)
    rope_type: one_of(*ROPE_TYPES) = _network("if not default: in place of rope_type", "default")


class SpectrogramOptions(Section):
    """`model.spectrogram`"""

    implementation: one_of("nnAudio", "torchaudio") | None = _sound("whose mel formulas")
    log_scale: Bool | None = _sound("log(1 + x) of the spectrogram")
    sample_rate: Int | None = _sound("Hz", ge=1000)
    hop_length: Int | None = _sound("samples of a frame", ge=1)
    n_fft: Int | None = _sound("samples of a Fourier window", ge=2)
    n_mels: Int | None = _sound("mel bands", ge=1)
    f_min: Number | None = _sound("Hz", ge=0)
    f_max: Number | None = _sound("Hz", ge=1)
    pad_mode: one_of("constant", "reflect") | None = _sound("what lies beyond the window")


class ModelOptions(Section):
    """`model`"""

    name: Text | None = _network(
        "backbone: openai/whisper-*, Tiger14n/ropewhisper-*, OliBomby/varwhisper-*; the ending names the size (tiny, "
        "base, small, medium)"
    )
    project_encoder_input: Bool | None = _network("a linear layer between spectrogram and encoder")
    do_difficulty_embed: Bool | None = _network("condition the encoder on the star rating")
    do_mapper_embed: Bool | None = _network("condition the encoder on the mapper")
    do_song_position_embed: Bool | None = _network("condition the encoder on the position in the song")
    cond_dim: Int | None = _network("channels of each of these", ge=1)
    cond_size: Int | None = _network("their channels together: only that number is accepted", ge=0)
    rope_type: one_of(*ROPE_TYPES) | None = _network("rotary embedding")
    rope_encoder_scaling_factor: Number = _network("of the encoder's rotary embedding", 1.0, ge=1)
    rope_decoder_scaling_factor: Number = _network("of the decoder's rotary embedding", 1.0, ge=1)
    rope_scaling: RopeScaling = section(RopeScaling)
    attention_bias: Bool | None = _network("biases in the attention projections")
    global_attn_every_n_layers: Int | None = _network(
        "every so-many-th layer attends to everything, the others locally", ge=1
    )
    local_attention: Int = _network("tokens that a local layer sees, half of them on each side", 128, ge=2)
    local_rope_theta: Number = _network("of the local layers", 10000.0, ge=1)
    global_rope_theta: Number = _network("of the global layers", 10000.0, ge=1)
    overwrite: Table = _network(
        "single fields of the backbone's configuration, such as {d_model: 256, encoder_layers: 4}", {}
    )
    add_config: Table = _network("the same: more fields of it", {})
    onset_weight: Number | None = _network("of the onset head in the loss; null: the model's own", ge=0)
    spectrogram: SpectrogramOptions = section(SpectrogramOptions)


class OptimOptions(Section):
    """`optim`"""

    name: one_of("adamw", "adamwscale", "adafactor", "muon") = _optim("optimiser", "adamwscale")
    base_lr: Number = _optim("peak learning rate", 0.01, gt=0)
    base_lr_2: Number = _optim("of the AdamW inside Muon, see second_rate", 0.0003, gt=0)
    batch_size: Int = _optim("windows of an optimiser step on one process", 128, ge=1)
    total_steps: Int = _optim(
        "optimiser steps of the run; the lengths below that are not given scale with it", 65536, ge=1
    )
    warmup_steps: Int = _optim("linear warm-up from half the learning rate", 10000, ge=0)
    sustain_steps: Int = _optim("steps at the full learning rate after the warm-up", 0, ge=0)
    decay_steps: Int | None = _optim("length of the decay at the end, instead of sustain_steps", ge=0)
    lr_scheduler: one_of("cosine", "linear") = _optim("how the learning rate falls", "cosine")
    final_cosine: Number = _optim("learning rate at the end, whichever lr_scheduler", 1e-5, ge=0)
    weight_decay: Number = _optim("decoupled weight decay; what it touches says decay", 0.0, ge=0)
    grad_acc: Int = _optim("micro-batches of a step (gradient accumulation); divides batch_size", 32, ge=1)
    grad_clip: Number = _optim("gradient clipping by global norm; 0: off", 1.0, ge=0)
    ema_decay: Number = _optim(
        "decay of the EMA of the weights, which is evaluated and exported; 0: off", 0.0, ge=0, lt=1
    )
    betas: Betas | None = _optim("betas of the AdamW optimisers; null: the published ones")
    second_rate: one_of("used", "decay_only") | None = _optim(
        "Muon's inner AdamW steps at base_lr_2 (used), or at base_lr while base_lr_2 only scales its decay; null: "
        "by recipe"
    )
    orthogonalise: one_of("float32", "bfloat16") | None = _optim(
        "type that Muon orthogonalises in; in float32 processes and micro-batches agree better; null: by recipe"
    )
    decay: one_of("matrices", "published") | None = _optim(
        "weight decay touches matrices only, or what the published optimisers decay; null: by recipe"
    )

    @property
    def micro_batch(self) -> int:
        """Windows that go through the model at once."""
        return self.batch_size // self.grad_acc

    @property
    def sustained_steps(self) -> int:
        """Steps at the full rate."""
        if self.decay_steps is None:
            return self.sustain_steps
        return self.total_steps - self.warmup_steps - self.decay_steps

    @property
    def falling_steps(self) -> int:
        """Steps in which the rate falls."""
        return self.total_steps - self.warmup_steps - self.sustained_steps


class EvalOptions(Section):
    """`eval`"""

    every_steps: Int = _every("evaluate; a multiple of logging.every_steps", 1000, ge=1)
    steps: Int = _every("batches of an evaluation", 500, ge=1)
    sample_map: Bool = _every("an evaluation also generates a map and keeps its picture", False)


class CheckpointOptions(Section):
    """`checkpoint`"""

    every_steps: Int = _every("keep a checkpoint", 5000, ge=1)
    local_total_limit: Int = _every("newest checkpoints that are kept", 2, ge=1)


class LoggingOptions(Section):
    """`logging`"""

    log_with: one_of("tensorboard", "wandb") | None = _every("tracker beside `log.jsonl`, which is always written")
    every_steps: Int = _every("write a line; step 1 always has one", 10, ge=1)
    grad_l2: Bool = _every("log the norm of the gradient", True)
    weights_l2: Bool = _every("log the norm of the weights", True)
    mode: one_of("online", "offline", "disabled") = _every("of wandb", "online")
    run_name: Text | None = _every("name of the run in the tracker; null: the tracker's choice")


class ProfilerOptions(Section):
    """`profile`"""

    do_profile: Bool = _every("run under torch's profiler", False)
    early_stop: Bool = _every("end the run with the last profiled step", True)
    wait: Int = _every("steps before the profiler warms up", 80, ge=0)
    warmup: Int = _every("steps that it warms up", 8, ge=0)
    active: Int = _every("steps that are kept", 8, ge=1)
    repeat: Int = _every("times that all this happens", 1, ge=1)


class LoraOptions(Section):
    """`lora`"""

    r: Int = _lora("rank", 64, ge=1)
    lora_alpha: Number = _lora("the change of a weight is lora_alpha / r * B A", 128.0, gt=0)
    target_modules: TextList | None = _lora("ends of module names; null: the attention projections of the model")
    lora_dropout: Number = _lora("share of an adapter's inputs that are dropped", 0.05, ge=0, lt=1)
    init_lora_weights: Annotated[str, BeforeValidator(_init)] = _lora(
        "true, default, gaussian, pissa or pissa_niter_<steps>", "pissa"
    )

    @property
    def initial_weights(self) -> bool | str:
        """`init_lora_weights` as peft takes it."""
        return True if self.init_lora_weights in ("true", "default") else self.init_lora_weights

    @property
    def principal(self) -> bool:
        """True when the adapter starts from a part of the base (PiSSA)."""
        return self.init_lora_weights.startswith("pissa")


class LoraMetadata(Section):
    """`lora_metadata`"""

    ckpt_subfolders: TextList | None = _lora("sub-checkpoints that the LoRA may be used with; null: any")


# ---- what does not go together


@contradiction("device")
def device_is_unknown(device: str) -> str | None:
    if re.fullmatch(r"auto|cpu|gpu|cuda(:\d+)?", device):
        return None
    return f"device={device} is unknown{suggestion(device, ('auto', 'cpu', 'cuda'))}; use auto, cpu, cuda or cuda:N"


@contradiction("optim.batch_size", "optim.grad_acc", "dataloader.balancer_buffer_size")
def batch_cannot_be_split(batch_size: int, grad_acc: int, buffer: int) -> str | None:
    if batch_size % grad_acc:
        return f"optim.batch_size {batch_size} cannot be split into optim.grad_acc {grad_acc} equal parts"
    micro = batch_size // grad_acc
    if buffer % micro:
        return f"dataloader.balancer_buffer_size {buffer} is no multiple of the micro-batch, {micro}"
    return None


@contradiction("optim.total_steps", "optim.warmup_steps", "optim.sustain_steps", "optim.decay_steps")
def schedule_is_too_long(total: int, warmup: int, sustain: int, decay: int | None) -> str | None:
    last, steps = ("sustain_steps", sustain) if decay is None else ("decay_steps", decay)
    if warmup + steps <= total:
        return None
    return (
        f"optim.total_steps {total} is less than warmup_steps {warmup} + {last} {steps}: shorten them or train longer"
    )


@contradiction("eval.every_steps", "logging.every_steps")
def evaluation_between_lines(evaluate: int, log: int) -> str | None:
    return f"eval.every_steps {evaluate} is no multiple of logging.every_steps {log}" if evaluate % log else None


@contradiction("data.min_year", "data.max_year", "data.min_difficulty", "data.max_difficulty")
def limits_leave_nothing(*limits: float | None) -> list[str]:
    pairs = {"year": limits[:2], "difficulty": limits[2:]}
    return [
        f"data.min_{name} {low} lies above data.max_{name} {high}: no map is left"
        for name, (low, high) in pairs.items()
        if low is not None and high is not None and low > high
    ]


@contradiction("enable_lora", "pretrained_path", "lora.target_modules")
def lora_lacks(enabled: bool, pretrained_path: str | None, targets: tuple[str, ...] | None) -> list[str]:
    lacking = []
    if enabled and not pretrained_path:
        lacking.append("enable_lora needs pretrained_path: the model that the LoRA changes")
    if targets == ():
        lacking.append("lora.target_modules is empty; leave it null for the attention projections")
    return lacking


@contradiction("data.gamemodes", "data.src_seq_len", "data.position_range")
def windows_cannot_be(modes: tuple | None, frames: int | None, positions: tuple | None) -> list[str]:
    wrong = []
    if modes == ():
        wrong.append("data.gamemodes is empty; name at least one mode, or null for those of the profile")
    if frames is not None and frames % 2:
        wrong.append(f"data.src_seq_len {frames} must be even: the encoder halves it")
    if positions is not None and len(positions) != 4:
        wrong.append("data.position_range must be four numbers: x from, x to, y from, y to")
    return wrong


LENGTHS = ("warmup_steps", "sustain_steps", "decay_steps")
WITHOUT_EFFECT = {
    "attn_implementation": "attention is exact, and torch takes the fastest kernel that the machine has",
    "data.train_dataset_streaming": "archives of a hub are fetched one by one into its cache and read there",
    "data.test_dataset_streaming": "archives of a hub are fetched one by one into its cache and read there",
    "checkpoint.wandb_cache_cleanup_size": "checkpoints are not uploaded, so the tracker keeps no copies of them",
}
ONLY = {
    "pretrained_t5_compat": ((False,), "T5 backbones were never published; for other tokens use pretrained_transfer"),
    "mode": (("train",), "it named a tool that looked at data; `benchmarks/loader.py` measures the loader"),
    "data.per_track": ((True,), "maps are cut one after the other; all of a track at once was never published"),
    "data.only_last_beatmap": ((False,), "all maps of a set are used; min_difficulty leaves out easy ones"),
    "data.add_pre_tokens_at_step": ((-1,), "the published trainer added them from the first step; set add_pre_tokens"),
    "model.config_base": (("",), "nothing ever read it; the backbone is model.name"),
    "model.input_features": ((True,), "the backbones here are given spectrograms"),
    "model.input_raw_wave": ((False,), "no backbone here is given raw sound"),
    "model.embed_decoder_input": ((True,), "the decoder reads more tokens than it writes, so it has its own embedding"),
    "model.manual_norm_weights": ((False,), "only of backbones that were never published"),
    "model.do_style_embed": (
        (False,),
        "no published model has it; a map's style can be a token (data.add_style_token)",
    ),
    "model.deterministic_flash_attn": ((False,), "attention is torch's own; there is no such switch"),
    "checkpoint.cleanup_wandb_cache_before_save": ((False,), "checkpoints are not uploaded to the tracker"),
    "lora.bias": (("none",), "no file format of adapters carries trained biases"),
}
WORDS = {
    "optim.base_lr": "lr learning_rate max_lr peak_lr",
    "optim.base_lr_2": "adam_lr adamw_lr lr_2 lr2",
    "optim.final_cosine": "min_lr final_lr lr_min",
    "optim.total_steps": "steps max_steps max_train_steps num_steps epochs n_epochs num_epochs num_train_epochs",
    "optim.warmup_steps": "warmup num_warmup_steps warmup_ratio",
    "optim.sustain_steps": "stable_steps",
    "optim.grad_acc": "gradient_accumulation_steps grad_accum grad_accumulation accumulate accumulate_grad_batches",
    "optim.grad_clip": "max_grad_norm clip_grad gradient_clip_val clip",
    "optim.batch_size": "batch bs per_device_train_batch_size train_batch_size",
    "optim.name": "optimizer optimiser",
    "optim.lr_scheduler": "scheduler lr_scheduler_type schedule",
    "optim.weight_decay": "wd",
    "optim.betas": "adam_betas",
    "optim.ema_decay": "ema",
    "optim.second_rate": "use_base_lr_2",
    "mixed_precision": "fp16 bf16 amp autocast",
    "compile": "torch_compile",
    "checkpoint.every_steps": "save_steps save_every",
    "checkpoint.local_total_limit": "save_total_limit",
    "eval.every_steps": "eval_steps eval_every val_check_interval",
    "logging.every_steps": "logging_steps log_every log_every_n_steps",
    "logging.log_with": "report_to logger wandb tensorboard",
    "data.path": "data_path dataset dataset_path train_path",
    "data.val_fraction": "val_split validation_split valid_fraction test_split",
    "output_dir": "out output output_path save_dir",
    "checkpoint_path": "resume resume_from_checkpoint resume_from ckpt_path",
    "pretrained_path": "model_path init_from from_pretrained base_model",
    "dataloader.num_workers": "workers dataloader_num_workers",
    "lora.r": "rank lora_r lora_rank",
    "lora.lora_alpha": "alpha",
    "lora.lora_dropout": "dropout",
    "data.min_difficulty": "min_stars",
    "data.max_difficulty": "max_stars",
    "model.overwrite": "d_model hidden_size num_layers encoder_layers decoder_layers",
    "device": "gpu gpus num_gpus cuda",
}


class TrainOptions(Options):
    """Options of one training run. Raises OptionErrors naming every mistake."""

    command: ClassVar[Command] = Command(
        tree="train",
        title="a training run",
        usage=USAGE,
        contradictions=(
            device_is_unknown,
            batch_cannot_be_split,
            schedule_is_too_long,
            evaluation_between_lines,
            limits_leave_nothing,
            lora_lacks,
            windows_cannot_be,
        ),
        words={word: key for key, words in WORDS.items() for word in words.split()},
        without_effect=WITHOUT_EFFECT,
        only=ONLY,
        only_in_clone={
            "mini": "the recipe of the embedded model, its corpora and their tools, is part of the repository; clone it"
        },
    )

    recipe: one_of("improved", "compat") = _run("compat: exactly as the published models were trained", "improved")
    output_dir: Path = _run("log, checkpoints and the exported model; null: runs/<data.profile>")
    threads: Int | None = _run(
        "threads of torch on the CPU; null: torch's own choice, or OMP_NUM_THREADS", ge=1, le=1024
    )
    compile: Bool = _run("compile the model with torch", False)
    device: Text = _run("auto, cpu, cuda, cuda:N; gpu is cuda, and an error where there is none", "auto")
    mixed_precision: one_of("no", "fp16", "bf16") = _run("autocast", "bf16")
    precision: one_of("fp32", "fp16", "bf16", "amp") | None = _run("type of the weights; amp and null: fp32", "fp32")
    seed: Int = _run("random seed", 42, ge=0, le=2**32 - 1)
    checkpoint_path: Path = _run("resume from this checkpoint folder; null: from the newest of output_dir, if any")
    pretrained_path: Path = _run("folder or hub id of the weights and vocabulary to start from; null: new ones")
    pretrained_gamemode: Int | None = _run("take its sub-checkpoint gamemode=N, where there is one", ge=0, le=3)
    pretrained_transfer: Bool = _run("carry over a model of other tokens or windows instead of refusing it", False)
    enable_lora: Bool = _run("train a LoRA instead of the whole model", False)
    data: DataOptions = section(DataOptions)
    recipe_options: RecipeOptions = section(RecipeOptions)
    mixture: MixtureOptions = section(MixtureOptions)
    dataloader: LoaderOptions = section(LoaderOptions)
    model: ModelOptions = section(ModelOptions)
    optim: OptimOptions = section(OptimOptions)
    eval: EvalOptions = section(EvalOptions)
    checkpoint: CheckpointOptions = section(CheckpointOptions)
    logging: LoggingOptions = section(LoggingOptions)
    profile: ProfilerOptions = section(ProfilerOptions)
    lora: LoraOptions = section(LoraOptions)
    lora_metadata: LoraMetadata = section(LoraMetadata)

    @classmethod
    def completed(cls, values: Mapping[str, Any], layers: Sequence[Layer]) -> Mapping[str, Any]:
        """Lengths of the schedule keep the shares that they had of `total_steps` where they were stated."""
        scaled, total = {}, OptimOptions.model_fields["total_steps"].default
        lengths = {name: (OptimOptions.model_fields[name].default, total) for name in LENGTHS}
        for layer in layers:
            total = layer.values.get("optim.total_steps", total)
            for name in LENGTHS:
                if f"optim.{name}" in layer.values:
                    lengths[name] = (layer.values[f"optim.{name}"], total)
        for name, (steps, total_then) in lengths.items():
            # what is no number is told when it is checked
            if total != total_then and all(isinstance(n, int) and n > 0 for n in (steps, total, total_then)):
                scaled[name] = int(steps * total / total_then)
        optim = values.get("optim", {})
        return {**values, "optim": {**optim, **scaled}} if scaled and isinstance(optim, Mapping) else values

    @property
    def torch_device(self) -> str:
        return "cuda" if self.device == "gpu" else self.device
