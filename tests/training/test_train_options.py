"""Options become a run: every key has an effect or is refused with a reason, all mistakes at once."""

import copy
from functools import cache

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from osuT5.data.recipes import recipe_for
from osuT5.errors import InputError, OptionErrors
from osuT5.events import ContextType, load_profile
from osuT5.options.compose import compose, find_preset, preset_names, whole_key
from osuT5.options.model import Layer, annotation_of, get, leaves, put
from osuT5.options.types import limits_of, parts, words_of
from osuT5.training.options import TrainOptions
from osuT5.training.run import RECIPE_FIELDS, open_run

CONFIGS = preset_names("train")
OPTIONS = TrainOptions.keys()
ABOUT_STEPS = OPTIONS["optim.total_steps"].description
# the published split of v29, which data of one's own does not get
PUBLISHED = ("train_dataset_start=0", "train_dataset_end=38689", "ranked_statuses=[1,2]")


@cache
def composed_of(name):
    return compose(TrainOptions, find_preset("train", name), ["data.path=songs"])


def options(*overrides, name="v29"):
    """As on the command line, but without composing the preset anew for every case."""
    base = composed_of(name)
    values, asked, problems = copy.deepcopy(base.values), ["data.path"], []
    for text in overrides:
        key, value = text.split("=", 1)
        found, problem = whole_key(TrainOptions, key)
        if problem:
            problems.append(problem)
            continue
        value = yaml.safe_load(value)
        before = get(values, found)
        put(values, found, {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value)
        asked.append(found)
    preset = compose(TrainOptions, find_preset("train", name), [])
    layers = [*preset.layers, Layer("asked", {key: get(values, key) for key in asked})]
    return TrainOptions.read(values, layers, problems)


def settings(*overrides, name="v29"):
    return open_run(options(*overrides, name=name))


def refusal(*overrides, name="v29"):
    with pytest.raises(OptionErrors) as caught:
        settings(*overrides, name=name)
    return caught.value.problems


@pytest.fixture(scope="module")
def plain():
    return settings()


# ---- configurations


@pytest.mark.parametrize("name", CONFIGS)
def test_every_configuration_is_complete_and_possible(name):
    assert settings(name=name).train.path == "songs"
    assert {key for key, _ in leaves(composed_of(name).values, OPTIONS)} == set(OPTIONS)


def test_the_improved_recipe_is_the_default_and_compat_is_a_word_away(plain):
    assert plain.recipe == recipe_for("improved", plain.profile)
    old = settings("recipe=compat")
    assert old.recipe == recipe_for("compat", old.profile)
    parts = ("second_rate", "decay", "orthogonalise")
    assert [getattr(old.options.optim, part) for part in parts] == ["decay_only", "published", "bfloat16"]
    assert [getattr(plain.options.optim, part) for part in parts] == ["used", "matrices", "float32"]


@pytest.mark.parametrize(
    ("override", "part", "value"),
    [
        ("state=carried", "recipe.state", "carried"),
        ("first_pre_window=all", "recipe.first_pre_window", "all"),
        ("end_after_cut=true", "recipe.end_after_cut", True),
        ("mapper_of=file", "recipe.mapper_of", "file"),
        ("disturb_evaluation=true", "recipe.disturb_evaluation", True),
        ("second_rate=decay_only", "options.optim.second_rate", "decay_only"),
        ("optim.decay=published", "options.optim.decay", "published"),
        ("orthogonalise=bfloat16", "options.optim.orthogonalise", "bfloat16"),
        ("data.batching=random", "options.data.batching", "random"),
    ],
)
def test_each_difference_between_the_recipes_can_be_had_alone(plain, override, part, value):
    changed = settings(override)
    assert at(changed, part) == value != at(plain, part)
    assert changed.options.recipe == "improved"
    back = settings("recipe=compat", f"{override.split('=')[0]}={str(at(plain, part)).lower()}")
    assert at(back, part) == at(plain, part)


def test_label_smoothing_is_honoured_unless_the_recipe_ignores_it():
    assert settings(name="v32").label_smoothing == 0.2
    ignored = settings("recipe=compat", name="v32")
    assert ignored.label_smoothing == 0 and "label_smoothing" in ignored.notices[0]
    assert settings("recipe=compat", "recipe_options.label_smoothing=honoured", name="v32").label_smoothing == 0.2


def test_a_profile_without_a_published_recipe_has_no_compat():
    assert "mini has no published training recipe" in refusal("recipe=compat", name="mini")[0]


def at(found, path):
    for step in path.split("."):
        found = found[step] if isinstance(found, dict) else getattr(found, step)
    return found


# ---- used keys have an effect


CHANGES = {
    "seed": 7, "threads": 3, "compile": True, "device": "cpu", "mixed_precision": "no", "precision": "bf16",
    "output_dir": "elsewhere", "checkpoint_path": "runs/old", "pretrained_path": "m",
    "pretrained_gamemode": 1, "pretrained_transfer": True, "recipe": "compat", "data.profile": "v28",
    "data.dataset_type": "shards", "data.path": "other", "data.train_dataset_path": "other",
    "data.train_dataset_start": 5, "data.train_dataset_end": 50, 
    "data.test_dataset_path": "other", "data.test_dataset_start": 38700, "data.test_dataset_end": 38700,
    "data.dataset_subset": "small", "data.subset_ids": [4, 2],
    "data.gamemodes": [0, 3], "data.ranked_statuses": [4], "data.min_year": 2010, "data.max_year": 2020,
    "data.min_difficulty": 1, "data.max_difficulty": 9, "data.leave_out": ["x"], "data.mappers_path": "m.json",
    "data.descriptors_path": "d.csv", "data.tags_path": "t.json", "data.descriptor_source": "local",
    "data.min_top_tag_count": 5, "data.sample_weights_path": "w.csv", "data.num_classes": 5, "data.cycle_length": 32,
    "data.lanes": 4, "data.pool": 64, "data.batching": "balanced", "data.resampler": "band_limited",
    "data.context_types": [{"in": [], "out": ["timing", "map"]}], "data.context_weights": [1, 1, 0],
    "data.position_range": [-128, 640, -128, 512], "data.position_refinement": 2, "data.sustain_interval": 8000,
    "data.slider_version": 2, "data.add_empty_sequences": False, "data.dt_augment_range": [1.1, 1.2],
    "data.max_diff": 10, "data.max_pre_token_len": 9, "dataloader.num_workers": 1, "dataloader.pin_memory": False,
    "dataloader.drop_last": True, "dataloader.balancer_buffer_size": 64, "mixture.mode_shares": {0: 1.0},
    "model.name": "openai/whisper-base", "model.rope_type": "linear", "model.rope_encoder_scaling_factor": 2,
    "model.rope_decoder_scaling_factor": 2, "model.rope_scaling.factor": 2, "model.rope_scaling.rope_type": "linear",
    "model.local_attention": 64, "model.local_rope_theta": 500, "model.global_rope_theta": 500,
    "model.overwrite": {"d_model": 48}, "model.add_config": {"dropout": 0.1}, "model.onset_weight": 2,
    "model.spectrogram.implementation": "torchaudio", "model.spectrogram.pad_mode": "reflect",
    "optim.name": "muon", "optim.decay_steps": 10, "optim.lr_scheduler": "linear", "optim.betas": [0.5, 0.6],
    "optim.second_rate": "decay_only", "optim.decay": "published", "optim.orthogonalise": "bfloat16",
    "optim.grad_acc": 64, "optim.batch_size": 64,
    "optim.total_steps": 20000,
    "optim.ema_decay": 0.9,
    "eval.every_steps": 50, "logging.every_steps": 20,
    "logging.log_with": "wandb", "logging.mode": "offline", "logging.run_name": "mine",
    "recipe_options.state": "carried", "recipe_options.first_pre_window": "all", "recipe_options.mapper_of": "file",
    "recipe_options.end_after_cut": True, "recipe_options.disturb_evaluation": True,
}  # fmt: skip
# Keys that act only beside another one.
BESIDE = {
    "dataloader.balancer_prefetch_factor": {"dataloader.balancer_buffer_size": 2048},
    "data.add_empty_sequences_at_step": {"data.add_empty_sequences": False},
    "recipe_options.label_smoothing": {"data.label_smoothing": 0.1},
    "model.cond_dim": {"model.do_mapper_embed": True},
}
# Keys whose only other values need something that a test has not, or that state what follows from other keys; and
# those that the run reads from its options as they are.
ELSEWHERE = {"enable_lora", "data.sample_rate", "data.hop_length", "model.cond_size"}


def other_value(key, now):
    """A value that the option has not now."""
    if key in CHANGES:
        return CHANGES[key]
    annotation = annotation_of(OPTIONS[key])
    bare, limits = parts(annotation)[0], limits_of(annotation)
    if bare is bool:
        return not now
    if words_of(annotation):
        return next(word for word in words_of(annotation) if word != now)
    if bare in (int, float):
        return max({int: 12, float: 0.25}[bare], limits.get("ge", 0))
    raise AssertionError(f"{key} needs a row in CHANGES")


DERIVED = [k for k in OPTIONS if k.startswith(("data.", "model.", "recipe_options.", "mixture.", "dataloader."))]
USED = [k for k in DERIVED if k not in ELSEWHERE]


@pytest.mark.parametrize("key", USED)
def test_a_used_key_changes_the_run(key):
    beside = [f"{k}={v}" for k, v in BESIDE.get(key, {}).items()] + ["recipe=compat", "data.profile=v29"]
    beside = [b for b in beside if not b.startswith(key)] if key != "recipe" else beside
    base = options(*beside)
    before = open_run(base)
    values, name = {}, key
    put(values, name, other_value(key, present(before, key)))
    after = open_run(base.replace(**values))
    assert after != before
    acts = [f for f in ("profile", "recipe", "train", "test", "descriptor_source", "resampler", "prefetch", "backbone")
            if getattr(after, f) != getattr(before, f)]  # fmt: skip
    assert acts or after.options.get(key) != before.options.get(key)


def present(run, key):
    """The value in force of a switch or choice, where the profile or the recipe gives it."""
    if key in RECIPE_FIELDS:
        return getattr(run.recipe, RECIPE_FIELDS[key])
    stated, name = run.options.get(key), key.split(".")[-1]
    if stated is not None:
        return stated
    for place in (vars(run.profile), run.profile.model, run.profile.spectrogram):
        if name in place:
            return place[name]
    return True


def test_lora_keys_change_the_lora():
    before = settings(name="lora").options.lora
    for override, name, value in [
        ("lora.r=8", "r", 8),
        ("lora_alpha=16", "lora_alpha", 16),
        ("target_modules=[Wq]", "target_modules", ("Wq",)),
        ("lora_dropout=0.5", "lora_dropout", 0.5),
        ("init_lora_weights=gaussian", "init_lora_weights", "gaussian"),
    ]:
        after = settings(override, name="lora").options.lora
        assert getattr(after, name) == value != getattr(before, name)
    folders = settings("ckpt_subfolders=['/gamemode=3/', '', 'gamemode=3']", name="lora").options.lora_metadata
    assert folders.ckpt_subfolders == ("gamemode=3", "")
    assert "lora.bias=all is not possible, only none" in refusal("lora.bias=all", name="lora")[0]


# ---- refused values


@pytest.mark.parametrize("key", TrainOptions.command.only)
def test_a_fixed_key_refuses_other_values_with_its_reason(key):
    accepted, reason = TrainOptions.command.only[key]
    value = {bool: not accepted[0], str: "something", int: 5}[type(accepted[0])]
    problems = refusal(f"{key}={value}")
    assert len(problems) == 1 and reason in problems[0] and key in problems[0] and len(reason) > 20
    for one in accepted:
        assert options(f"{key}={'' if one == '' else one}".replace("=", "=''" if one == "" else "=", 1))


def test_keys_without_effect_are_accepted_and_said():
    run = settings("attn_implementation=eager", "train_dataset_streaming=false", *PUBLISHED)
    assert sorted(notice.split(" has no effect")[0] for notice in run.notices) == [
        "attn_implementation",
        "data.train_dataset_streaming",
    ]


def test_all_mistakes_are_named_at_once():
    problems = refusal(
        "data.lookback=2", "optim.base_lr=-1", "optim.name=sgd", "device=tpu", "eval.every_steps=15", "lanes=0", "lr=1",
    )  # fmt: skip
    text = "\n".join(problems)
    for part in (
        "data.lookback=2 is out of range: it must be between 0 and 1",
        "optim.base_lr=-1 is out of range: it must be above 0",
        "optim.name=sgd: choose one of adamw",
        "device=tpu is unknown",
        "eval.every_steps 15 is no multiple of logging.every_steps 10",
        "data.lanes=0 is out of range: it must be at least 1",
        "did you mean 'optim.base_lr'",
    ):
        assert part in text
    assert len(problems) == 7
    problems = refusal("data.context_types=[{in: [], out: [music]}]", "train_dataset_start=40000", "model.cond_size=3")
    for part in (
        "data.context_types names unknown contexts music",
        "data.train_dataset_start 40000 lies beyond data.train_dataset_end 38689",
        "model.cond_size 3 is not what the embeddings add up to",
    ):
        assert part in "\n".join(problems)
    assert len(problems) == 3


def test_unknown_keys_get_a_suggestion():
    with pytest.raises(InputError, match="did you mean '(data.)?train_dataset_path'"):
        settings("data.train_dataset_pth=x")
    with pytest.raises(OptionErrors) as caught:
        TrainOptions(data={"path": "x"}, optim={"learning_rate": 1, "base_rl": 2}, profile="mini")
    text = str(caught.value)
    assert "profile is a section, no option" in text and "or data.profile" in text
    assert "unknown option 'optim.base_rl' (did you mean 'optim.base_lr'?)" in text
    assert "unknown option 'optim.learning_rate' (did you mean 'optim.base_lr'?)" in text


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("lr", "optim.base_lr"),
        ("max_steps", "optim.total_steps"),
        ("epochs", "optim.total_steps"),
        ("learning_rate", "optim.base_lr"),
        ("gradient_accumulation_steps", "optim.grad_acc"),
        ("accumulate", "optim.grad_acc"),
        ("lr2", "optim.base_lr_2"),
    ],
)
def test_words_of_the_field_lead_to_the_key(word, key):
    assert refusal(f"{word}=1") == [f"unknown option {word!r} (did you mean {key!r}?)"]


def test_a_key_that_several_sections_have_asks_for_its_section():
    assert "eval.every_steps, checkpoint.every_steps, logging.every_steps" in refusal("every_steps=10")[0]


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (["data.sample_rate=22050"], "data.sample_rate 22050 is not model.spectrogram.sample_rate, 16000"),
        (["optim.batch_size=100"], "cannot be split into optim.grad_acc 32"),
        (["balancer_buffer_size=6"], "dataloader.balancer_buffer_size 6 is no multiple of the micro-batch, 4"),
        (["model.cond_size=100"], "model.cond_size 100 is not what the embeddings add up to, 0"),
        (["model.name=t5-base"], "backbone 't5-base' is not supported"),
        (["model.overwrite={d_modle: 64}"], "did you mean 'd_model'"),
        (["model.overwrite={d_model: 65}"], "d_model 65 cannot be split into its attention heads"),
        (["model.overwrite.tie_word_embeddings=true"], "can only be false"),
        (["data.context_weights=[1]"], "one number for each of the 3 context_types"),
        (["data.gamemodes=[]"], "data.gamemodes is empty"),
        (["data.gamemodes=[4]"], "between 0 and 3"),
        (["data.min_year=2020", "data.max_year=2010"], "data.min_year 2020 lies above data.max_year 2010"),
        (["train_dataset_start=0", "train_dataset_end=0"], "no set is left"),
        (["train_dataset_start=9", "train_dataset_end=null"], "data.train_dataset_start 9 needs"),
        (["total_steps=100", "warmup_steps=60", "sustain_steps=50"], "total_steps 100 is less than warmup_steps 60"),
        (["enable_lora=true"], "enable_lora needs pretrained_path"),
        (["pretrained_path=m", "model.overwrite={d_model: 48}"], "the network comes from pretrained_path, but d_model"),
        (["data.src_seq_len=511"], "must be even"),
        (["data.add_timing=1"], "data.add_timing=1 is not true or false"),
        (["data.dt_augment_range=[2,1]"], "two numbers, the smaller first"),
        (["seed=null"], "seed needs a value"),
    ],
)  # fmt: skip
def test_values_that_do_not_go_together_are_refused(overrides, reason):
    problems = refusal(*overrides)
    assert len(problems) == 1 and reason in problems[0]


def test_corpora_have_no_ranges():
    assert "must be null" in refusal("train_dataset_end=5", name="mini")[0]
    assert settings(name="mini").train.filter.shares is None


def test_filters_on_what_a_data_set_cannot_know_are_left_out():
    chosen = settings("dataset_type=ors", "min_year=2010", "max_difficulty=5", "ranked_statuses=[1]").train.filter
    assert (chosen.ranked_statuses, chosen.min_year, chosen.max_difficulty) == ((), None, 5)
    assert settings("min_year=2010", "ranked_statuses=[1]").train.filter.ranked_statuses == (1,)


def test_a_data_set_must_be_named():
    with pytest.raises(OptionErrors, match="data.train_dataset_path .or data.path. is missing"):
        open_run(TrainOptions())


def test_gpu_is_cuda_or_an_error(monkeypatch):
    from osuT5.training.processes import open_accelerator

    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(InputError, match="torch sees no GPU here"):
        open_accelerator(options("device=gpu"))
    assert settings("device=gpu").options.device == "cuda"
    assert settings("device=auto").options.device == "auto"


def test_lengths_scale_in_a_preset_of_ones_own_too(tmp_path):
    (tmp_path / "mine.yaml").write_text("defaults: [v29, _self_]\noptim: {total_steps: 2000}\n")
    (tmp_path / "stated.yaml").write_text("defaults: [mine, _self_]\noptim: {warmup_steps: 7, total_steps: 1000}\n")

    def optim(name, *arguments):
        found = compose(TrainOptions, find_preset("train", name, tmp_path), arguments)
        return TrainOptions.read(found.values, found.layers, found.problems).optim

    assert optim("mine").warmup_steps == 305 and optim("mine", "total_steps=200").warmup_steps == 30
    assert optim("stated").warmup_steps == 7


def test_a_default_in_place_of_a_wrong_value_contradicts_nothing():
    with pytest.raises(OptionErrors) as caught:
        TrainOptions(optim={"total_steps": "many", "warmup_steps": 10**5})
    assert caught.value.problems == ["optim.total_steps=many is not a whole number (" + ABOUT_STEPS + ")"]


# ---- data of one's own, and schedules of another length


def test_a_share_of_ones_own_data_is_evaluated():
    run = settings()
    assert run.train.filter.shares == (0.0, 0.9) and run.test.filter.shares == (0.9, 1.0)
    assert run.train.filter.start is None and run.train.filter.ranked_statuses == ()
    assert len(run.notices) == 1 and "status" in run.notices[0]
    assert settings("val_fraction=0").test is None and settings("val_fraction=0").train.filter.shares is None
    other = settings("test_dataset_path=tests")
    assert other.train.filter.shares is None and other.test.path == "tests" and other.test.filter.shares is None


def test_who_states_ranges_or_statuses_or_trains_as_published_gets_them():
    run = settings("train_dataset_end=90", "test_dataset_start=90", "test_dataset_end=100", "ranked_statuses=[4]")
    assert (run.train.filter.start, run.train.filter.end, run.test.filter.end) == (0, 90, 100)
    assert run.train.filter.ranked_statuses == (4,) and not run.notices
    published = settings("recipe=compat")
    assert published.train.filter.end == 38689 and published.train.filter.ranked_statuses == (1, 2)


def test_lengths_of_a_schedule_scale_with_its_steps():
    short = options("total_steps=60", name="mini").optim
    assert (short.warmup_steps, short.decay_steps, short.total_steps) == (1, 15, 60)
    kept = options("total_steps=600", "warmup_steps=100", name="mini").optim
    assert (kept.warmup_steps, kept.decay_steps) == (100, 150)
    assert options(name="mini").optim.warmup_steps == 100
    assert TrainOptions(optim={"total_steps": 40}).optim.warmup_steps == 6
    assert options("total_steps=70000", name="v32_ft").optim.sustain_steps == 10000
    assert TrainOptions(optim={"total_steps": 40, "warmup_steps": 0}).optim.warmup_steps == 0
    with pytest.raises(OptionErrors, match="total_steps=many is not a whole number"):
        TrainOptions(optim={"total_steps": "many"})


# ---- what follows from several keys


def test_a_changed_network_keeps_its_sizes_in_step():
    made = settings("model.name=openai/whisper-tiny", "model.spectrogram.n_mels=80").profile
    assert (made.model["d_model"], made.model["layers_per_side"], made.model["heads"]) == (384, 4, 6)
    assert made.model["conv1_input_channels"] == 384  # a linear layer lies between
    told = settings("project_encoder_input=false", "do_mapper_embed=true", "cond_dim=64").profile
    assert told.model["cond_size"] == 64 and told.model["conv1_input_channels"] == 388 + 64


def test_a_changed_network_can_be_built():
    from osuT5.events import Vocabulary
    from osuT5.model import Mapperatorinator

    run = settings(
        "model.overwrite={d_model: 48, encoder_layers: 1, decoder_layers: 2, decoder_ffn_dim: 64}",
        "rope_encoder_scaling_factor=2.0", "data.src_seq_len=64", "data.tgt_seq_len=64", "data.label_smoothing=0.1",
    )  # fmt: skip
    model = Mapperatorinator.from_profile(run.profile, Vocabulary.from_profile(run.profile), **run.model_overrides)
    assert len(model.transformer.model.decoder.layers) == 2
    assert (model.config.rhythm_weight, model.config.label_smoothing) == (3.0, 0.1)
    assert model.config.backbone.encoder_factor == 2.0


def test_own_contexts_are_drawn_alike_unless_weighed():
    own = "data.context_types=[{in: [NONE], out: [map]}, {in: [timing], out: [map]}]"
    made = settings(own)
    assert made.profile.templates[1].inputs == (ContextType.TIMING,) and made.recipe.template_weights == ()
    assert settings(own, "context_weights=[1, 3]").recipe.template_weights == (1, 3)


def test_pre_tokens_come_from_profile_to_recipe():
    assert settings("add_pre_tokens=true").recipe.pre_tokens


def test_empty_windows_can_begin_to_count_at_a_step():
    at_once, never = settings(), settings("add_empty_sequences=false")
    later = settings("add_empty_sequences=false", "add_empty_sequences_at_step=100")
    assert [(s.recipe.empty, s.options.data.empty_from_step) for s in (at_once, never, later)] == [
        (True, 0), (False, 0), (True, 100),
    ]  # fmt: skip


def test_lanes_pool_and_batching_follow_the_published_keys():
    plain, compat, tagged = (r.options.data for r in (settings(), settings("recipe=compat"), settings(name="v32")))
    assert (plain.lanes, plain.pool, plain.batching) == (16, 512, "similar")
    assert (compat.lanes, compat.pool, compat.batching) == (16, 0, "random")
    assert (tagged.lanes, tagged.pool, tagged.batching) == (8, 2048, "balanced")
    run = settings(name="v32")
    stream = run.stream(batch_size=16)
    assert run.prefetch == 64 and (stream.lanes, stream.rows, stream.pool) == (8, 2, 2048)


def test_ranges_of_a_web_data_set_count_its_files():
    run = settings(name="v32")
    assert run.train.shards == (0, 72) and run.train.filter.start is None and run.resampler == "band_limited"
    run = settings(*PUBLISHED)
    assert run.train.shards is None and run.train.filter.end == 38689


def test_tags_are_the_data_sets_own_votes_where_no_table_is_named():
    own = settings("data.dataset_type=mmrs", "data.descriptors_path=null", name="v32")
    assert own.descriptor_source == "user_tags" and own.profile.descriptor_source == "web"
    assert settings(name="v32").descriptor_source == "web"


def test_equal_ends_leave_nothing_to_evaluate():
    assert settings("test_dataset_start=0", "test_dataset_end=0").test is None


def test_evaluating_on_training_data_is_told():
    assert settings(*PUBLISHED).notices == ()
    assert "part of the training data" in settings(*PUBLISHED, "test_dataset_start=100").notices[0]


def test_the_sound_is_the_networks(plain):
    stated = settings("data.sample_rate=16000", "data.hop_length=128")
    assert stated.profile == plain.profile
    assert settings("model.spectrogram.hop_length=256").profile.hop_length == 256


def test_the_run_folder_is_named_after_the_model():
    assert str(settings().output_dir) == "runs/v29"
    assert str(settings(name="mini").output_dir) == "runs/mini"


def test_the_embedded_model_trains_with_its_own_recipe():
    run = settings("song_share=0.5", name="mini")
    mixture, optim = run.options.mixture, run.options.optim
    assert run.profile == load_profile("mini") and run.options.data.dataset_type == "corpora"
    assert mixture.song_share == 0.5 and mixture.mode_shares == {0: 0.6, 1: 0.1, 2: 0.08, 3: 0.22}
    assert (optim.falling_steps, optim.betas, optim.ema_decay) == (1500, (0.9, 0.98), 0.997)
    assert {k: v for k, v in run.recipe.dropout.items() if v} == {
        "difficulty": 0.08, "circle_size": 0.15, "hold_note_ratio": 0.3, "scroll_speed_ratio": 0.5,
    }  # fmt: skip


def test_single_modes_of_the_mixture_can_be_left_out():
    shares = settings("mode_shares={0: 1, 1: 0, 2: 0, 3: 0}", name="mini").options.mixture.mode_shares
    assert shares == {0: 1, 1: 0, 2: 0, 3: 0}
    assert "is not a mapping" in refusal("mode_shares={0: 0, 1: 0, 2: 0, 3: 0}", name="mini")[0]


def composed(*arguments, name="mini"):
    found = compose(TrainOptions, find_preset("train", name), arguments)
    assert not found.problems
    return found.values


def test_old_names_and_hydras_own_keys_pass():
    assert find_preset("train", "train_v32-mini_ft").name == "v32-mini_ft"
    assert composed("data.path=songs", "hydra.run.dir=x", name="v29") == composed_of("v29").values


def test_single_fields_of_a_mapping_can_be_given_on_the_command_line():
    config = composed("model.overwrite={d_model: 48}", "+model.overwrite.dropout=0.1")
    assert config["model"]["overwrite"] == {"d_model": 48, "dropout": 0.1}
    assert composed("mode_shares={2: 0}")["mixture"]["mode_shares"] == {0: 0.6, 1: 0.1, 2: 0, 3: 0.22}


def test_paths_need_no_quotes():
    config = composed(r"data.path=C:\my songs\x (a) [b]=c", "run_name=a, b", name="v29")
    assert (config["data"]["path"], config["logging"]["run_name"]) == (r"C:\my songs\x (a) [b]=c", "a, b")


@given(key=st.sampled_from(sorted(OPTIONS)), value=st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.floats(), st.text(max_size=3), st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=1),
))  # fmt: skip
def test_any_value_is_taken_or_refused_with_a_message(key, value):
    values = {"data": {"path": "songs"}}
    put(values, key, value)
    try:
        open_run(TrainOptions(**values))
    except InputError as error:
        assert str(error)
