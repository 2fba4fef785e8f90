"""Audio samples to mel spectrogram, for every setting that a trained model heard.

Facts: the three published settings (A: power spectrum, Slaney mels with area norm, zero padding; B and C: HTK mels,
reflect padding, log1p). The formulas are those of nnAudio, torchaudio and librosa; the tables are pure functions of
the settings, so the copies stored in published checkpoints are ignored and ours are always float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from osuT5.errors import CheckpointError, InputError


def _slaney_to_hz(mel: Tensor) -> Tensor:
    """Linear (200/3 Hz a mel) below 1 kHz = mel 15, then a factor of 6.4 every 27 mels."""
    return torch.where(mel < 15, mel * (200 / 3), 1000 * torch.exp((mel - 15) * (math.log(6.4) / 27)))


def _hz_to_slaney(hz: float) -> float:
    return hz * 3 / 200 if hz < 1000 else 15 + math.log(hz / 1000) * 27 / math.log(6.4)


def _htk_to_hz(mel: Tensor) -> Tensor:
    return 700 * (10 ** (mel / 2595) - 1)


def _hz_to_htk(hz: float) -> float:
    return 2595 * math.log10(1 + hz / 700)


@dataclass(frozen=True)
class _Recipe:
    """What `spectrogram_implementation` stands for. `dtype` is the precision its filter bank was built in."""

    to_mel: Callable[[float], float]
    to_hz: Callable[[Tensor], Tensor]
    area_norm: bool
    dtype: torch.dtype


_RECIPES = {
    "nnAudio": _Recipe(_hz_to_slaney, _slaney_to_hz, True, torch.float64),
    "torchaudio": _Recipe(_hz_to_htk, _htk_to_hz, False, torch.float32),
}
_PAD_MODES = ("constant", "reflect")


@dataclass(frozen=True)
class MelSpectrogram:
    """Mel spectrogram with `n_fft` samples a frame, centred every `hop_length` samples.

    Holds no parameters and no buffers, so casting the model never rounds its tables.
    """

    implementation: str = "torchaudio"
    log_scale: bool = True
    sample_rate: int = 16000
    n_fft: int = 1024
    n_mels: int = 80
    hop_length: int = 128
    f_min: float = 0
    f_max: float = 8000
    pad_mode: str = "reflect"

    def __post_init__(self) -> None:
        if self.implementation not in _RECIPES:
            known = ", ".join(_RECIPES)
            raise CheckpointError(f"spectrogram_implementation {self.implementation!r} is unknown; known: {known}")
        if self.pad_mode not in _PAD_MODES:
            raise CheckpointError(f"pad_mode {self.pad_mode!r} is unknown; known: {', '.join(_PAD_MODES)}")

    def __call__(self, samples: Tensor) -> Tensor:
        """(B, N) samples to (B, N // hop_length + 1, n_mels) float32, whatever autocast says.

        Raises InputError when reflect padding needs more samples than there are.
        """
        if self.pad_mode == "reflect" and samples.shape[-1] <= self.n_fft // 2:
            raise InputError(
                f"audio window of {samples.shape[-1]} samples is too short: "
                f"the spectrogram needs more than {self.n_fft // 2}; pad it with zeros"
            )
        window, bank = _tables(self, samples.device)
        with torch.autocast(samples.device.type, enabled=False):
            half = self.n_fft // 2
            padded = F.pad(samples.float().unsqueeze(1), (half, half), mode=self.pad_mode).squeeze(1)
            spectrum = torch.stft(
                padded, self.n_fft, self.hop_length, window=window, center=False, return_complex=True
            )
            power = torch.view_as_real(spectrum).square_().sum(-1)
            mel = power.transpose(1, 2) @ bank
            return mel.log1p_() if self.log_scale else mel

    def filter_bank(self) -> Tensor:
        """(n_fft // 2 + 1, n_mels) float32 triangles."""
        recipe = _RECIPES[self.implementation]
        low, high = recipe.to_mel(self.f_min), recipe.to_mel(self.f_max)
        points = recipe.to_hz(torch.linspace(low, high, self.n_mels + 2, dtype=recipe.dtype))
        bins = torch.linspace(0, self.sample_rate // 2, self.n_fft // 2 + 1, dtype=recipe.dtype)
        slopes = points.unsqueeze(0) - bins.unsqueeze(1)
        width = points.diff()
        rising, falling = -slopes[:, :-2] / width[:-1], slopes[:, 2:] / width[1:]
        bank = torch.minimum(rising, falling).clamp_min(0)
        if recipe.area_norm:
            bank = bank * (2 / (points[2:] - points[:-2]))
        return bank.float()


@lru_cache(maxsize=16)
def _tables(spectrogram: MelSpectrogram, device: torch.device) -> tuple[Tensor, Tensor]:
    """Window and filter bank on `device`; made outside inference mode, so that training may use them as well."""
    with torch.inference_mode(False):
        window = torch.hann_window(spectrogram.n_fft, periodic=True, dtype=torch.float32)
        return window.to(device), spectrogram.filter_bank().to(device)
