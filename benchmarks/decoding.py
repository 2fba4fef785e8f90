"""Milliseconds a step: our decoder beside `transformers`' own `generate` with a static cache, on the same weights.

    python benchmarks/decoding.py [--threads 1] [--rows 1 4 20] [--size mini|v29]
    python benchmarks/decoding.py --device cuda --size v29 --precision bf16 --compile reduce-overhead

A Whisper-family model of the embedded model's (or v29's) size with random weights decodes greedily from a prompt of
100 ids; in float32 both must give the same ids. Runs alternate and medians are printed, so that a noisy machine hurts
both alike. On a GPU this takes under five minutes; `--compile` has `torch.compile` make one CUDA graph of our step for
each (rows, capacity).
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput
from transformers.utils import logging

from osuT5.events import Vocabulary, load_profile
from osuT5.events.prompt import Prompt
from osuT5.inference.decoder import Decoder, Row, collect
from osuT5.model import Mapperatorinator

PROMPT, NEW, ROUNDS = 100, 200, 7
logging.set_verbosity_error()


def build(size: str, device: str, dtype: torch.dtype) -> tuple[Mapperatorinator, WhisperForConditionalGeneration]:
    """The same weights in both forms."""
    profile = load_profile(size)
    if size == "mini":
        profile = profile.replace(model={**profile.model, "backbone_model_name": "openai/whisper-mini"})
    vocabulary = Vocabulary.from_profile(profile)
    classes = vocabulary.vocab_size_out
    torch.manual_seed(0)
    ours = Mapperatorinator.from_profile(profile, vocabulary, vocab_size_in=classes).eval()
    backbone = ours.config.backbone
    config = WhisperConfig(
        vocab_size=classes, d_model=backbone.d_model, encoder_layers=backbone.encoder_layers,
        decoder_layers=backbone.decoder_layers, encoder_attention_heads=backbone.encoder_heads,
        decoder_attention_heads=backbone.decoder_heads, encoder_ffn_dim=backbone.encoder_ffn,
        decoder_ffn_dim=backbone.decoder_ffn, num_mel_bins=backbone.input_channels,
        max_source_positions=backbone.max_source_positions, max_target_positions=backbone.max_target_positions,
        tie_word_embeddings=False, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1,
        suppress_tokens=None, begin_suppress_tokens=None,
    )  # fmt: skip
    theirs = WhisperForConditionalGeneration(config).eval()
    state = {k.removeprefix("transformer."): v for k, v in ours.state_dict().items() if k.startswith("transformer.")}
    state["model.decoder.embed_tokens.weight"] = ours.state_dict()["decoder_embedder.weight"]
    theirs.load_state_dict(state)
    return ours.to(device, dtype), theirs.to(device, dtype)


def measure(rows: int, ours: Mapperatorinator, theirs: WhisperForConditionalGeneration) -> tuple[float, float]:
    """Median ms per step of both. Raises AssertionError when the ids differ in float32."""
    device = ours.device
    generator = torch.Generator().manual_seed(rows)
    prompt = torch.randint(3, ours.config.vocab_size, (1, PROMPT), generator=generator).repeat(rows, 1)
    audio = torch.randn(1, ours.profile.window_samples, generator=generator) * 0.1
    hidden = ours.encode(audio.to(device)).clone()
    decoder = Decoder(ours)
    batch = [Row(Prompt(ids), (), PROMPT + NEW) for ids in prompt.tolist()]
    ours_ms, theirs_ms = [], []
    for _ in range(ROUNDS + 1):
        began = time.perf_counter()
        mine = collect(decoder.generate(batch, hidden), rows)
        ours_ms.append((time.perf_counter() - began) * 1000 / NEW)
        began = time.perf_counter()
        with torch.inference_mode():
            out = theirs.generate(
                encoder_outputs=BaseModelOutput(last_hidden_state=hidden.repeat(rows, 1, 1)),
                decoder_input_ids=prompt.to(device), max_new_tokens=NEW, min_new_tokens=NEW, do_sample=False,
                cache_implementation="static", disable_compile=True, eos_token_id=None,
            ).tolist()  # fmt: skip
        theirs_ms.append((time.perf_counter() - began) * 1000 / NEW)
        if ours.dtype == torch.float32 and device.type == "cpu":
            assert mine == [row[-NEW:] for row in out], "the two decoders disagree"
    return statistics.median(ours_ms[1:]), statistics.median(theirs_ms[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 4, 20])
    parser.add_argument("--size", choices=("mini", "v29"), default="mini")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", choices=("fp32", "bf16", "fp16"), default="fp32")
    parser.add_argument("--compile", metavar="MODE", help="mode of torch.compile for our step")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[options.precision]
    ours, theirs = build(options.size, options.device, dtype)
    if options.compile:
        ours.cached_decoder.compile(mode=options.compile)
    one_row = None
    for rows in options.rows:
        a, b = measure(rows, ours, theirs)
        one_row = one_row or a / rows
        print(
            f"rows {rows}: ours {a:.2f} ms/step, transformers {b:.2f} ms/step, ratio {b / a:.2f}, "
            f"{rows * 1000 / a:.0f} tokens/s, {a / one_row:.1f} steps of one row",
            flush=True,
        )


if __name__ == "__main__":
    main()
