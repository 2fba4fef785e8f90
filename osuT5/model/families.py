"""The backbone families and the checked form of `backbone_config`.

Facts: the three published families share one backbone (`backbone.py`); what differs between them is a row of
`FAMILIES`. `backbone_config` is authoritative for all sizes; its own `model_type` is always "whisper", so
`backbone_model_name` tells the family.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from osuT5.errors import CheckpointError


@dataclass(frozen=True)
class Family:
    """One backbone family.

    Attributes:
        prefix: start of `backbone_model_name`, lower case.
        norm: "layer" (weight and bias, eps 1e-5) or "rms" (weight, eps 2^-23).
        rotary: positions by rotary embedding in self-attention; otherwise tables that are added.
        fused: one `Wqkv` and `Wo` per self-attention; otherwise q, k, v, out projections with a bias-free k.
        cross_name: module name of the cross-attention.
        fixed_length: the encoder accepts only windows of exactly 2 * max_source_positions frames.
    """

    prefix: str
    norm: str
    rotary: bool
    fused: bool
    cross_name: str
    fixed_length: bool


FAMILIES = (
    Family("openai/whisper", "layer", rotary=False, fused=False, cross_name="encoder_attn", fixed_length=True),
    Family("tiger14n/ropewhisper", "rms", rotary=True, fused=False, cross_name="encoder_attn", fixed_length=False),
    Family("olibomby/varwhisper", "rms", rotary=True, fused=True, cross_name="cross_attn", fixed_length=False),
)

# D, layers per side, heads, FFN of the stock Whisper sizes: what an absent `backbone_config` means
STOCK_SIZES = {
    "tiny": (384, 4, 6, 1536),
    "base": (512, 6, 8, 2048),
    "small": (768, 12, 12, 3072),
    "medium": (1024, 24, 16, 4096),
}


def family_of(backbone_model_name: str) -> Family:
    """The family row of a `backbone_model_name`. Raises CheckpointError for families this project does not run."""
    name = backbone_model_name.lower()
    for family in FAMILIES:
        if name.startswith(family.prefix):
            return family
    known = ", ".join(f.prefix for f in FAMILIES)
    raise CheckpointError(
        f"backbone {backbone_model_name!r} is not supported; supported families: {known}. "
        "Use a checkpoint of version 28 or later."
    )


@dataclass(frozen=True)
class RotarySettings:
    """Rotary embedding of one side: `kind` is default, linear or dynamic (NTK); `max_length` is its trained range."""

    kind: str
    factor: float
    theta: float
    max_length: int


@dataclass(frozen=True)
class BackboneSettings:
    """`backbone_config`, checked and typed.

    With `global_every` > 1 only every so-many-th layer is global; the others see `local_window` tokens each side.
    """

    family: Family
    d_model: int
    encoder_layers: int
    decoder_layers: int
    encoder_heads: int
    decoder_heads: int
    encoder_ffn: int
    decoder_ffn: int
    input_channels: int
    max_source_positions: int
    max_target_positions: int
    vocab_size: int
    attention_bias: bool
    dropout: float
    init_std: float
    rope_type: str
    encoder_factor: float
    decoder_factor: float
    global_theta: float
    local_theta: float
    global_every: int
    local_window: int

    def rotary(self, side: str, layer: int) -> RotarySettings | None:
        """Rotary settings of a layer's self-attention; side is "encoder" or "decoder"."""
        if not self.family.rotary:
            return None
        factor, length = {
            "encoder": (self.encoder_factor, self.max_source_positions),
            "decoder": (self.decoder_factor, self.max_target_positions),
        }[side]
        theta = self.global_theta if self.window(layer) is None else self.local_theta
        return RotarySettings(self.rope_type, factor, theta, length)

    def window(self, layer: int) -> int | None:
        """Tokens a local layer sees on each side, itself not counted; None for a global layer."""
        return self.local_window if self.global_every > 1 and layer % self.global_every else None

    @classmethod
    def from_dict(cls, name: str, values: dict[str, Any]) -> BackboneSettings:
        """Missing keys take the stock values of the size that `name` ends with. Raises CheckpointError."""
        d_model, layers, heads, ffn = STOCK_SIZES.get(name.rsplit("-", 1)[-1], STOCK_SIZES["base"])

        def get(key: str, default: Any) -> Any:
            value = values.get(key)
            return default if value is None else value

        scaling = values.get("rope_scaling") or {}
        theta = float(get("global_rope_theta", 10000.0))
        settings = cls(
            family=family_of(name),
            d_model=get("d_model", d_model),
            encoder_layers=get("encoder_layers", layers),
            decoder_layers=get("decoder_layers", layers),
            encoder_heads=get("encoder_attention_heads", heads),
            decoder_heads=get("decoder_attention_heads", heads),
            encoder_ffn=get("encoder_ffn_dim", ffn),
            decoder_ffn=get("decoder_ffn_dim", ffn),
            input_channels=get("num_mel_bins", 80),
            max_source_positions=get("max_source_positions", 1500),
            max_target_positions=get("max_target_positions", 448),
            vocab_size=get("vocab_size", 51865),
            attention_bias=bool(get("attention_bias", True)),
            dropout=float(get("dropout", 0.0)),
            init_std=float(get("init_std", 0.02)),
            rope_type=scaling.get("rope_type") or get("rope_type", "default"),
            encoder_factor=float(scaling.get("factor") or get("rope_encoder_scaling_factor", 1.0)),
            decoder_factor=float(scaling.get("factor") or get("rope_decoder_scaling_factor", 1.0)),
            global_theta=theta,
            local_theta=float(get("local_rope_theta", theta)),
            global_every=int(get("global_attn_every_n_layers", 1)),
            local_window=int(get("local_attention", 128)) // 2,
        )
        settings._check(values)
        return settings

    def _check(self, values: dict[str, Any]) -> None:
        if self.d_model % self.encoder_heads or self.d_model % self.decoder_heads:
            raise CheckpointError(f"config.json: d_model {self.d_model} cannot be split into its attention heads")
        if self.rope_type not in ("default", "linear", "dynamic"):
            raise CheckpointError(f"config.json: rope_type {self.rope_type!r} is none of default, linear, dynamic")
        activation = values.get("activation_function", "gelu")
        if activation != "gelu":
            raise CheckpointError(f"config.json: activation_function {activation!r} is unsupported; only gelu is known")
