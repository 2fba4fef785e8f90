"""What a training run is, worked out from its options: profile, sample recipe, splits, stream, network, loss.

Here null becomes the value of the profile or the recipe, and what options say together is checked against the profile.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from osuT5.data.catalogue import MapFilter
from osuT5.data.recipes import SampleRecipe, recipe_for
from osuT5.data.stream import StreamSettings, lanes_for
from osuT5.errors import CheckpointError, InputError, OptionErrors, suggestion
from osuT5.events import ContextType, Profile, Template, load_profile
from osuT5.model.families import STOCK_SIZES, BackboneSettings, family_of
from osuT5.options import ASKED, spelled
from osuT5.training.options import TrainOptions

LEAST_LANES = 8  # as many sets as the published loader's eight workers had open at once
PREFETCH = 4
# What null means where the sample recipe (`osuT5.data.recipes`) does not say it.
BY_RECIPE: Mapping[str, Mapping[str, Any]] = {
    "improved": {
        "optim.second_rate": "used",
        "optim.decay": "matrices",
        "optim.orthogonalise": "float32",
        "recipe_options.label_smoothing": "honoured",
        "data.pool": 512,
        "data.batching": "similar",
    },
    "compat": {
        "optim.second_rate": "decay_only",
        "optim.decay": "published",
        "optim.orthogonalise": "bfloat16",
        "recipe_options.label_smoothing": "ignored",
        "data.pool": 0,
        "data.batching": "random",
    },
}
# key -> field of the sample recipe
RECIPE_FIELDS = {
    "data.context_weights": "template_weights", "data.max_pre_token_len": "max_pre_tokens",
    "data.add_pre_tokens": "pre_tokens", "data.min_top_tag_count": "min_tag_votes",
    "data.timing_random_offset": "time_jitter", "data.timing_random_offset_2": "common_time_jitter",
    "data.timing_random_offset_prob": "jitter_prob", "data.snapping_random_prob": "snapping_noise",
    "data.lookback": "lookback", "data.lookback_prob": "lookback_prob", "data.lookahead": "lookahead",
    "data.frame_offset_augment_prob": "frame_offset_prob", "data.dt_augment_prob": "speed_prob",
    "data.dt_augment_range": "speed_range", "data.dt_augment_sqrt": "speed_sqrt",
    "data.flip_horizontal_prob": "flip_x_prob", "data.flip_vertical_prob": "flip_y_prob",
    "data.normalize_audio": "normalize_audio", "recipe_options.state": "state",
    "recipe_options.first_pre_window": "first_pre_window", "recipe_options.end_after_cut": "end_after_cut",
    "recipe_options.mapper_of": "mapper_of", "recipe_options.disturb_evaluation": "disturb_evaluation",
}  # fmt: skip
# key -> condition whose dropout it is
DROPOUT = {
    "data.class_dropout_prob": "beatmap_id", "data.diff_dropout_prob": "difficulty",
    "data.mapper_dropout_prob": "mapper_id", "data.cs_dropout_prob": "circle_size", "data.year_dropout_prob": "year",
    "data.hold_note_ratio_dropout_prob": "hold_note_ratio",
    "data.scroll_speed_ratio_dropout_prob": "scroll_speed_ratio", "data.descriptor_dropout_prob": "descriptors",
}  # fmt: skip
# conditioning vectors of the encoder, each of `cond_dim` channels
EMBEDDINGS = ("do_difficulty_embed", "do_mapper_embed", "do_song_position_embed")
# fields of a backbone's configuration that may be set; the others follow from profile and vocabulary
STOCK_BACKBONE = (
    "rope_encoder_scaling_factor", "rope_decoder_scaling_factor", "local_attention", "local_rope_theta",
    "global_rope_theta",
)  # fmt: skip
BACKBONE_FIELDS = (
    "d_model", "encoder_layers", "decoder_layers", "encoder_attention_heads", "decoder_attention_heads",
    "encoder_ffn_dim", "decoder_ffn_dim", "dropout", "attention_bias", "init_std", "rope_type", "rope_scaling",
    "global_attn_every_n_layers", *STOCK_BACKBONE,
)  # fmt: skip
DERIVED = ("cond_size", "conv1_input_channels")  # of a profile's sizes, those that follow from others
OWN_SPLITS = ("corpora",)  # data sets that say themselves which of their parts is for training: no ranges
RANGES_OF_FILES = ("web",)  # data sets whose ranges count files, not sets
DEFAULT_RESAMPLER = {"web": "band_limited"}  # what the published loader took for web data
UNKNOWN_IN = {"ors": ("ranked_statuses", "min_year", "max_year")}  # filters on these would leave no map
RANGE_KEYS = tuple(f"data.{part}_dataset_{end}" for part in ("train", "test") for end in ("start", "end"))

Range = tuple[int, int] | None


@dataclass(frozen=True)
class Split:
    """Where the windows of training or evaluation come from.

    Attributes:
        path: folder (mmrs, shards, ors, corpora, web) or hub id (web).
        filter: which maps to take; for web its `start` and `end` are None, and `shards` are meant.
        shards: [start, end) of the shard files of a web data set; None = all.
    """

    path: str
    filter: MapFilter
    shards: Range


@dataclass(frozen=True)
class Run:
    """A training run.

    Attributes:
        options: with what null means under recipe and profile filled in.
        profile: the named profile with the changes of the options.
        recipe: how maps become samples.
        test: None = nothing is evaluated.
        descriptor_source, resampler: of the data.
        prefetch: batches that each worker keeps ready.
        label_smoothing: as it takes effect: 0 where the recipe ignores it.
        backbone: fields of the backbone's configuration that differ from the profile's.
        notices: sentences for the user.
    """

    options: TrainOptions
    profile: Profile
    recipe: SampleRecipe
    train: Split
    test: Split | None
    descriptor_source: str
    resampler: str
    prefetch: int
    label_smoothing: float
    backbone: dict[str, Any]
    output_dir: Path
    notices: tuple[str, ...]

    @property
    def loss(self) -> dict[str, float]:
        """Fields of the model's configuration that a loaded model takes too."""
        values = {"rhythm_weight": self.options.data.rhythm_weight, "label_smoothing": self.label_smoothing}
        weight = self.options.model.onset_weight
        return values if weight is None else {**values, "onset_weight": weight}

    @property
    def model_overrides(self) -> dict[str, Any]:
        """For `Mapperatorinator.from_profile` of a new model."""
        return {**self.loss, "backbone_config": dict(self.backbone)}

    def stream(self, batch_size: int, ranks: int = 1) -> StreamSettings:
        """Of the stream that fills batches of `batch_size` windows over all ranks. Raises InputError."""
        data = self.options.data
        lanes = lanes_for(batch_size, ranks, data.lanes)
        return StreamSettings(self.options.seed, batch_size, lanes, data.pool, data.batching)


def open_run(options: TrainOptions) -> Run:
    """The run of these options. Raises OptionErrors naming everything that profile or recipe cannot serve."""
    problems: list[str] = []
    notices: list[str] = options.ignored()
    filled = _filled(options)
    profile = _profile(options, problems)
    recipe = _recipe(filled, profile, problems)
    own = _is_own_data(options)
    train, test = _splits(options, profile, own, problems, notices)
    data, buffer, micro = options.data, options.dataloader.balancer_buffer_size, options.optim.micro_batch
    smoothing = data.label_smoothing
    if smoothing and filled.recipe_options.label_smoothing == "ignored":
        notices.append(
            f"data.label_smoothing {smoothing} has no effect, as in the training of the published models; "
            "recipe_options.label_smoothing=honoured gives it one"
        )
        smoothing = 0.0
    backbone = _backbone(options, profile, problems)
    if problems:
        raise OptionErrors(problems)
    # without a table of votes beside the data, the votes are those that the data set itself holds
    own_votes = profile.descriptor_source == "web" and data.dataset_type != "web" and not data.descriptors_path
    return Run(
        options=filled,
        profile=profile,
        recipe=recipe,
        train=train,
        test=test,
        descriptor_source="user_tags" if own_votes else profile.descriptor_source,
        resampler=data.resampler or DEFAULT_RESAMPLER.get(data.dataset_type, "published"),
        prefetch=max(int(buffer / micro * options.dataloader.balancer_prefetch_factor), 2) if buffer else PREFETCH,
        label_smoothing=smoothing,
        backbone=backbone,
        output_dir=Path(options.output_dir or f"runs/{data.profile}").expanduser(),
        notices=tuple(notices),
    )


def _filled(options: TrainOptions) -> TrainOptions:
    """With the recipe's values where null means them."""
    data, by_recipe = options.data, dict(BY_RECIPE[options.recipe])
    buffer = options.dataloader.balancer_buffer_size
    if buffer:
        by_recipe |= {"data.pool": buffer, "data.batching": "balanced"}
    by_recipe["data.lanes"] = max(data.cycle_length, LEAST_LANES)
    changes: dict[str, dict[str, Any]] = {}
    for key, value in by_recipe.items():
        section, name = key.split(".")
        if options.get(key) is None:
            changes.setdefault(section, {})[name] = value
    sections = {name: getattr(options, name).model_copy(update=update) for name, update in changes.items()}
    precision = {None: "fp32", "amp": "fp32"}.get(options.precision, options.precision)
    folders = options.lora_metadata.ckpt_subfolders
    if folders is not None:
        folders = tuple(dict.fromkeys(folder.strip("/") for folder in folders))
        sections["lora_metadata"] = options.lora_metadata.model_copy(update={"ckpt_subfolders": folders})
    return options.model_copy(update={**sections, "precision": precision, "device": options.torch_device})


# ---- profile and recipe


def _profile(options: TrainOptions, problems: list[str]) -> Profile:
    """The named profile; every key of tokens, network and spectrogram that is not null replaces its value."""
    data, base = options.data, load_profile(options.data.profile)
    fields = (set(Profile.__dataclass_fields__) & set(type(data).model_fields)) - {"profile"}
    changes = {name: getattr(data, name) for name in fields if getattr(data, name) is not None}
    if data.context_types is not None:
        known = {c.value for c in ContextType}
        wrong = sorted({name for pair in data.context_types for names in pair for name in names} - known)
        if wrong or not data.context_types:
            what = f"names unknown contexts {', '.join(wrong)}" if wrong else "is empty"
            problems.append(f"data.context_types {what}; contexts are {', '.join(sorted(known))}")
        else:
            changes["templates"] = tuple(
                Template(tuple(map(ContextType, given)), tuple(map(ContextType, written)))
                for given, written in data.context_types
            )
    sound = {**base.spectrogram, **_stated(options.model.spectrogram)}
    profile = base.replace(model=_network(options, base, sound, problems), spectrogram=sound, **changes)
    for name in ("sample_rate", "hop_length"):
        stated, real = getattr(data, name), getattr(profile, name)
        if stated not in (None, real):
            problems.append(f"data.{name} {stated} is not model.spectrogram.{name}, {real}; leave it null")
    return profile


def _stated(section: Any) -> dict[str, Any]:
    return {name: value for name, value in section if value is not None}


def _network(options: TrainOptions, base: Profile, sound: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    """Sizes of the network, those that follow from others included."""
    names = {"name": "backbone_model_name"}
    stated = {names.get(name, name): value for name, value in _stated(options.model).items()}
    model = {**base.model, **{name: value for name, value in stated.items() if name in base.model}}
    name = model["backbone_model_name"]
    if name != base.model["backbone_model_name"]:
        size = name.rsplit("-", 1)[-1]
        try:
            family_of(name)
        except CheckpointError as error:
            problems.append(f"model.name: {error}")
        if size in STOCK_SIZES:
            model |= dict(zip(("d_model", "layers_per_side", "heads", "ffn_dim"), STOCK_SIZES[size], strict=True))
        else:
            problems.append(f"model.name {name} ends with no known size; they are {', '.join(STOCK_SIZES)}")
    channels = model["cond_dim"] * sum(bool(model[name]) for name in EMBEDDINGS)
    if stated.get("cond_size", channels) != channels:
        problems.append(f"model.cond_size {stated['cond_size']} is not what the embeddings add up to, {channels}")
    width = {**options.model.overwrite, **options.model.add_config}.get("d_model") or model["d_model"]
    inputs = width if model["project_encoder_input"] else sound["n_mels"] + channels
    return {**model, "cond_size": channels, "conv1_input_channels": inputs}


def _recipe(options: TrainOptions, profile: Profile, problems: list[str]) -> SampleRecipe:
    """The recipe of that name for the profile; every key of samples that is not null replaces its value."""
    try:
        recipe = recipe_for(options.recipe, profile)
    except InputError as error:
        problems.append(f"recipe={options.recipe}: {error}")
        return SampleRecipe()
    given = {field: options.get(key) for key, field in RECIPE_FIELDS.items() if options.get(key) is not None}
    dropout = {name: options.get(key) for key, name in DROPOUT.items() if options.get(key) is not None}
    own_templates = profile.templates != load_profile(profile.name).templates
    if own_templates and "template_weights" not in given:
        given["template_weights"] = ()  # the recipe's weights are of other templates
    data = options.data
    empty = data.add_empty_sequences or data.add_empty_sequences_at_step >= 0
    recipe = replace(recipe, dropout={**recipe.dropout, **dropout}, empty=empty, **given)
    weights, count = recipe.template_weights, len(profile.templates)
    if weights and (len(weights) != count or not sum(weights) > 0):
        problems.append(
            f"data.context_weights {spelled(weights)} must be one number for each of the {count} context_types, "
            "not all of them 0"
        )
    return recipe


def _backbone(options: TrainOptions, profile: Profile, problems: list[str]) -> dict[str, Any]:
    """Fields of the backbone's configuration that differ from what it is anyway."""
    model = options.model
    stock = type(model).model_fields
    fields = {name: getattr(model, name) for name in STOCK_BACKBONE if getattr(model, name) != stock[name].default}
    if model.rope_scaling != type(model.rope_scaling)():
        fields["rope_scaling"] = model.rope_scaling.model_dump()
    for key in ("overwrite", "add_config"):
        given = dict(getattr(model, key))
        if given.pop("tie_word_embeddings", False) is not False:
            problems.append(f"model.{key}.tie_word_embeddings can only be false: input and output tokens differ")
        for name in given:
            if name not in BACKBONE_FIELDS:
                hint, known = suggestion(name, BACKBONE_FIELDS), ", ".join(BACKBONE_FIELDS)
                problems.append(f"model.{key}.{name} is no field of a backbone{hint}; there are {known}")
        fields |= given
    heads = dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), profile.model["heads"])
    base = load_profile(profile.name).model
    try:
        whole = {"d_model": profile.model["d_model"], **heads, **fields}
        BackboneSettings.from_dict(base["backbone_model_name"], whole)
    except CheckpointError as error:
        problems.append(f"model.*: {str(error).removeprefix('config.json: ')}")
    if options.pretrained_path and not options.pretrained_transfer:
        changed = {k for k, v in profile.model.items() if base.get(k) != v and k not in DERIVED} | set(fields)
        if changed:
            problems.append(
                f"the network comes from pretrained_path, but {', '.join(sorted(changed))} of `model.*` are set; leave "
                "them as they are, or set pretrained_transfer=true for a new network"
            )
    return fields


# ---- data


def _is_own_data(options: TrainOptions) -> bool:
    """Whether the data set is the user's and nobody said how to split it: the published ranges do not fit it."""
    paths = ("data.path", "data.train_dataset_path")
    asked = any(options.origin(key) == ASKED for key in paths) and options.data.dataset_type not in RANGES_OF_FILES
    return asked and options.recipe != "compat"


def _splits(
    options: TrainOptions, profile: Profile, own: bool, problems: list[str], notices: list[str]
) -> tuple[Split, Split | None]:
    """Training and test split; the latter is None where nothing is to be evaluated."""
    data, kind = options.data, options.data.dataset_type
    names = ("subset_ids", "ranked_statuses", "min_year", "max_year", "min_difficulty", "max_difficulty")
    wanted = {name: getattr(data, name) for name in names if name not in UNKNOWN_IN.get(kind, ())}
    if own and wanted.get("ranked_statuses") and options.origin("data.ranked_statuses") != ASKED:
        wanted["ranked_statuses"] = None
        notices.append("maps of any status are taken, as the data is yours (data.ranked_statuses=[1,2]: ranked ones)")
    lists = {name: wanted.get(name) or () for name in ("subset_ids", "ranked_statuses")}
    chosen = MapFilter(gamemodes=profile.gamemodes, **{**wanted, **lists})
    path = os.path.expanduser(data.train_dataset_path or data.path or "")
    if not path:
        problems.append(
            "data.train_dataset_path (or data.path) is missing: the folder of the data set, such as "
            "`python -m osuT5.data.build` makes of .osz files"
        )
    test_path = os.path.expanduser(data.test_dataset_path or path)
    if own and kind not in OWN_SPLITS and not any(options.origin(key) == ASKED for key in RANGE_KEYS):
        share = 0.0 if data.test_dataset_path else data.val_fraction
        train = Split(path, replace(chosen, shares=(0.0, 1.0 - share)) if share else chosen, None)
        if share:
            return train, Split(test_path, replace(chosen, shares=(1.0 - share, 1.0)), None)
        return train, Split(test_path, chosen, None) if data.test_dataset_path else None
    train_range, test_range = _range(options, "train", problems), _range(options, "test", problems)
    if train_range is not None and train_range[0] == train_range[1]:
        problems.append("data.train_dataset_start = data.train_dataset_end: no set is left; null takes them all")
    training, testing = (_split(p, r, kind, chosen) for p, r in ((path, train_range), (test_path, test_range)))
    if test_range is not None and test_range[0] == test_range[1]:
        return training, None
    if testing.path == training.path and kind not in OWN_SPLITS and _overlap(train_range, test_range):
        notices.append(
            "the evaluation data is part of the training data, so its numbers say little; give both ranges of sets "
            "(data.train_dataset_end, data.test_dataset_start, data.test_dataset_end)"
        )
    return training, testing


def _range(options: TrainOptions, part: str, problems: list[str]) -> Range:
    first, last = f"data.{part}_dataset_start", f"data.{part}_dataset_end"
    start, end, kind = options.get(first), options.get(last), options.data.dataset_type
    if kind in OWN_SPLITS and (start or 0) != (end or 0):
        problems.append(f"{first} and {last} must be null: data of the type {kind} says itself what is for training")
        return None
    if end is None:
        if start:
            problems.append(f"{first} {start} needs {last} too")
        return None
    if (start or 0) > end:
        problems.append(f"{first} {start} lies beyond {last} {end}")
        return None
    return (start or 0, end)


def _split(path: str, wanted: Range, kind: str, chosen: MapFilter) -> Split:
    if kind in RANGES_OF_FILES:
        return Split(path, chosen, wanted)
    start, end = wanted or (None, None)
    return Split(path, replace(chosen, start=start, end=end), None)


def _overlap(one: Range, other: Range) -> bool:
    return one is None or other is None or (one[0] < other[1] and other[0] < one[1])
