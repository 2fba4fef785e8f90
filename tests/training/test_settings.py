"""A configuration becomes settings: every key goes somewhere or is refused with a reason, all mistakes at once."""

from functools import cache
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from osuT5 import cli
from osuT5.data.recipes import recipe_for
from osuT5.errors import InputError, OptionErrors
from osuT5.events import ContextType, load_profile
from osuT5.training.settings import OPTIONS, read_settings, text_keys

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = [p.stem for p in sorted((ROOT / "configs" / "train").glob("*.yaml"))]


@cache
def composed_of(name):
    return cli.compose("train", name, ["data.path=songs"])


def settings(*overrides, name="v29"):
    """As on the command line, but without composing the configuration anew for every case."""
    base = composed_of(name)
    known = cli.flat_keys(base)
    pairs = [cli.complete(text, known, ()).removeprefix("++").split("=", 1) for text in overrides]
    return read_settings(changed(base, {key: yaml.safe_load(value) for key, value in pairs}))


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
    config = composed_of(name)
    assert read_settings(config).train.path == "songs"
    assert set(OPTIONS) == {k for k in cli.flat_keys(config) if k in OPTIONS}


def test_the_improved_recipe_is_the_default_and_compat_is_a_word_away(plain):
    assert plain.recipe == recipe_for("improved", plain.profile)
    old = settings("recipe=compat")
    assert old.recipe == recipe_for("compat", old.profile)
    parts = ("second_rate", "decay", "orthogonalise")
    assert [getattr(old.optim, part) for part in parts] == ["decay_only", "published", "bfloat16"]
    assert [getattr(plain.optim, part) for part in parts] == ["used", "matrices", "float32"]


@pytest.mark.parametrize(
    ("override", "part", "value"),
    [
        ("state=carried", "recipe.state", "carried"),
        ("first_pre_window=all", "recipe.first_pre_window", "all"),
        ("end_after_cut=true", "recipe.end_after_cut", True),
        ("mapper_of=file", "recipe.mapper_of", "file"),
        ("disturb_evaluation=true", "recipe.disturb_evaluation", True),
        ("second_rate=decay_only", "optim.second_rate", "decay_only"),
        ("optim.decay=published", "optim.decay", "published"),
        ("orthogonalise=bfloat16", "optim.orthogonalise", "bfloat16"),
        ("data.batching=random", "loader.batching", "random"),
    ],
)
def test_each_difference_between_the_recipes_can_be_had_alone(plain, override, part, value):
    changed = settings(override)
    assert at(changed, part) == value != at(plain, part)
    assert changed.recipe_name == "improved"
    back = settings("recipe=compat", f"{override.split('=')[0]}={str(at(plain, part)).lower()}")
    assert at(back, part) == at(plain, part)


def test_label_smoothing_is_honoured_unless_the_recipe_ignores_it():
    assert settings(name="v32").model.label_smoothing == 0.2
    ignored = settings("recipe=compat", name="v32")
    assert ignored.model.label_smoothing == 0 and "label_smoothing" in ignored.notices[0]
    assert settings("recipe=compat", "recipe_options.label_smoothing=honoured", name="v32").model.label_smoothing == 0.2


def test_a_profile_without_a_published_recipe_has_no_compat():
    assert "mini has no published training recipe" in refusal("recipe=compat", name="mini")[0]


def at(found, path):
    for step in path.split("."):
        found = found[step] if isinstance(found, dict) else getattr(found, step)
    return found


# ---- used keys have an effect


CHANGES = {
    "seed": 7, "threads": 3, "compile": True, "device": "cpu", "mixed_precision": "no", "precision": "bf16",
    "attn_implementation": "eager", "output_dir": "elsewhere", "checkpoint_path": "runs/old", "pretrained_path": "m",
    "pretrained_gamemode": 1, "pretrained_transfer": True, "recipe": "compat", "data.profile": "v28",
    "data.dataset_type": "shards", "data.path": "other", "data.train_dataset_path": "other",
    "data.train_dataset_start": 5, "data.train_dataset_end": 50, "data.train_dataset_streaming": False,
    "data.test_dataset_path": "other", "data.test_dataset_start": 38700, "data.test_dataset_end": 38700,
    "data.test_dataset_streaming": True, "data.dataset_subset": "small", "data.subset_ids": [4, 2],
    "data.gamemodes": [0, 3], "data.ranked_statuses": [4], "data.min_year": 2010, "data.max_year": 2020,
    "data.min_difficulty": 1, "data.max_difficulty": 9, "data.leave_out": ["x"], "data.mappers_path": "m.json",
    "data.descriptors_path": "d.csv", "data.tags_path": "t.json", "data.descriptor_source": "local",
    "data.min_top_tag_count": 5, "data.sample_weights_path": "w.csv", "data.num_classes": 5, "data.cycle_length": 32,
    "data.lanes": 4, "data.pool": 64, "data.batching": "random", "data.resampler": "band_limited",
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
# Keys whose only other values need something that a test has not, or that state what follows from other keys.
ELSEWHERE = {"enable_lora", "data.sample_rate", "data.hop_length", "model.cond_size"}
NUMBERS = {"number": 0.25, "whole": 12}


def other_value(option, now):
    """A value that the option has not now."""
    if option.key in CHANGES:
        return CHANGES[option.key]
    if option.kind == "switch":
        return not now
    if option.kind == "choice":
        return next(c for c in option.choices if c != now)
    if option.kind in NUMBERS:
        return max(NUMBERS[option.kind], option.low or 0)
    raise AssertionError(f"{option.key} needs a row in CHANGES")


USED = [k for k, o in OPTIONS.items() if not o.only and k not in ELSEWHERE and not k.startswith("lora")]


def changed(config, values):
    """The configuration with other values, by key."""
    copy = {k: changed(v, {}) if isinstance(v, dict) else v for k, v in config.items()}
    for key, value in values.items():
        *sections, name = key.split(".")
        place = copy
        for section in sections:
            place = place[section]
        place[name] = value
    return copy


@pytest.fixture(scope="module")
def composed():
    return composed_of("v29")


@pytest.mark.parametrize("key", USED)
def test_a_used_key_changes_the_settings(composed, key):
    base = changed(composed, BESIDE.get(key, {}))
    before = read_settings(base)
    now = read_now(before, key)
    after = read_settings(changed(base, {key: other_value(OPTIONS[key], now)}))
    assert after != before


def read_now(found, key):
    """The present value of a switch or choice, where the profile or the recipe gives it."""
    part, _, name = OPTIONS[key].goes_to.partition(".")
    owner = {"profile": found.profile, "recipe": found.recipe, "loop": found.loop, "loader": found.loader,
             "profiler": found.loop.profiler, "train": found.train, "test": found.test, "run": found,
             "optim": found.optim}.get(part)  # fmt: skip
    try:
        return at(owner, name)
    except (AttributeError, KeyError):
        return "honoured" if key.endswith("label_smoothing") else True


def test_lora_keys_change_the_lora(composed):
    before = settings(name="lora")
    for override, name, value in [
        ("lora.r=8", "r", 8),
        ("lora_alpha=16", "lora_alpha", 16),
        ("target_modules=[Wq]", "target_modules", ("Wq",)),
        ("lora_dropout=0.5", "lora_dropout", 0.5),
        ("init_lora_weights=gaussian", "init_lora_weights", "gaussian"),
        ("ckpt_subfolders=['gamemode=3']", "ckpt_subfolders", ("gamemode=3",)),
    ]:
        after = settings(override, name="lora")
        assert getattr(after.lora, name) == value != getattr(before.lora, name)
    assert read_settings(composed).lora is None
    assert "lora.bias is 'all'" in refusal("lora.bias=all", name="lora")[0]


# ---- refused values


OTHER = {"text": "something", "switch": None, "whole": 5}


@pytest.mark.parametrize("key", [k for k, o in OPTIONS.items() if o.only])
def test_a_fixed_key_refuses_other_values_with_its_reason(composed, key):
    option = OPTIONS[key]
    value = not option.only[0] if option.kind == "switch" else OTHER[option.kind]
    with pytest.raises(OptionErrors) as caught:
        read_settings(changed(composed, {key: value}))
    assert len(caught.value.problems) == 1
    assert option.about in caught.value.problems[0] and key in caught.value.problems[0]
    assert len(option.about) > 20


def test_all_mistakes_are_named_at_once():
    problems = refusal(
        "data.lookback=2", "optim.base_lr=-1", "optim.name=sgd", "device=tpu", "eval.every_steps=15", "lanes=0",
        "data.context_types=[{in: [], out: [music]}]", "train_dataset_start=40000",
    )  # fmt: skip
    text = "\n".join(problems)
    for part in (
        "data.lookback must be from 0 to 1, not 2",
        "optim.base_lr must be more than 0",
        "optim.name sgd is unknown",
        "device 'tpu' is unknown",
        "eval.every_steps 15 is no multiple of logging.every_steps 10",
        "data.lanes must be at least 1",
        "data.context_types names unknown contexts music",
        "data.train_dataset_start 40000 lies beyond data.train_dataset_end 38689",
    ):
        assert part in text
    assert len(problems) == 8


def test_unknown_keys_get_a_suggestion(composed):
    with pytest.raises(InputError, match="did you mean '(data.)?train_dataset_path'"):
        settings("data.train_dataset_pth=x")
    strange = {**composed, "profile": "mini", "optim": {**composed["optim"], "learning_rate": 1, "base_rl": 2}}
    with pytest.raises(OptionErrors) as caught:
        read_settings(strange)
    text = str(caught.value)
    assert "profile is a section, no option" in text and "or data.profile" in text
    assert "unknown option 'optim.base_rl' (did you mean 'optim.base_lr'?)" in text


def test_a_key_that_several_sections_have_asks_for_its_section():
    with pytest.raises(InputError, match="eval.every_steps, checkpoint.every_steps, logging.every_steps"):
        settings("every_steps=10")


def test_missing_keys_are_named(composed):
    short = {**composed, "eval": {"steps": 3, "sample_map": False}}
    with pytest.raises(OptionErrors, match=r"eval\.every_steps is missing"):
        read_settings(short)


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
        (["data.gamemodes=[4]"], "from 0 to 3"),
        (["data.min_year=2020", "data.max_year=2010"], "data.min_year 2020 lies above data.max_year 2010"),
        (["train_dataset_start=0", "train_dataset_end=0"], "no set is left"),
        (["train_dataset_start=9", "train_dataset_end=null"], "data.train_dataset_start 9 needs"),
        (["enable_lora=true"], "enable_lora needs pretrained_path"),
        (["pretrained_path=m", "model.overwrite={d_model: 48}"], "the network comes from pretrained_path, but d_model"),
        (["data.src_seq_len=511"], "must be even"),
        (["data.add_timing=1"], "data.add_timing must be true or false, not 1"),
        (["data.dt_augment_range=[2,1]"], "two numbers, the smaller first"),
        (["seed=null"], "seed needs a value"),
    ],
)  # fmt: skip
def test_values_that_do_not_go_together_are_refused(overrides, reason):
    problems = refusal(*overrides)
    assert len(problems) == 1 and reason in problems[0]


def test_corpora_have_no_ranges():
    assert "must be null" in refusal("train_dataset_end=5", name="mini")[0]


def test_filters_on_what_a_data_set_cannot_know_are_left_out():
    chosen = settings("dataset_type=ors", "min_year=2010", "max_difficulty=5").train.filter
    assert (chosen.ranked_statuses, chosen.min_year, chosen.max_difficulty) == ((), None, 5)
    assert settings("min_year=2010").train.filter.ranked_statuses == (1, 2)


def test_a_data_set_must_be_named():
    with pytest.raises(OptionErrors, match="data.train_dataset_path .or data.path. is missing"):
        read_settings(cli.compose("train", "v29", []))


def test_gpu_is_cuda_or_an_error(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert "torch sees no GPU here" in refusal("device=gpu")[0]
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert settings("device=gpu").loop.device == "cuda"
    assert settings("device=auto").loop.device == "auto"


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
    model = Mapperatorinator.from_profile(run.profile, Vocabulary.from_profile(run.profile), **run.model.overrides)
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
    assert [(s.recipe.empty, s.loop.empty_from_step) for s in (at_once, never, later)] == [
        (True, 0), (False, 0), (True, 100),
    ]  # fmt: skip


def test_lanes_pool_and_batching_follow_the_published_keys():
    plain, compat, tagged = settings(), settings("recipe=compat"), settings(name="v32")
    assert (plain.loader.lanes, plain.loader.pool, plain.loader.batching) == (16, 512, "similar")
    assert (compat.loader.lanes, compat.loader.pool, compat.loader.batching) == (16, 0, "random")
    assert (tagged.loader.lanes, tagged.loader.pool, tagged.loader.batching) == (8, 2048, "balanced")
    assert tagged.loader.prefetch == 64 and tagged.loader.balanced
    stream = tagged.loader.stream(seed=1, batch_size=16)
    assert (stream.lanes, stream.rows, stream.pool) == (8, 2, 2048)


def test_ranges_of_a_web_data_set_count_its_files():
    split = settings(name="v32").train
    assert split.shards == (0, 72) and split.filter.start is None and split.resampler == "band_limited"
    assert settings().train.shards is None and settings().train.filter.end == 38689


def test_tags_are_the_data_sets_own_votes_where_no_table_is_named():
    own = settings("data.dataset_type=mmrs", "data.descriptors_path=null", name="v32")
    assert own.train.descriptor_source == "user_tags" and own.profile.descriptor_source == "web"
    assert settings(name="v32").train.descriptor_source == "web"


def test_equal_ends_leave_nothing_to_evaluate():
    assert settings("test_dataset_start=0", "test_dataset_end=0").test is None


def test_evaluating_on_training_data_is_told():
    assert settings().notices == ()
    assert "part of the training data" in settings("test_dataset_start=100").notices[0]


def test_the_sound_is_the_networks(plain):
    assert settings("data.sample_rate=16000", "data.hop_length=128") == plain
    assert settings("model.spectrogram.hop_length=256").profile.hop_length == 256


def test_the_run_folder_is_named_after_the_model():
    assert str(settings().output_dir) == "runs/v29"
    assert str(settings(name="mini").output_dir) == "runs/mini"


def test_the_embedded_model_trains_with_its_own_recipe():
    run = settings("song_share=0.5", name="mini")
    assert run.profile == load_profile("mini") and run.train.dataset_type == "corpora"
    assert run.mixture.song_share == 0.5 and run.mixture.mode_shares == {0: 0.6, 1: 0.1, 2: 0.08, 3: 0.22}
    assert (run.optim.falling_steps, run.optim.betas, run.optim.ema_decay) == (1500, (0.9, 0.98), 0.997)
    assert {k: v for k, v in run.recipe.dropout.items() if v} == {
        "difficulty": 0.08, "circle_size": 0.15, "hold_note_ratio": 0.3, "scroll_speed_ratio": 0.5,
    }  # fmt: skip


def test_single_modes_of_the_mixture_can_be_left_out():
    assert settings("mode_shares={0: 1, 2: 0}", name="mini").mixture.mode_shares == {0: 1, 2: 0}
    assert "mixture.mode_shares must be a mapping" in refusal("mode_shares={0: 0}", name="mini")[0]


def test_old_names_and_hydras_own_keys_pass():
    assert cli.resolve_name("train", "train_v32-mini_ft") == "v32-mini_ft"
    assert cli.compose("train", "v29", ["data.path=songs", "hydra.run.dir=x"]) == composed_of("v29")


def test_single_fields_of_a_mapping_can_be_given_on_the_command_line():
    config = cli.compose("train", "mini", ["model.overwrite={d_model: 48}", "+model.overwrite.dropout=0.1"])
    assert config["model"]["overwrite"] == {"tie_word_embeddings": False, "d_model": 48, "dropout": 0.1}
    assert cli.compose("train", "mini", ["mode_shares={2: 0}"])["mixture"]["mode_shares"] == {
        0: 0.6, 1: 0.1, 2: 0, 3: 0.22,
    }  # fmt: skip


def test_paths_need_no_quotes():
    path = r"data.path=C:\my songs\x (a) [b]=c"
    config = cli.compose("train", "v29", [path, "run_name=a, b"], text_keys())
    assert (config["data"]["path"], config["logging"]["run_name"]) == (r"C:\my songs\x (a) [b]=c", "a, b")


@given(key=st.sampled_from(sorted(OPTIONS)), value=st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.floats(), st.text(max_size=3), st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=1),
))  # fmt: skip
def test_any_value_is_taken_or_refused_with_a_message(composed, key, value):
    try:
        read_settings(changed(composed, {key: value}))
    except InputError as error:
        assert str(error)


# ---- the page


def test_the_page_of_options_is_what_the_table_says():
    from osuT5.training.settings.page import page

    written = (ROOT / "docs" / "training-options.md").read_text(encoding="utf-8")
    assert written == page(), "write it anew: python -m osuT5.training.settings.page > docs/training-options.md"
