"""Deliberate faults of the product, each with the tests that must fail with it: what the tests are worth.

    python tests/mutants.py                    all of them, one after another
    python tests/mutants.py NAME … -j 2        these, two at a time
    python tests/mutants.py --list

A fault is put into a copy of the project, never into this one. A row of the table is broken, and says so, when its text
is not found exactly once or its tests end otherwise than by failing; a fault that no test finds has survived.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = (
    "osuT5", "osu_diffusion", "tests", "models", "demo", "configs", "benchmarks", "pyproject.toml", "inference.py",
    "evaluate.py", "requirements.txt", "README.md", "README.es.md", "docs", "setup.py", "MANIFEST.in",
)  # fmt: skip
LINKED_BYTES = 2**19  # larger files are linked; no test writes to one, and no mutant may
LONGEST_S = 300
TESTS_FAILED = 1  # exit code of pytest; 2 is an error of collection, 4 a wrong name, 5 no test

P = "osuT5/inference/"
PP = "osuT5/inference/postprocess/"
CACHE = "osuT5/model/cached_decoder.py"
DECODER = "tests/inference/test_decoder.py::"
SAMPLING = "tests/inference/test_sampling.py::"
RULES = "tests/inference/test_logits_processors.py::"
SESSION = "tests/inference/test_session.py::"
TRACKS = "tests/inference/test_tracks.py::"
PROGRESS = "tests/inference/test_progress.py::"
COMMAND = "tests/command/test_command_line.py::"
REQUEST = "tests/inference/test_request.py::"
RESOLVE = "tests/inference/test_resolve.py::"
TRAIN = "tests/training/test_train_options.py::"
IGNORED = "tests/inference/test_ignored_options.py::"
THREADS = "tests/inference/test_threads.py::"
KV = "tests/model/test_kv_cache.py::"
PROMPT = "tests/events/test_prompt.py::"
INDICES = "tests/events/test_object_indices.py::"
EXTREME = "tests/events/test_extreme_maps.py::"
STREAM = "tests/inference/postprocess/test_placed_objects.py::"
ASSEMBLE = "tests/inference/postprocess/test_assemble_properties.py::"


@dataclass(frozen=True)
class Mutant:
    """A fault: `old` is replaced by `new` in `path`; `tests` are node ids, of which one at least must fail."""

    name: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]

    def try_in(self, folder: Path) -> Outcome:
        """Runs the tests with the fault in a copy of the project, which is as before afterwards."""
        began, file = time.perf_counter(), folder / self.path
        if file.is_symlink() or ROOT in (folder, *folder.parents):
            raise ValueError(f"{file} is not in a copy of the project")
        text = file.read_text(encoding="utf-8")
        count = text.count(self.old)
        if count != 1 or self.old == self.new:
            return Outcome(self, "stale", f"{self.path} holds the text {count} times", 0.0)
        try:
            replace(file, text.replace(self.old, self.new))
            code, said = run(folder, self.tests)
        finally:
            replace(file, text)
        verdict = {TESTS_FAILED: "killed", 0: "survived"}.get(code, f"broken: exit code {code}")
        return Outcome(self, verdict, said, time.perf_counter() - began)


@dataclass(frozen=True)
class Outcome:
    """`verdict`: killed, survived, stale, or broken."""

    mutant: Mutant
    verdict: str
    text: str
    seconds: float


def mutant(name: str, path: str, old: str, new: str, *tests: str) -> Mutant:
    return Mutant(name, path, old, new, tests)


MUTANTS = (
    # ---- generation
    mutant(
        "guidance is never applied",
        P + "decoder.py",
        "        if self.guided:\n",
        "        if False:\n",
        DECODER + "test_a_guided_row_is_guidance_over_both_branches",
    ),
    mutant(
        "one prompt without negative branch turns guidance off for all",
        P + "decoder.py",
        "for place, row in enumerate(chosen) if row.is_guided]",
        "for place, row in enumerate(chosen) if all(r.is_guided for r in chosen)]",
        DECODER + "test_a_row_without_negative_branch_leaves_the_others_guided",
    ),
    mutant(
        "negative branches hear the windows of other rows",
        P + "decoder.py",
        "sources = list(range(len(chosen))) + self.guided\n",
        "sources = list(range(len(chosen))) + list(range(len(self.guided)))\n",
        DECODER + "test_rows_write_in_a_batch_what_they_write_alone",
    ),
    mutant(
        "every row gets the token of row 0",
        P + "decoder.py",
        "                    column[number] = token\n",
        "                    column[number] = tokens[0]\n",
        DECODER + "test_rows_write_in_a_batch_what_they_write_alone",
    ),
    mutant(
        "lookback rule missing from the list",
        P + "logits_processors.py",
        "        chain.append(LookbackBias(v, span.lookback_ms))\n",
        "        pass\n",
        RULES + "test_the_products_list",
    ),
    mutant(
        "no temperature of beat times",
        P + "logits_processors.py",
        "            options.timing_temperature,\n",
        "            None,\n",
        RULES + "test_the_products_list",
    ),
    mutant(
        "no temperature of mania columns",
        P + "logits_processors.py",
        "options.mania_column_temperature if options.gamemode == MANIA else None",
        "None",
        RULES + "test_the_products_list",
    ),
    mutant(
        "no temperature of taiko colours",
        P + "logits_processors.py",
        "options.taiko_hit_temperature if options.gamemode == TAIKO else None",
        "None",
        RULES + "test_the_products_list",
    ),
    mutant(
        "one generator for all windows",
        P + "track.py",
        "keyed_generator(self.seed, *self.seed_key, stage, window)",
        "keyed_generator(self.seed)",
        TRACKS + "test_no_two_rows_of_a_request_share_random_numbers",
    ),
    mutant(
        "tracks share their random numbers",
        P + "track.py",
        "keyed_generator(self.seed, *self.seed_key, stage, window)",
        "keyed_generator(self.seed, self.seed_key[0], 0, stage, window)",
        TRACKS + "test_tracks_with_the_same_wishes_are_different_maps",
    ),
    mutant(
        "attempts share their random numbers",
        P + "pipeline.py",
        "open_track(session, tasks[n], (attempt, n), timing)",
        "open_track(session, tasks[n], (0, n), timing)",
        TRACKS + "test_a_rejected_map_is_written_anew_with_other_random_numbers",
    ),
    mutant(
        "attempt added to the seed",
        P + "sampling.py",
        "np.random.SeedSequence(seed, spawn_key=key)",
        "np.random.SeedSequence(seed + key[0], spawn_key=key[1:])",
        SAMPLING + "test_every_window_has_numbers_of_its_own",
    ),
    mutant(
        "report hands out the mended map",
        P + "pipeline.py",
        'beatmap if verify == "report" else checked.beatmap',
        "checked.beatmap",
        TRACKS + "test_report_hands_out_the_map_as_written_and_gate_the_mended_one",
    ),
    mutant(
        "timing of the model falls to the grid",
        P + "red_lines.py",
        "        if found:\n            return found\n",
        "",
        TRACKS + "test_timing_of_the_model_is_what_its_timing_pass_wrote",
    ),
    mutant(
        "cut windows are not counted",
        P + "song_loop.py",
        "self.stats.cut_windows += not ids or ids[-1] not in row.end_ids",
        "self.stats.cut_windows += 0",
        TRACKS + "test_windows_that_met_the_length_limit_are_counted_and_said",
    ),
    mutant(
        "tracks hear the window of the first",
        P + "song_loop.py",
        "hidden[0] if shared else torch.cat(hidden)",
        "hidden[0]",
        TRACKS + "test_tracks_write_together_what_each_writes_alone",
    ),
    # ---- limits
    mutant(
        "limit by the longest prompt of the batch",
        P + "decoder.py",
        "left = [row.max_tokens for row in rows]",
        "left = [row.max_length - max(len(b) for r in rows for b in r.branches) for row in rows]",
        DECODER + "test_a_long_neighbour_takes_no_room_from_a_row",
    ),
    mutant(
        "limit without the negative branch",
        P + "decoder.py",
        "max(map(len, self.branches))",
        "len(self.prompt.ids)",
        DECODER + "test_the_limit_counts_the_prompt_and_the_longer_branch",
    ),
    mutant(
        "negative prompt is not trimmed",
        "osuT5/events/prompt.py",
        "longest = max(self._prefix, self._negative_prefix or [], key=len)",
        "longest = self._prefix",
        PROMPT + "test_both_branches_are_shorter_than_the_limit_and_hold_the_same_contexts",
    ),
    mutant(
        "a prompt may fill the decoder",
        "osuT5/events/prompt.py",
        "if len(assemble(longest).ids) < limit:",
        "if len(assemble(longest).ids) <= limit:",
        PROMPT + "test_both_branches_are_shorter_than_the_limit_and_hold_the_same_contexts",
    ),
    # ---- rules for the logits
    mutant(
        "lookback rule divides by nothing",
        P + "logits_processors.py",
        "adjusted = others - torch.where(possible, scale, 0.0)",
        "adjusted = others - scale",
        RULES + "test_all_probability_in_the_lookback_ends_the_window",
        RULES + "test_lookback_rule_at_the_ends_of_its_range",
    ),
    mutant(
        "lookback rule ends a window with NaN",
        P + "logits_processors.py",
        "torch.where(possible, inside + end - scale, 0.0)[:, 0]",
        "(inside + end - scale)[:, 0]",
        RULES + "test_all_probability_in_the_lookback_ends_the_window",
        RULES + "test_lookback_rule_at_the_ends_of_its_range",
    ),
    mutant(
        "lookback rule takes a mass from 1",
        P + "logits_processors.py",
        "outside = others.logsumexp(1, keepdim=True)",
        "outside = torch.log1p(-inside.exp().clamp_max(1.0))",
        RULES + "test_lookback_rule_where_nearly_everything_lies_in_the_lookback",
    ),
    mutant(
        "ticks lose what the other times had",
        P + "logits_processors.py",
        "torch.where(lost.isfinite(), on_grid + lost, times)",
        "torch.where(lost.isfinite(), on_grid, times)",
        RULES + "test_ticks_share_the_probability_that_times_had_together",
    ),
    mutant(
        "top-p keeps one id more",
        P + "logits_processors.py",
        "drop = (ascending.softmax(dim=1).cumsum(dim=1) <= self.limit)",
        "drop = (ascending.softmax(dim=1).cumsum(dim=1).roll(-1, 1) <= self.limit)",
        RULES + "test_processor_equals_recording",
    ),
    mutant(
        "top-k fails when its rows have left",
        P + "logits_processors.py",
        "count = max(min(self.largest, logits.shape[1]), 1)",
        "count = min(self.largest, logits.shape[1])",
        RULES + "test_a_rule_stays_harmless_when_the_rows_that_had_it_have_left",
    ),
    mutant(
        "temperature after the lookback rule",
        P + "logits_processors.py",
        "    Temperature,\n    LookbackBias,\n",
        "    LookbackBias,\n    Temperature,\n",
        RULES + "test_the_chain_runs_in_the_published_order",
    ),
    mutant(
        "state of the rules is not reordered",
        P + "token_history.py",
        "{name: value.index_select(0, index) for name, value in self.state.items()}",
        "{name: value[: len(index)] for name, value in self.state.items()}",
        RULES + "test_reordered_rows_take_their_state_along",
    ),
    # ---- rows that leave the batch
    mutant(
        "the cache keeps the wrong rows",
        P + "decoder.py",
        "index = alive + [members",
        "index = list(range(len(alive))) + [members",
        DECODER + "test_rows_that_have_ended_leave_the_batch",
    ),
    mutant(
        "the cache keeps the wrong negative branches",
        P + "decoder.py",
        "[members + self.guided.index(place) for place in negatives]",
        "[members + number for number, _ in enumerate(negatives)]",
        DECODER + "test_rows_that_have_ended_leave_the_batch",
    ),
    mutant(
        "scales of guidance stay where they were",
        P + "decoder.py",
        "self.scales[[self.guided.index(place) for place in negatives]]",
        "self.scales[: len(negatives)]",
        DECODER + "test_rows_write_in_a_batch_what_they_write_alone",
    ),
    mutant(
        "token history is not reordered",
        P + "decoder.py",
        "self.history.select(kept)",
        "self.history.select(torch.arange(len(alive), device=self.device))",
        DECODER + "test_rows_write_in_a_batch_what_they_write_alone",
    ),
    mutant(
        "processors stay where they were",
        P + "decoder.py",
        "p.select(alive, self.device)",
        "p.select(list(range(len(alive))), self.device)",
        DECODER + "test_rows_write_in_a_batch_what_they_write_alone",
    ),
    mutant(
        "generators stay where they were",
        P + "decoder.py",
        "[self.generators[place] for place in alive]",
        "self.generators[: len(alive)]",
        DECODER + "test_rows_write_in_a_batch_what_they_write_alone",
    ),
    mutant(
        "rows that have ended are drawn for",
        P + "decoder.py",
        "multinomial(logits, self.generators, self.alive)",
        "multinomial(logits, self.generators)",
        DECODER + "test_rows_write_in_a_batch_what_they_write_alone",
    ),
    mutant(
        "no row ever leaves",
        P + "decoder.py",
        "        if size >= self.cache.rows:\n",
        "        if True:\n",
        DECODER + "test_rows_that_have_ended_leave_the_batch",
    ),
    mutant(
        "the fused sampler stays as it was",
        P + "decoder.py",
        "            self.fused.select(kept)\n",
        "            self.fused.select(torch.arange(len(kept)))\n",
        DECODER + "test_on_an_accelerator_rows_are_as_independent",
    ),
    # ---- the cache
    mutant(
        "pads are seen",
        P + "decoder.py",
        "padded = any(len(t) < length for t in texts)",
        "padded = False",
        DECODER + "test_rows_write_in_a_batch_what_they_write_alone",
    ),
    mutant(
        "copied rows forget their positions",
        CACHE,
        "        self.positions.copy_(source.positions.index_select(0, index))\n",
        "",
        KV + "test_rows_continue_other_rows_in_this_cache_or_in_a_narrower_one",
    ),
    mutant(
        "copied rows see their pads",
        CACHE,
        "        self.bias[..., :used] = bias\n",
        "        self.bias[..., :used] = 0.0\n",
        KV + "test_rows_continue_other_rows_in_this_cache_or_in_a_narrower_one",
    ),
    mutant(
        "copied rows write the first column",
        CACHE,
        "        self.column.copy_(source.column)\n",
        "",
        KV + "test_rows_continue_other_rows_in_this_cache_or_in_a_narrower_one",
    ),
    mutant(
        "copied rows hear the windows of others",
        CACHE,
        "[t.index_select(0, lines) for t in cross]",
        "[t[: len(lines)] for t in cross]",
        KV + "test_rows_continue_other_rows_in_this_cache_or_in_a_narrower_one",
    ),
    mutant(
        "a new window sees the columns of the last",
        CACHE,
        "        self.positions.zero_()\n        self.bias.fill_(self.lowest)\n",
        "        self.positions.zero_()\n",
        DECODER + "test_one_decoder_serves_batches_of_all_sizes_one_after_another",
    ),
    mutant(
        "a new window goes on counting positions",
        CACHE,
        "        self.positions.zero_()\n        self.bias.fill_(self.lowest)\n",
        "        self.bias.fill_(self.lowest)\n",
        KV + "test_next_window_begins_at_the_first_position",
    ),
    mutant(
        "growing loses keys and values",
        CACHE,
        "            self.keys[layer][..., :old] = old_keys[layer]\n",
        "            pass\n",
        KV + "test_growth_keeps_what_was_written",
    ),
    mutant(
        "growing hides what was written",
        CACHE,
        "        bias[..., :old] = self.bias\n",
        "",
        KV + "test_growth_keeps_what_was_written",
    ),
    mutant(
        "a step writes over the one before",
        CACHE,
        "        column += 1\n        positions += 1\n",
        "        positions += 1\n",
        KV + "test_growth_keeps_what_was_written",
    ),
    mutant(
        "a step stays at its position",
        CACHE,
        "        column += 1\n        positions += 1\n",
        "        column += 1\n",
        KV + "test_growth_keeps_what_was_written",
    ),
    mutant(
        "teacher forcing outside autocast",
        "osuT5/model/model.py",
        'if self.precision == "amp" and not torch.is_autocast_enabled(self.device.type):',
        "if False:",
        KV + "test_teacher_forced_and_stepped_logits_agree",
    ),
    # ---- the fused sampler
    mutant(
        "fused sampler ignores top-k",
        P + "sampling.py",
        "in_top_k = (place < k) | (k == 0)",
        "in_top_k = (place >= 0) | (k == 0)",
        SAMPLING + "test_a_draw_is_that_of_the_whole_sorted_row",
    ),
    mutant(
        "fused sampler never flags",
        P + "sampling.py",
        "return token.masked_fill(is_open[:, 0], NOT_SAMPLED)",
        "return token",
        SAMPLING + "test_a_draw_is_that_of_the_whole_sorted_row",
    ),
    mutant(
        "fused sampler trusts a top-k that it does not see",
        P + "sampling.py",
        "(keep[:, -1:] & ~whole_top_k) | cut_top_k",
        "keep[:, -1:] & ~whole_top_k",
        SAMPLING + "test_a_draw_is_that_of_the_whole_sorted_row",
    ),
    mutant(
        "fused top-p drops one id more",
        P + "sampling.py",
        "above = mass.cumsum(1) - mass",
        "above = mass.cumsum(1)",
        SAMPLING + "test_a_draw_is_that_of_the_whole_sorted_row",
    ),
    mutant(
        "fused sampler keeps nothing at p = 0",
        P + "sampling.py",
        "((above < p) | (place == 0))",
        "(above < p)",
        SAMPLING + "test_a_draw_is_that_of_the_whole_sorted_row",
    ),
    mutant(
        "fused sampler draws with one number",
        P + "sampling.py",
        "        self.step += 1\n",
        "",
        SAMPLING + "test_rows_that_may_choose_among_too_many_are_drawn_again_exactly",
    ),
    mutant(
        "greedy rows are drawn",
        P + "sampling.py",
        "[1 if g else k for g, k in zip(greedy_rows, k, strict=True)]",
        "list(k)",
        SAMPLING + "test_a_greedy_row_takes_the_best_id_whatever_the_others_do",
    ),
    # ---- the session
    mutant(
        "encodings are not kept",
        P + "session.py",
        "        if key in self._encodings:\n",
        "        if False:\n",
        SESSION + "test_windows_are_encoded_once_for_stages_requests_and_tracks",
    ),
    mutant(
        "encodings are kept without their conditions",
        P + "session.py",
        "key = (settings_key(conditions), plan.stride_samples,",
        "key = (plan.stride_samples,",
        SESSION + "test_other_conditions_of_the_encoder_are_encoded_apart",
    ),
    mutant(
        "encodings are kept without their start",
        P + "session.py",
        "int(plan.starts_samples[0]), len(plan), number)",
        "len(plan), number)",
        SESSION + "test_results_do_not_depend_on_what_a_session_was_used_for",
    ),
    mutant(
        "half precision always",
        P + "session.py",
        "hidden.half() if self.is_long and hidden.dtype",
        "hidden.half() if hidden.dtype",
        SESSION + "test_only_long_songs_keep_half_precision",
    ),
    mutant(
        "half precision never",
        P + "session.py",
        "hidden.half() if self.is_long and hidden.dtype",
        "hidden.half() if not hidden.dtype",
        SESSION + "test_only_long_songs_keep_half_precision",
    ),
    mutant(
        "a session of another song is taken",
        P + "pipeline.py",
        "if session.audio_path is not None and session.audio_path.resolve()",
        "if session.audio_path is None and session.audio_path.resolve()",
        SESSION + "test_a_session_of_another_song_is_refused",
    ),
    mutant(
        "timing is found again in every attempt",
        P + "pipeline.py",
        "        tracks = [open_track(session, tasks[n]",
        "        timing = find_red_lines(session, tasks[0], on_progress, cancel, stats)\n"
        "        tracks = [open_track(session, tasks[n]",
        TRACKS + "test_a_rejected_map_is_written_anew_with_other_random_numbers",
    ),
    mutant(
        "accepted tracks are written again",
        P + "pipeline.py",
        "        waiting = list(rejected)\n        if not waiting:\n",
        "        waiting = waiting if rejected else []\n        if not waiting:\n",
        TRACKS + "test_only_the_rejected_track_is_written_anew",
    ),
    # ---- progress
    mutant(
        "objects come twice",
        P + "track.py",
        "rest = self.placed.finish(placement) if self.placed is not None else [d.copy() for d in drafts]",
        "rest = [d.copy() for d in drafts]",
        PROGRESS + "test_the_sum_of_objects_is_what_is_placed[0]",
    ),
    mutant(
        "a wrong stream is not replaced",
        P + "track.py",
        "        if sent != drafts[: len(sent)]:",
        "        if False:",
        PROGRESS + "test_a_stream_that_turned_out_wrong_is_replaced",
    ),
    mutant(
        "windows are counted from 0",
        P + "song_loop.py",
        "Window(context.value, window + 1,",
        "Window(context.value, window,",
        PROGRESS + "test_the_sum_of_objects_is_what_is_placed[0]",
    ),
    mutant(
        "no restart is told",
        P + "pipeline.py",
        "on_progress(Restart(attempt + 1, number))",
        "pass",
        TRACKS + "test_only_the_rejected_track_is_written_anew",
    ),
    mutant(
        "cancel waits for the window's end",
        P + "song_loop.py",
        "collect(self.cancel.watch(columns), len(rows))",
        "collect(columns, len(rows))",
        PROGRESS + "test_cancel_in_mid_window_ends_within_a_step",
    ),
    mutant(
        "cancel after the last window is missed",
        P + "pipeline.py",
        "    cancel.check()\n    if save:\n",
        "    if save:\n",
        PROGRESS + "test_cancel_during_verification_gives_no_map_either",
    ),
    mutant(
        "cancel before writing is missed",
        P + "pipeline.py",
        "        cancel.check()\n        result.paths",
        "        result.paths",
        PROGRESS + "test_cancel_at_any_stage_leaves_no_file",
    ),
    mutant(
        "a map is written that was not to be saved",
        P + "pipeline.py",
        '    if save:\n        report(Stage("write"))',
        '    if True:\n        report(Stage("write"))',
        PROGRESS + "test_without_save_nothing_is_written_and_the_map_is_the_same",
    ),
    mutant(
        "a given model is silent about options of loading",
        P + "pipeline.py",
        "        notify(report, ignored_by_given_model(request, model))\n",
        "        pass\n",
        IGNORED + "test_a_given_model_does_not_follow_options_of_loading",
    ),
    mutant(
        "a given model is silent about the adapter",
        P + "notices.py",
        'for option in ("model_path", "lora_path"):',
        'for option in ("model_path",):',
        IGNORED + "test_a_given_model_does_not_follow_options_of_loading",
    ),
    mutant(
        "guidance below 1 is silent",
        P + "notices.py",
        "    if options.cfg_scale < 1:\n",
        "    if False:\n",
        IGNORED + "test_wishes_without_effect_are_said",
    ),
    # ---- threads
    mutant(
        "pauses of threads are overlooked",
        P + "threads.py",
        "                        return Threads(1, 1)\n",
        "                        pass\n",
        THREADS + "test_more_threads_are_used_where_they_gain",
    ),
    mutant(
        "slower threads are used",
        P + "threads.py",
        "WORTH = 0.8 ",
        "WORTH = 1.5 ",
        THREADS + "test_more_threads_are_used_where_they_gain",
    ),
    mutant(
        "the number of threads stays",
        P + "threads.py",
        "    finally:\n        torch.set_num_threads(before)\n",
        "    finally:\n        pass\n",
        THREADS + "test_the_number_of_threads_comes_back_also_after_an_error",
    ),
    # ---- options
    mutant(
        "contradictions are told of values that are wrong themselves",
        "osuT5/options/model.py",
        "            if not wrong.intersection(rule.keys):\n",
        "            if True:\n",
        TRAIN + "test_a_default_in_place_of_a_wrong_value_contradicts_nothing",
    ),
    mutant(
        "contradictions hide behind wrong values",
        "osuT5/options/model.py",
        "            if not wrong.intersection(rule.keys):\n",
        "            if not wrong:\n",
        REQUEST + "test_names_values_and_contradictions_are_told_together",
    ),
    mutant(
        "defaults contradict",
        "osuT5/options/model.py",
        "return None if self.command.null_is_open and self.origin(key) == DEFAULT else self.get(key)",
        "return self.get(key)",
        REQUEST + "test_defaults_contradict_nobody",
        REQUEST + "test_missing_song_is_named",
    ),
    mutant(
        "true is the number one",
        "osuT5/options/types.py",
        "    whole = isinstance(value, Integral) and not isinstance(value, bool)\n",
        "    whole = isinstance(value, Integral)\n",
        REQUEST + "test_wrong_value_is_explained",
    ),
    mutant(
        "free text goes through the grammar of overrides",
        "osuT5/options/compose.py",
        "        if key in free:\n",
        "        if False:\n",
        COMMAND + "test_free_text_arrives_as_it_was_typed",
    ),
    mutant(
        "jobs do not know their own names",
        "osuT5/options/compose.py",
        "work(lambda: _composed(options, stated, typed, own, facts))",
        "work(lambda: _composed(options, stated, typed, own))",
        COMMAND + "test_many_jobs_run_one_after_the_other_and_the_worst_exit_code_counts",
    ),
    mutant(
        "values of a preset count as asked for",
        "osuT5/options/compose.py",
        'found.append(Layer(f"preset {preset.name}", ',
        "found.append(Layer(ASKED, ",
        COMMAND + "test_presets_of_ones_own",
    ),
    mutant(
        "a checkpoint says where files go",
        P + "resolve.py",
        "for k, v in profile.generation.items() if k not in NO_DEFAULTS}",
        "for k, v in profile.generation.items()}",
        RESOLVE + "test_a_checkpoint_says_nothing_of_the_users_files",
    ),
    mutant(
        "older names in a profile are unknown",
        P + "resolve.py",
        "named = {RENAMED.get(k, k): v for",
        "named = {k: v for",
        RESOLVE + "test_older_names_of_generation_defaults_are_read",
    ),
    mutant(
        "a range may begin behind the song",
        P + "resolve.py",
        "    if (options.start_time or 0) >= song.duration_ms:\n",
        "    if False:\n",
        RESOLVE + "test_a_range_begins_within_the_song",
    ),
    mutant(
        "the profile goes before the reference",
        P + "resolve.py",
        "            (REFERENCE, from_reference),\n            (PROFILE, from_profile),\n",
        "            (PROFILE, from_profile),\n            (REFERENCE, from_reference),\n",
        RESOLVE + "test_the_reference_goes_before_the_profile",
    ),
    mutant(
        "schedules keep their lengths",
        "osuT5/training/options.py",
        "scaled[name] = int(steps * total / total_then)",
        "scaled[name] = steps",
        TRAIN + "test_lengths_of_a_schedule_scale_with_its_steps",
    ),
    mutant(
        "data of one's own gets the published split",
        "osuT5/training/run.py",
        '    return asked and options.recipe != "compat"\n',
        "    return False\n",
        TRAIN + "test_a_share_of_ones_own_data_is_evaluated",
    ),
    mutant(
        "training and evaluation share a set",
        "osuT5/data/catalogue.py",
        "        chosen = set(ids[places[0] : places[1]])\n",
        "        chosen = set(ids[places[0] : places[1] + 1])\n",
        "tests/training/test_open_data.py::test_shares_of_a_data_set_part_it",
    ),
    # ---- events and prompts
    mutant(
        "indices follow the time",
        "osuT5/events/object_writer.py",
        "sorted(enumerate(objects), key=lambda pair: pair[1].time) if rules.sort else list(enumerate(objects))",
        "list(enumerate(sorted(objects, key=lambda o: o.time) if rules.sort else objects))",
        INDICES + "test_indices_follow_the_file_where_events_follow_the_time",
    ),
    mutant(
        "only the first event points at its object",
        "osuT5/events/object_writer.py",
        "object_indices += [object_index] * len(group)",
        "object_indices += [object_index] + [NO_OBJECT] * (len(group) - 1)",
        INDICES + "test_events_point_at_their_own_object",
    ),
    mutant(
        "a cut takes the first indices",
        "osuT5/events/types.py",
        "None if indices is None else [indices[i] for i in positions],",
        "None if indices is None else indices[: len(positions)],",
        INDICES + "test_cutting_and_filtering_keeps_the_indices",
    ),
    mutant(
        "a merge drops indices of one side",
        "osuT5/events/sequence.py",
        "first.object_indices is not None or second.object_indices is not None",
        "first.object_indices is not None and second.object_indices is not None",
        INDICES + "test_a_merge_fills_what_is_not_recorded",
    ),
    mutant(
        "written events have no index",
        P + "track.py",
        "sequence.object_indices.extend([NO_OBJECT] * len(written))",
        "pass",
        INDICES + "test_what_is_written_after_a_given_part_comes_from_no_object",
    ),
    mutant(
        "spans forget what was cut",
        "osuT5/events/prompt.py",
        "first_event=part.first_event + dropped)",
        "first_event=part.first_event)",
        PROMPT + "test_spans_still_point_at_their_events_after_a_cut",
    ),
    mutant(
        "every stage ends the sequence",
        "osuT5/events/prompt.py",
        "return self.vocabulary.context_sos.get(following[0]) if following else self.vocabulary.eos_id",
        "return self.vocabulary.eos_id",
        PROMPT + "test_labels_of_a_complete_prompt_are_those_of_the_training_sample",
    ),
    mutant(
        "start marks are no labels",
        "osuT5/events/prompt.py",
        "labels[span.first - 2] = ids[span.first - 1]",
        "pass",
        PROMPT + "test_offsets_and_cuts_take_labels_away",
    ),
    mutant(
        "labels ignore the offset",
        "osuT5/events/prompt.py",
        "span.first - 1 + offset, min(",
        "span.first - 1, min(",
        PROMPT + "test_offsets_and_cuts_take_labels_away",
    ),
    mutant(
        "a cut context has an end mark",
        "osuT5/events/prompt.py",
        "min(span.end - 1 + (marked and has_end), len(ids) - 1)",
        "min(span.end - 1 + marked, len(ids) - 1)",
        PROMPT + "test_offsets_and_cuts_take_labels_away",
    ),
    # ---- extreme maps
    mutant(
        "a slider multiplier of 0 divides",
        "osuT5/events/object_writer.py",
        "return written if written > 0 else beatmap.slider_multiplier",
        "return written",
        EXTREME + "test_the_old_map_with_multiplier_0_is_encoded",
    ),
    mutant(
        "a slider may last for ever",
        "osuT5/events/sliders.py",
        "    check_duration(start_us, milliseconds * 1000)\n",
        "",
        EXTREME + "test_a_slider_that_would_never_end_is_refused_by_its_time",
    ),
    mutant(
        "a slider may end before the beginning of time",
        "osuT5/events/object_writer.py",
        "if not abs(duration_us) <= LONGEST_US",
        "if not duration_us <= LONGEST_US",
        EXTREME + "test_sliders_of_huge_beats_are_refused",
    ),
    # ---- objects as a stream
    mutant(
        "objects come out before their neighbours",
        PP + "placed_objects.py",
        "bound - LIMIT_MS, self._lanes",
        "bound, self._lanes",
        STREAM + "test_an_object_comes_out_once_nothing_can_join_it_any_more",
    ),
    mutant(
        "long objects come out before they are cut",
        PP + "concurrency.py",
        "if not first.is_long or self._wanted_end(first) < following - gap:",
        "if True:",
        STREAM + "test_a_long_object_waits_for_the_start_that_may_cut_it",
    ),
    mutant(
        "objects come out before the first red line is certain",
        PP + "placed_objects.py",
        "if self._is_broken or self._first > bound:",
        "if self._is_broken:",
        STREAM + "test_nothing_is_certain_while_an_earlier_object_could_move_the_first_red_line",
    ),
    mutant(
        "objects that are given out are still worked on",
        PP + "placed_objects.py",
        "        return [draft.copy() for draft in final]\n",
        "        return final\n",
        STREAM + "test_what_is_given_out_is_a_copy",
    ),
    mutant(
        "a placement is changed by building it",
        PP + "positions.py",
        "return draft if (x, y) == (draft.x, draft.y) else moved(draft, x - draft.x, y - draft.y)",
        "draft.x, draft.y = x, y\n    return draft",
        ASSEMBLE + "test_a_placement_can_be_built_again_and_is_not_changed",
    ),
)


def named_tests(mutants: Iterable[Mutant]) -> list[str]:
    """All tests of these rows, each once."""
    return list(dict.fromkeys(test for row in mutants for test in row.tests))


def sandbox(folder: Path) -> Path:
    """A copy of the project to break, in `folder`, which does not exist yet; large files are links."""

    def copy(source: str, target: str) -> None:
        if os.path.getsize(source) >= LINKED_BYTES:
            os.symlink(os.path.realpath(source), target)
        else:
            shutil.copy2(source, target)

    folder.mkdir(parents=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", ".hypothesis", ".pytest_cache")
            shutil.copytree(source, folder / part, copy_function=copy, ignore=ignored)
        elif source.exists():
            copy(str(source), str(folder / part))
    return folder


def replace(file: Path, text: str) -> None:
    """Writes a source file and forgets its bytecode, which goes by size and second."""
    file.write_text(text, encoding="utf-8")
    Path(importlib.util.cache_from_source(str(file))).unlink(missing_ok=True)


def run(folder: Path, tests: Sequence[str]) -> tuple[int, str]:
    """(exit code of pytest, what it said); -1 when it took too long."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_") and k != "PYTHONPATH"}
    environment["OMP_NUM_THREADS"] = "1"
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LONGEST_S, check=False
        )
    except subprocess.TimeoutExpired:
        return -1, f"not done after {LONGEST_S} s"
    return done.returncode, done.stdout[-4000:] + done.stderr[-2000:]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 when every fault was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="faults to try; default: all")
    parser.add_argument("--list", action="store_true", help="print the names and end")
    parser.add_argument("-j", type=int, default=1, metavar="N", help="how many at a time")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - {row.name for row in MUTANTS}
    if unknown:
        parser.error(f"no such mutant: {', '.join(sorted(unknown))}; see --list")
    chosen = [row for row in MUTANTS if not options.names or row.name in options.names]
    if options.list:
        print(*(f"{row.name}  ({row.path})" for row in chosen), sep="\n")
        return 0

    with tempfile.TemporaryDirectory(prefix="mutants-") as temporary:
        copies: queue.Queue[Path] = queue.Queue()
        for number in range(max(options.j, 1)):
            copies.put(sandbox(Path(temporary).resolve() / str(number)))
        code, text = run(copies.queue[0], named_tests(chosen))
        if code != 0:
            print(f"without any fault the tests end with exit code {code}:\n{text}")
            return 1

        def attempt(row: Mutant) -> Outcome:
            folder = copies.get()
            try:
                outcome = row.try_in(folder)
            finally:
                copies.put(folder)
            print(f"{outcome.verdict:10} {outcome.seconds:5.1f} s  {row.name}", flush=True)
            return outcome

        with ThreadPoolExecutor(max(options.j, 1)) as pool:
            outcomes = list(pool.map(attempt, chosen))
    bad = [outcome for outcome in outcomes if outcome.verdict != "killed"]
    for outcome in bad:
        print(f"\n{outcome.verdict}: {outcome.mutant.name} ({outcome.mutant.path})\n{outcome.text}")
    print(f"\n{len(outcomes) - len(bad)} of {len(outcomes)} killed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
