"""What differs between model versions, as data.

A `Profile` says what a model tokenises and how, its window, its context templates and its generation defaults.
The six published versions are rows of `profiles.json`; checkpoints written by this project carry their own as
`profile.json`. No code asks for a version's name: it asks the profile for the fact.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from osuT5.errors import CheckpointError
from osuT5.events.types import ContextType

TIME_STEP_MS = 10


@dataclass(frozen=True)
class Template:
    """One thing a model was trained to do: given the `inputs`, write the `outputs` in this order."""

    inputs: tuple[ContextType, ...]
    outputs: tuple[ContextType, ...]


@dataclass(frozen=True)
class Profile:
    """A model version's settings. Mappings are plain dicts and must not be changed."""

    name: str
    # window: the encoder hears src_seq_len - 1 frames of hop_length samples
    src_seq_len: int = 1024
    tgt_seq_len: int = 2048
    # contexts
    templates: tuple[Template, ...] = ()
    add_out_context_types: bool = True
    gamemodes: tuple[int, ...] = (0, 1, 2, 3)
    # layout of event groups
    types_first: bool = True
    add_timing: bool = False  # beats interleaved in the map
    add_timing_points: bool = True
    add_snapping: bool = True
    add_hitsounds: bool = True
    add_volumes: bool = True
    add_positions: bool = True
    add_distances: bool = True
    position_precision: int = 32
    position_split_axes: bool = False
    position_refinement: int | None = None
    position_range: tuple[int, int, int, int] = (-256, 768, -256, 640)
    add_sv: bool = True
    add_mania_sv: bool = False
    add_kiai: bool = False
    mania_bpm_normalized_scroll_speed: bool = True
    slider_version: int = 1
    sustain_interval: int | None = None
    # prompt
    add_gamemode_token: bool = True
    add_style_token: bool = False
    add_diff_token: bool = True
    add_mapper_token: bool = True
    add_year_token: bool = True
    add_hitsounded_token: bool = True
    add_song_length_token: bool = True
    add_global_sv_token: bool = True
    add_cs_token: bool = True
    add_keycount_token: bool = True
    add_hold_note_ratio_token: bool = True
    add_scroll_speed_ratio_token: bool = True
    add_descriptors: bool = True
    add_kiai_special_token: bool = False
    add_sv_special_token: bool = True
    add_song_position_token: bool = True
    add_pre_tokens: bool = False
    center_pad_decoder: bool = False
    add_gd_context: bool = False
    descriptor_source: str = "omdb"
    num_diff_classes: int = 24
    max_diff: float = 12
    num_cs_classes: int = 21
    # which rules turn a file into events: "published" keeps every oddity the published models were trained with
    event_rules: str = "published"
    # sections for other packages
    model: dict[str, Any] = field(default_factory=dict)
    spectrogram: dict[str, Any] = field(default_factory=dict)
    generation: dict[str, Any] = field(default_factory=dict)

    @property
    def sample_rate(self) -> int:
        return self.spectrogram.get("sample_rate", 16000)

    @property
    def hop_length(self) -> int:
        return self.spectrogram.get("hop_length", 128)

    @property
    def window_samples(self) -> int:
        return (self.src_seq_len - 1) * self.hop_length

    @property
    def window_ms(self) -> float:
        return self.window_samples * 1000 / self.sample_rate

    @property
    def max_time_step(self) -> int:
        """Largest time-shift value: the window in steps of 10 ms."""
        return int((self.src_seq_len - 1) * self.hop_length * 1000 / self.sample_rate / TIME_STEP_MS)

    @property
    def context_marks(self) -> tuple[ContextType, ...]:
        """Contexts that have a start and an end mark, in the order of their ids."""
        seen: dict[ContextType, None] = {}
        for template in self.templates:
            seen.update(dict.fromkeys(template.inputs))
            if self.add_out_context_types:
                seen.update(dict.fromkeys(template.outputs))
        return tuple(seen)

    @property
    def output_contexts(self) -> tuple[ContextType, ...]:
        return tuple(dict.fromkeys(c for t in self.templates for c in t.outputs))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; `Profile.from_dict` reads it back."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "templates"}
        values["contexts"] = [
            {"in": [c.value for c in t.inputs], "out": [c.value for c in t.outputs]} for t in self.templates
        ]
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any], source: str = "profile") -> Profile:
        """Raises CheckpointError for unknown or missing fields, naming them."""
        values = dict(values)
        contexts = values.pop("contexts", [])
        known = {f.name for f in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise CheckpointError(f"{source}: unknown profile fields {', '.join(unknown)}; a newer version wrote it")
        if "name" not in values:
            raise CheckpointError(f"{source}: the profile has no name")
        try:
            templates = tuple(
                Template(tuple(map(ContextType, c["in"])), tuple(map(ContextType, c["out"]))) for c in contexts
            )
        except (KeyError, ValueError, TypeError) as error:
            raise CheckpointError(f"{source}: bad context template: {error}") from error
        for key in ("gamemodes", "position_range"):
            if key in values:
                values[key] = tuple(values[key])
        return cls(templates=templates, **values)

    def replace(self, **changes: Any) -> Profile:
        return dataclasses.replace(self, **changes)


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    return json.loads(Path(__file__).with_name("profiles.json").read_text(encoding="utf-8"))


def profile_names() -> list[str]:
    """Names of the built-in profiles."""
    return list(_table()["profiles"])


@cache
def load_profile(name: str) -> Profile:
    """The built-in profile of that name. Raises CheckpointError naming the known ones."""
    table = _table()
    if name not in table["profiles"]:
        raise CheckpointError(f"no profile named {name!r}; known: {', '.join(table['profiles'])}")
    merged: dict[str, Any] = {"name": name}
    for layer in (table["common"], table["profiles"][name]):
        for key, value in layer.items():
            merged[key] = {**merged.get(key, {}), **value} if isinstance(value, dict) else value
    return Profile.from_dict(merged, f"profile {name}")


def read_profile(path: Path) -> Profile:
    """The profile beside a checkpoint's weights (`profile.json`)."""
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read as a profile: {error}") from error
    return Profile.from_dict(values, str(path))
