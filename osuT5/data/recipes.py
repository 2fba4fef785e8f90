"""How maps become training samples: every difference between the published recipe and ours is an option here.

`compat(profile)` is what the published models were trained with, oddities included; `improved(profile)` keeps its
augmentation and mends the oddities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from osuT5.errors import InputError
from osuT5.events import Profile


@dataclass(frozen=True)
class SampleRecipe:
    """How samples are made from maps. Defaults are plain: nothing is disturbed, nothing is odd.

    Attributes:
        lookback, lookback_prob: share of a window that is context only, and how often (drawn once a map).
        lookahead: share of a window at its end whose events are not written.
        frame_offset_prob: how often the first window of a map begins at a random frame.
        time_jitter, common_time_jitter: time ids of the input are shifted by up to so many steps, each by its own
            draw, or all of a window by one; each kind happens with `jitter_prob`.
        snapping_noise: share of the input's snap ids that are replaced by any snap.
        state: where the kiai and speed before a window come from. "carried": from the windows of this epoch, and the
            last output context wins even when it is empty (published recipe); "events": from the map itself.
        dropout: name of a condition -> probability of saying "unknown", drawn per window.
        pre_tokens: events of the window before the first output context stand before id 1.
        max_pre_tokens: at most so many of them; 0 or less: no limit.
        first_pre_window: "all" gives the first window the whole map as pre tokens (published recipe), "none" nothing.
        end_after_cut: an output context that did not fit still ends with its end mark as a label (published recipe).
        empty: keep windows in which nothing happens.
        speed_prob, speed_range, speed_sqrt: how often and how much faster a set is played (pitch follows); with
            `speed_sqrt` high speeds are drawn more often.
        flip_x_prob, flip_y_prob: how often the positions of a set are mirrored.
        template_weights: how often each context template of the profile is used; empty: all alike.
        mapper_of: whose style the mapper condition names. "file": the mapper of the BeatmapID that the file states
            (published recipe); "row": the user that the data set names.
        normalize_audio: divide the sound by its peak.
        disturb_evaluation: jitter and snapping noise also while evaluating (published recipe).
        min_tag_votes: user tags with fewer votes are no descriptors.
    """

    lookback: float = 0.0
    lookback_prob: float = 0.0
    lookahead: float = 0.0
    frame_offset_prob: float = 0.0
    time_jitter: int = 0
    common_time_jitter: int = 0
    jitter_prob: float = 1.0
    snapping_noise: float = 0.0
    state: str = "events"
    dropout: Mapping[str, float] = field(default_factory=dict)
    pre_tokens: bool = False
    max_pre_tokens: int = -1
    first_pre_window: str = "none"
    end_after_cut: bool = False
    empty: bool = True
    speed_prob: float = 0.0
    speed_range: tuple[float, float] = (1.0, 1.0)
    speed_sqrt: bool = False
    flip_x_prob: float = 0.0
    flip_y_prob: float = 0.0
    template_weights: tuple[float, ...] = ()
    mapper_of: str = "row"
    normalize_audio: bool = True
    disturb_evaluation: bool = False
    min_tag_votes: int = 1

    def evaluation(self) -> SampleRecipe:
        """The same without augmentation and dropout; templates are still drawn."""
        plain = replace(
            self, lookback_prob=0.0, frame_offset_prob=0.0, dropout={}, speed_prob=0.0, flip_x_prob=0.0, flip_y_prob=0.0
        )
        if self.disturb_evaluation:
            return plain
        return replace(plain, time_jitter=0, common_time_jitter=0, snapping_noise=0.0)


PUBLISHED_DROPOUT: Mapping[str, float] = {
    "beatmap_id": 0.2,
    "difficulty": 0.2,
    "mapper_id": 0.2,
    "year": 0.2,
    "circle_size": 0.2,
    "hold_note_ratio": 0.2,
    "scroll_speed_ratio": 0.2,
    "descriptors": 0.2,
}
_PUBLISHED = SampleRecipe(
    state="carried",
    dropout=PUBLISHED_DROPOUT,
    time_jitter=2,
    first_pre_window="all",
    end_after_cut=True,
    mapper_of="file",
    disturb_evaluation=True,
)
_ALL_MODES_2024 = replace(
    _PUBLISHED, frame_offset_prob=1.0, speed_prob=0.5, speed_range=(1.25, 1.5), template_weights=(4.0, 1.0, 1.0)
)
_OSU_ONLY = replace(
    _PUBLISHED,
    frame_offset_prob=0.5,
    lookback=0.2,
    lookback_prob=0.5,
    speed_prob=0.3,
    speed_range=(1.0, 1.2),
    template_weights=(1.0,),
    dropout={**PUBLISHED_DROPOUT, "mapper_id": 0.1},
)
_TAGGED = replace(_OSU_ONLY, speed_sqrt=True, flip_x_prob=0.5, flip_y_prob=0.5, snapping_noise=0.25, min_tag_votes=2)
_COMPAT: Mapping[str, SampleRecipe] = {
    "v28": _ALL_MODES_2024,
    "v29": _ALL_MODES_2024,
    "v30": _OSU_ONLY,
    "v31": _ALL_MODES_2024,
    "v32": _TAGGED,
    "v32-mini": _TAGGED,
}
# What a profile without a published recipe of its own starts from.
_NEW = replace(_TAGGED, template_weights=(), frame_offset_prob=1.0, time_jitter=1, jitter_prob=0.5, snapping_noise=0.02)


def compat(profile: Profile) -> SampleRecipe:
    """The recipe of the published model of that profile. Raises InputError for a profile that is none of them."""
    if profile.name not in _COMPAT:
        raise InputError(
            f"profile {profile.name} has no published training recipe (these have: {', '.join(_COMPAT)}); "
            "use the recipe 'improved'"
        )
    return replace(_COMPAT[profile.name], pre_tokens=profile.add_pre_tokens)


def improved(profile: Profile) -> SampleRecipe:
    """The augmentation of the published recipe without its oddities: the state of a window start is the map's own,
    cut windows do not teach to end early, the first window does not see the whole map, evaluation is undisturbed."""
    return replace(
        _COMPAT.get(profile.name, _NEW),
        pre_tokens=profile.add_pre_tokens,
        state="events",
        first_pre_window="none",
        end_after_cut=False,
        mapper_of="row",
        disturb_evaluation=False,
    )


RECIPES: Mapping[str, Callable[[Profile], SampleRecipe]] = {"compat": compat, "improved": improved}


def recipe_for(name: str, profile: Profile) -> SampleRecipe:
    """The recipe of that name for a profile. Raises InputError naming the known ones."""
    if name not in RECIPES:
        raise InputError(f"no sample recipe named {name!r}; known: {', '.join(RECIPES)}")
    return RECIPES[name](profile)
