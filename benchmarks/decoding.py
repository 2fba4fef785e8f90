"""Milliseconds a token: our stepping beside `transformers`' own `generate` with a static cache, on the same weights.

    python benchmarks/decoding.py [threads]

A Whisper-family model of the embedded model's size with random weights decodes greedily from a prompt of 100 ids; both
must give the same ids. Runs alternate and medians are printed, so that a noisy machine hurts both alike.
"""

from __future__ import annotations

import statistics
import sys
import time

import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput
from transformers.utils import logging

from osuT5.events import Vocabulary, load_profile
from osuT5.events.prompt import Prompt
from osuT5.inference.decoder import Decoder, Row, collect
from osuT5.model import Mapperatorinator

PROMPT, NEW, ROUNDS = 100, 200, 5
logging.set_verbosity_error()


def build() -> tuple[Mapperatorinator, WhisperForConditionalGeneration]:
    """The same weights in both forms."""
    profile = load_profile("mini")
    profile = profile.replace(model={**profile.model, "backbone_model_name": "openai/whisper-mini"})
    vocabulary = Vocabulary.from_profile(profile)
    size = vocabulary.vocab_size_out
    torch.manual_seed(0)
    ours = Mapperatorinator.from_profile(profile, vocabulary, vocab_size_in=size).eval()
    width = profile.model["d_model"]
    config = WhisperConfig(
        vocab_size=size, d_model=width, encoder_layers=4, decoder_layers=4, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=1024, decoder_ffn_dim=1024, num_mel_bins=80,
        max_source_positions=profile.src_seq_len // 2, max_target_positions=profile.tgt_seq_len,
        tie_word_embeddings=False, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
        suppress_tokens=None, begin_suppress_tokens=None,
    )  # fmt: skip
    theirs = WhisperForConditionalGeneration(config).eval()
    state = {k.removeprefix("transformer."): v for k, v in ours.state_dict().items() if k.startswith("transformer.")}
    state["model.decoder.embed_tokens.weight"] = ours.state_dict()["decoder_embedder.weight"]
    theirs.load_state_dict(state)
    return ours, theirs


def measure(rows: int, ours: Mapperatorinator, theirs: WhisperForConditionalGeneration) -> tuple[float, float]:
    """Median ms per step of both. Raises AssertionError when the ids differ."""
    generator = torch.Generator().manual_seed(rows)
    prompt = torch.randint(3, ours.config.vocab_size, (1, PROMPT), generator=generator).repeat(rows, 1)
    frames = torch.randn(1, ours.profile.window_samples, generator=generator) * 0.1
    hidden = ours.encode(frames).clone()
    decoder = Decoder(ours)
    ours_ms, theirs_ms = [], []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        mine = collect(decoder.generate([Row(Prompt(p.tolist()), (), PROMPT + NEW) for p in prompt], hidden), rows)
        ours_ms.append((time.perf_counter() - began) * 1000 / NEW)
        began = time.perf_counter()
        with torch.inference_mode():
            out = theirs.generate(
                encoder_outputs=BaseModelOutput(last_hidden_state=hidden.repeat(rows, 1, 1)),
                decoder_input_ids=prompt, max_new_tokens=NEW, min_new_tokens=NEW, do_sample=False,
                cache_implementation="static", disable_compile=True, eos_token_id=None,
            )  # fmt: skip
        theirs_ms.append((time.perf_counter() - began) * 1000 / NEW)
        assert mine == out[:, -NEW:].tolist(), "the two decoders disagree"
    return statistics.median(ours_ms[1:]), statistics.median(theirs_ms[1:])


def main() -> None:
    torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
    ours, theirs = build()
    for rows in (1, 4, 20):
        a, b = measure(rows, ours, theirs)
        print(f"rows {rows}: ours {a:.2f} ms/step, transformers {b:.2f} ms/step, ratio {b / a:.2f}", flush=True)


if __name__ == "__main__":
    main()
