"""Options of the data: which maps, how they are tokenised, how they become samples.

Facts: the published training configurations. null takes the profile's value (switches of the tokens), or the recipe's.
"""

from __future__ import annotations

from osuT5.data.stream import BATCHING
from osuT5.events.profile import profile_names
from osuT5.training.settings.option import Option

DATASET_TYPES = ("mmrs", "web", "shards", "ors", "corpora")
DESCRIPTOR_SOURCES = ("omdb", "user_tags", "web", "local", "none")
RESAMPLERS = ("published", "band_limited")


def _token(name: str, kind: str, about: str, **more) -> Option:
    return Option(f"data.{name}", kind, about, f"profile.{more.pop('field', name)}", null=True, **more)


def _switch(name: str, about: str) -> Option:
    return _token(name, "switch", about)


def _sample(name: str, kind: str, about: str, field: str, **more) -> Option:
    return Option(f"data.{name}", kind, about, f"recipe.{field}", null=True, **more)


def _share(name: str, about: str, field: str) -> Option:
    return _sample(name, "number", about, field, low=0, high=1)


def _unknown(name: str, condition: str) -> Option:
    about = f"how often the condition {condition} is unknown, drawn per window"
    return _share(f"{name}_dropout_prob", about, f"dropout.{condition}")


SOURCE = (
    Option("data.profile", "choice", "which model version: its tokens, windows and sizes, that the keys of null follow",
           "run.profile_name", choices=tuple(profile_names()), ours=True),
    Option("data.dataset_type", "choice", "mmrs and web as published; shards are a data set compiled by `python -m "
           "osuT5.data.compile`; corpora are what `python -m osuT5.data.corpora` prepares; ors is the older format "
           "of tracks, osu! only, whose maps have no year and status to filter by", "split.dataset_type",
           choices=DATASET_TYPES),
    Option("data.path", "place", "the data set, where train_dataset_path is null", "train.common_path", null=True,
           ours=True),
    Option("data.train_dataset_path", "place", "folder, or hub id of a web data set", "train.path", null=True),
    Option("data.train_dataset_start", "whole", "first set (web: shard file) in the order of ids; null with end null: "
           "all", "train.start", null=True, low=0),
    Option("data.train_dataset_end", "whole", "one past the last", "train.end", null=True, low=0),
    Option("data.train_dataset_streaming", "switch", "web: accepted, without effect: archives of a hub are fetched one "
           "by one into its cache and read there; `data.compile` needs room for one at a time", "train.streaming"),
    Option("data.test_dataset_path", "place", "null: the training data", "test.path", null=True),
    Option("data.test_dataset_start", "whole", "as of training; start = end: nothing is evaluated", "test.start",
           null=True, low=0),
    Option("data.test_dataset_end", "whole", "one past the last", "test.end", null=True, low=0),
    Option("data.test_dataset_streaming", "switch", "as of training: without effect", "test.streaming"),
    Option("data.dataset_subset", "place", "web: folder of the shard files", "split.subset", null=True),
    Option("data.subset_ids", "wholes", "only these sets", "filter.subset_ids", null=True),
    _token("gamemodes", "wholes", "only maps of these modes; they also lay out the tokens of a new model", low=0,
           high=3),
    Option("data.ranked_statuses", "wholes", "only maps of these statuses: -2 graveyard, -1 wip, 0 pending, 1 "
           "ranked, 2 approved, 3 qualified, 4 loved; null: any, also unknown", "filter.ranked_statuses", null=True,
           low=-2, high=4),
    Option("data.min_year", "whole", "of the ranked date", "filter.min_year", null=True),
    Option("data.max_year", "whole", "of the ranked date, included", "filter.max_year", null=True),
    Option("data.min_difficulty", "number", "stars; null: any, also unrated", "filter.min_difficulty", null=True,
           low=0),
    Option("data.max_difficulty", "number", "stars, included", "filter.max_difficulty", null=True, low=0),
    Option("data.leave_out", "texts", "corpora: songs kept for tuning, by parts of their paths", "split.leave_out",
           ours=True),
    Option("data.mappers_path", "place", "JSON {beatmap id: user id}, for data sets that do not name mappers",
           "split.mappers_path", null=True),
    Option("data.descriptors_path", "place", "descriptors of maps: CSV lines `beatmap id,descriptor`, or hub id of a "
           "table", "split.descriptors_path", null=True),
    Option("data.tags_path", "place", "JSON list of tags; null: the built-in list of 2026", "split.tags_path",
           null=True),
    _token("descriptor_source", "choice", "where descriptors come from", choices=DESCRIPTOR_SOURCES),
    _sample("min_top_tag_count", "whole", "votes that a tag needs", "min_tag_votes", low=0),
    Option("data.sample_weights_path", "place", "CSV lines `beatmap id,weight` of maps in the loss",
           "split.weights_path", null=True),
    Option("data.num_classes", "whole", "style classes at least; only with add_style_token", "run.num_styles", low=0),
    Option("data.per_track", "switch", "maps are cut one after the other; all of a track at once was never published",
           only=(True,)),
    Option("data.only_last_beatmap", "switch", "all maps of a set are used; min_difficulty leaves out easy ones",
           only=(False,)),
    Option("data.cycle_length", "whole", "sets that are open at once and whose windows take turns: data.lanes where "
           "that is null, 8 at least", "loader.cycle", low=1),
    Option("data.lanes", "whole", "sets that are open at once; null: by cycle_length. As many as divide the batch",
           "loader.lanes", null=True, low=1, ours=True),
    Option("data.pool", "whole", "windows shuffled together; null: dataloader.balancer_buffer_size, where that is 0: "
           "512, or none under compat", "loader.pool", null=True, low=0, ours=True),
    Option("data.batching", "choice", "windows of like length in a batch (little padding), as many tokens in each, "
           "or as they come; null: balanced with a balancer buffer, else similar, or random under compat",
           "loader.batching", null=True, choices=BATCHING, ours=True),
    Option("data.resampler", "choice", "how sound gets to the model's rate; null: published, for web band_limited",
           "split.resampler", null=True, choices=RESAMPLERS, ours=True),
)  # fmt: skip

TOKENS = (
    _token("src_seq_len", "whole", "frames of a window + 1", low=2),
    _token("tgt_seq_len", "whole", "ids of a window", low=16),
    Option("data.sample_rate", "whole", "follows model.spectrogram.sample_rate: only that is accepted",
           "same.sample_rate", null=True),
    Option("data.hop_length", "whole", "follows model.spectrogram.hop_length: only that is accepted", "same.hop_length",
           null=True),
    _token("context_types", "contexts", "what the model is given and what it writes", field="templates"),
    _sample("context_weights", "numbers", "how often each of them is drawn; []: all alike", "template_weights", low=0),
    _switch("add_out_context_types", "start and end marks of what is written"),
    _token("num_diff_classes", "whole", "classes of the star rating", low=1),
    _token("max_diff", "number", "stars at the last of them", low=1),
    _token("num_cs_classes", "whole", "classes of the circle size", low=1),
    _switch("add_gamemode_token", "condition: game mode"),
    _switch("add_style_token", "condition: the map itself"),
    _switch("add_diff_token", "condition: star rating"),
    _switch("add_mapper_token", "condition: mapper"),
    _switch("add_year_token", "condition: year"),
    _switch("add_hitsounded_token", "condition: has hitsounds"),
    _switch("add_song_length_token", "condition: length of the song"),
    _switch("add_global_sv_token", "condition: slider multiplier"),
    _switch("add_cs_token", "condition: circle size"),
    _switch("add_keycount_token", "condition: keys of mania"),
    _switch("add_hold_note_ratio_token", "condition: share of hold notes"),
    _switch("add_scroll_speed_ratio_token", "condition: how often the scroll speed changes"),
    _switch("add_descriptors", "condition: descriptors"),
    _switch("add_kiai_special_token", "condition: kiai before the window"),
    _switch("add_sv_special_token", "condition: scroll speed before the window"),
    _switch("add_song_position_token", "condition: where in the song"),
    _switch("add_pre_tokens", "events of the window before"),
    Option("data.add_pre_tokens_at_step", "whole", "the published trainer added them from the first step, whatever the "
           "number; set add_pre_tokens=true", only=(-1,)),
    _sample("max_pre_token_len", "whole", "the last so many of them; 0 or less: all", "max_pre_tokens", low=-1),
    _switch("add_gd_context", "one more difficulty of the set is given; sets of one map are left out"),
    _switch("center_pad_decoder", "id 1 stands near the middle of the window"),
    _switch("types_first", "the kind of an object before its time"),
    _switch("add_timing", "beats among the objects"),
    _switch("add_timing_points", "timing points among the beats"),
    _switch("add_snapping", "snap divisors"),
    _switch("add_hitsounds", "hitsounds"),
    _token("add_volumes", "switch", "volumes", ours=True),
    _switch("add_distances", "distances"),
    _switch("add_positions", "positions"),
    _token("position_precision", "whole", "pixels of a step", low=1),
    _switch("position_split_axes", "x and y as ids of their own"),
    _token("position_refinement", "whole", "pixels of a finer second step", low=1),
    _token("position_range", "wholes", "x from, x to, y from, y to"),
    _switch("add_kiai", "kiai among the objects"),
    _switch("add_sv", "slider and scroll speeds"),
    _switch("add_mania_sv", "scroll speeds of mania among the objects"),
    _switch("mania_bpm_normalized_scroll_speed", "scroll speeds of mania without what the BPM adds"),
    _token("slider_version", "whole", "how sliders are written", low=1, high=2),
    _token("sustain_interval", "whole", "ms between the ids that say that a long object goes on", low=1),
)  # fmt: skip

SAMPLES = (
    _unknown("class", "beatmap_id"),
    _unknown("diff", "difficulty"),
    _unknown("mapper", "mapper_id"),
    _unknown("cs", "circle_size"),
    _unknown("year", "year"),
    _unknown("hold_note_ratio", "hold_note_ratio"),
    _unknown("scroll_speed_ratio", "scroll_speed_ratio"),
    _unknown("descriptor", "descriptors"),
    Option("data.add_empty_sequences", "switch", "windows in which nothing happens", "empty.always"),
    Option("data.add_empty_sequences_at_step", "whole", "with add_empty_sequences=false: they count from this step on; "
           "-1: never", "empty.from_step", low=-1),
    _sample("timing_random_offset", "whole", "times of the input are off by up to so many steps of 10 ms",
            "time_jitter", low=0),
    _sample("timing_random_offset_2", "whole", "the same for all times of a window at once", "common_time_jitter",
            low=0),
    _share("timing_random_offset_prob", "how often", "jitter_prob"),
    _share("snapping_random_prob", "share of the snaps of the input that are replaced", "snapping_noise"),
    _share("lookback", "share of a window whose events are given, not asked", "lookback"),
    _share("lookback_prob", "how often, drawn once a map", "lookback_prob"),
    _share("lookahead", "share of a window at its end whose events are not written", "lookahead"),
    _share("frame_offset_augment_prob", "how often a map's first window begins at a random frame", "frame_offset_prob"),
    _share("dt_augment_prob", "how often a set is played faster", "speed_prob"),
    _sample("dt_augment_range", "range", "how much faster", "speed_range", low=0.1, high=4),
    _sample("dt_augment_sqrt", "switch", "high speeds more often", "speed_sqrt"),
    _share("flip_horizontal_prob", "how often a set is mirrored", "flip_x_prob"),
    _share("flip_vertical_prob", "how often a set is turned upside down", "flip_y_prob"),
    _sample("normalize_audio", "switch", "divide the sound by its peak", "normalize_audio"),
    Option("data.rhythm_weight", "number", "class weight of time tokens in the loss", "model.rhythm_weight", low=0),
    Option("data.label_smoothing", "number", "of the loss; see recipe_options.label_smoothing", "model.label_smoothing",
           low=0, high=0.999),
)  # fmt: skip


def _oddity(name: str, kind: str, about: str, goes_to: str = "", **more) -> Option:
    return Option(f"recipe_options.{name}", kind, f"{about}; null: by recipe", goes_to or f"recipe.{name}", null=True,
                  ours=True, **more)  # fmt: skip


RECIPE = (
    _oddity("state", "choice", "kiai and speed before a window are the map's own (events), or carried through the "
            "windows with the last output context winning even when it is empty", choices=("events", "carried")),
    _oddity("first_pre_window", "choice", "with add_pre_tokens: the first window is given nothing, or the whole map",
            choices=("none", "all")),
    _oddity("end_after_cut", "switch", "events that did not fit are followed by an end mark all the same"),
    _oddity("mapper_of", "choice", "the mapper is the user that the data set names (row), or the one of the "
            "BeatmapID in the file", choices=("row", "file")),
    _oddity("disturb_evaluation", "switch", "evaluation inputs get jitter and snapping noise too"),
    _oddity("label_smoothing", "choice", "data.label_smoothing is honoured, or without effect", "model.smoothing",
            choices=("honoured", "ignored")),
)  # fmt: skip

MIXTURE = (
    Option("mixture.mode_shares", "shares", "corpora: of rendered maps, by game mode; merged into the default, 0 "
           "leaves a mode out", "mixture.mode_shares", ours=True),
    Option("mixture.song_share", "number", "corpora: items that are real songs", "mixture.song_share", low=0, high=1,
           ours=True),
    Option("mixture.rhythm_share", "number", "corpora: of those, how many as osu! rhythms", "mixture.rhythm_share",
           low=0, high=1, ours=True),
)  # fmt: skip
