"""Options of the network and of the sound it hears. null takes the value of the profile (`data.profile`)."""

from __future__ import annotations

from osuT5.training.settings.option import Option

ROPE_TYPES = ("default", "linear", "dynamic")


def _size(name: str, kind: str, about: str, **more) -> Option:
    return Option(f"model.{name}", kind, about, f"profile.model.{more.pop('field', name)}", null=True, **more)


def _backbone(name: str, kind: str, about: str, **more) -> Option:
    return Option(f"model.{name}", kind, about, f"backbone.{name}", **more)


def _sound(name: str, kind: str, about: str, **more) -> Option:
    return Option(f"model.spectrogram.{name}", kind, about, f"profile.spectrogram.{name}", null=True, **more)


MODEL = (
    _size("name", "text", "backbone: openai/whisper-*, Tiger14n/ropewhisper-*, OliBomby/varwhisper-*; the ending names "
          "the size (tiny, base, small, medium)", field="backbone_model_name"),
    Option("model.config_base", "text", "nothing ever read it; the backbone is model.name", only=("",)),
    Option("model.input_features", "switch", "the backbones here hear spectrograms", only=(True,)),
    Option("model.input_raw_wave", "switch", "no backbone here hears raw sound", only=(False,)),
    _size("project_encoder_input", "switch", "a linear layer between spectrogram and encoder"),
    Option("model.embed_decoder_input", "switch", "the decoder reads more ids than it writes, so it needs a table of "
           "its own", only=(True,)),
    Option("model.manual_norm_weights", "switch", "only of backbones that were never published", only=(False,)),
    Option("model.do_style_embed", "switch", "no published model has it; the style of a map can be a token "
           "(data.add_style_token)", only=(False,)),
    _size("do_difficulty_embed", "switch", "tell the encoder the star rating"),
    _size("do_mapper_embed", "switch", "tell the encoder the mapper"),
    _size("do_song_position_embed", "switch", "tell the encoder where in the song it is"),
    _size("cond_dim", "whole", "channels of each of these", low=1),
    _size("cond_size", "whole", "their channels together, which follow from them: only that number is accepted", low=0),
    _size("rope_type", "choice", "rotary embedding", choices=ROPE_TYPES),
    _backbone("rope_encoder_scaling_factor", "number", "of the rotary embedding", low=1),
    _backbone("rope_decoder_scaling_factor", "number", "of the rotary embedding", low=1),
    _backbone("rope_scaling.factor", "number", "if not 1: in place of both factors above", low=1),
    _backbone("rope_scaling.rope_type", "choice", "if not default: in place of rope_type", choices=ROPE_TYPES),
    Option("model.deterministic_flash_attn", "switch", "attention is torch's own; there is no such switch",
           only=(False,)),
    _size("attention_bias", "switch", "biases in the attention projections"),
    _size("global_attn_every_n_layers", "whole", "every so-many-th layer attends to everything, the others locally",
          low=1),
    _backbone("local_attention", "whole", "ids that a local layer sees, half of them on each side", low=2),
    _backbone("local_rope_theta", "number", "of the local layers", low=1),
    _backbone("global_rope_theta", "number", "of the global layers", low=1),
    Option("model.overwrite", "mapping", "single fields of the backbone's configuration, such as {d_model: 256, "
           "encoder_layers: 4}; tie_word_embeddings can only be false", "backbone.overwrite"),
    Option("model.add_config", "mapping", "the same: more fields of it", "backbone.add_config"),
    Option("model.onset_weight", "number", "of the onset head in the loss, for models with one; null: the model's own",
           "model.onset_weight", null=True, low=0, ours=True),
    _sound("implementation", "choice", "whose mel formulas", choices=("nnAudio", "torchaudio")),
    _sound("log_scale", "switch", "log(1 + x) of the spectrogram"),
    _sound("sample_rate", "whole", "Hz", low=1000),
    _sound("hop_length", "whole", "samples of a frame", low=1),
    _sound("n_fft", "whole", "samples of a Fourier window", low=2),
    _sound("n_mels", "whole", "bands", low=1),
    _sound("f_min", "number", "Hz", low=0),
    _sound("f_max", "number", "Hz", low=1),
    _sound("pad_mode", "choice", "what lies beyond the window", choices=("constant", "reflect")),
)  # fmt: skip
