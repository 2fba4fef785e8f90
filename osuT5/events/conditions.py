"""What a map is asked to be: the conditions of a prompt, read off a map or given by a user.

What is None is unknown to the model.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from osuT5.beatmap import Beatmap, GameMode, Hold, Slider, stars
from osuT5.events.layout import COLUMNS
from osuT5.events.object_writer import file_offset_us, line_view, objects_in_order, slider_multiplier
from osuT5.events.profile import Profile
from osuT5.events.rules import EventRules, rules_of
from osuT5.events.state_contexts import speed_changes
from osuT5.events.vocabulary import Vocabulary

STD, TAIKO, CATCH, MANIA = GameMode
POSITION_MODES = frozenset({STD, CATCH})
ALL_MODES = None


@dataclass(frozen=True)
class Conditions:
    """The conditions of one map. The defaults are those of a request that says nothing.

    Attributes:
        difficulty: star rating; None unknown.
        mapper_id: user id of the mapper; beatmap_id: a map in whose style to write (older models).
        year: 2007..2076; hitsounded: whether the map has hitsounds.
        slider_multiplier, circle_size: as in [Difficulty]; osu! and catch.
        keycount: 1..18; hold_note_ratio: holds per object, 0..1; mania.
        scroll_speed_ratio: speed changes per moment with an object, 0..1; taiko and mania.
        descriptors: names, or classes of the vocabulary.
        song_length_ms: of the audio; 0 if not known.
    """

    gamemode: int = 0
    difficulty: float | None = None
    mapper_id: int | None = None
    beatmap_id: int | None = None
    year: int | None = None
    hitsounded: bool = True
    slider_multiplier: float = 1.4
    circle_size: float | None = None
    keycount: int = 4
    hold_note_ratio: float | None = None
    scroll_speed_ratio: float | None = None
    descriptors: Sequence[str | int] | None = None
    song_length_ms: float = 0.0


def conditions_of(
    beatmap: Beatmap,
    profile: Profile,
    vocabulary: Vocabulary | None = None,
    *,
    song_length_ms: float = 0.0,
    year: int | None = None,
    speed: float = 1.0,
    difficulty: float | None = None,
) -> Conditions:
    """The conditions that a map fulfils.

    Args:
        vocabulary: tells the mapper and the descriptors of maps that it knows by their id.
        year: of submission, which no .osu file says.
        speed: how many times as fast the song is played; counts in the star rating.
        difficulty: star rating where it is known already; rated here if None.
    """
    rules = rules_of(profile)
    mode = beatmap.mode
    beatmap_id = int(beatmap.beatmap_id) if beatmap.beatmap_id > 0 else None
    mapper_id = descriptors = None
    if vocabulary is not None and beatmap_id is not None:
        mapper_id = vocabulary.beatmap_mapper.get(beatmap_id)
        classes = vocabulary.beatmap_descriptors.get(beatmap_id)
        descriptors = None if classes is None else [vocabulary.descriptor_name(i) for i in classes]
    if difficulty is None:
        rating = stars(beatmap, clock_rate=speed)
        difficulty = None if rating is None else round(rating, 2)
    defaults = Conditions()
    return Conditions(
        gamemode=int(mode),
        difficulty=difficulty,
        mapper_id=mapper_id,
        beatmap_id=beatmap_id,
        year=year,
        hitsounded=is_hitsounded(beatmap, rules),
        slider_multiplier=slider_multiplier(beatmap, rules),
        circle_size=beatmap.cs,
        keycount=min(max(int(beatmap.cs), 1), COLUMNS) if mode == MANIA else defaults.keycount,
        hold_note_ratio=hold_note_ratio(beatmap) if mode == MANIA else None,
        scroll_speed_ratio=scroll_speed_ratio(beatmap, rules) if mode in (TAIKO, MANIA) else None,
        descriptors=descriptors,
        song_length_ms=song_length_ms,
    )


def is_hitsounded(beatmap: Beatmap, rules: EventRules) -> bool:
    """Whether any object plays more than its normal sound (on slider edges only where the rules look at them)."""
    for obj in beatmap.hit_objects:
        if obj.hitsound or (rules.edge_hitsounds and isinstance(obj, Slider) and any(obj.edge_sounds)):
            return True
    return False


def hold_note_ratio(beatmap: Beatmap) -> float | None:
    """Hold notes per object; None without objects."""
    count = len(beatmap.hit_objects)
    return sum(isinstance(o, Hold) for o in beatmap.hit_objects) / count if count else None


def scroll_speed_ratio(beatmap: Beatmap, rules: EventRules, normalised: bool | None = None) -> float | None:
    """Speed changes per moment with an object; may exceed 1; None without objects.

    Args:
        normalised: speeds relative to the main tempo; None: in mania only.
    """
    if not beatmap.hit_objects:
        return None
    if normalised is None:
        normalised = beatmap.mode == MANIA
    view = line_view(beatmap, rules)
    changes = speed_changes(view, beatmap.hit_objects, file_offset_us(beatmap, rules), normalised, start=1.0)
    times = [o.time for _, o in objects_in_order(beatmap.hit_objects, rules)]
    moments = 1 + sum(a != b for a, b in zip(times, times[1:], strict=False))
    return len(changes) / moments


# The prompt says conditions in this order: (whether the profile has the token, game modes, ids).
_ClassToken = tuple[Callable[[Profile], bool], Collection[int] | None, Callable[[Conditions, Vocabulary], list[int]]]
_CLASS_TOKENS: tuple[_ClassToken, ...] = (
    (lambda p: p.add_gamemode_token, ALL_MODES, lambda c, v: [v.gamemode_id(c.gamemode)]),
    (lambda p: p.add_style_token, ALL_MODES, lambda c, v: [v.style_id(c.beatmap_id)]),
    (lambda p: p.add_diff_token, ALL_MODES, lambda c, v: [v.difficulty_id(c.difficulty)]),
    (lambda p: p.add_mapper_token, ALL_MODES, lambda c, v: [v.mapper_id(c.mapper_id)]),
    (lambda p: p.add_year_token, ALL_MODES, lambda c, v: [v.year_id(c.year)]),
    (lambda p: p.add_hitsounded_token, ALL_MODES, lambda c, v: [v.hitsounded_id(c.hitsounded)]),
    (lambda p: p.add_song_length_token, ALL_MODES, lambda c, v: [v.song_length_id(c.song_length_ms)]),
    (
        lambda p: p.add_global_sv_token and p.add_sv,
        POSITION_MODES,
        lambda c, v: [v.global_sv_id(c.slider_multiplier)],
    ),
    (lambda p: p.add_cs_token, POSITION_MODES, lambda c, v: [v.circle_size_id(c.circle_size)]),
    (lambda p: p.add_keycount_token, {MANIA}, lambda c, v: [v.keycount_id(c.keycount)]),
    (lambda p: p.add_hold_note_ratio_token, {MANIA}, lambda c, v: [v.hold_note_ratio_id(c.hold_note_ratio)]),
    (
        lambda p: p.add_scroll_speed_ratio_token,
        {TAIKO, MANIA},
        lambda c, v: [v.scroll_speed_ratio_id(c.scroll_speed_ratio)],
    ),
    (lambda p: p.add_descriptors, ALL_MODES, lambda c, v: v.descriptor_ids(c.descriptors)),
)


def class_prefix(conditions: Conditions, profile: Profile, vocabulary: Vocabulary) -> list[int]:
    """Ids of the conditions in the order of the prompt.

    A mapper who is not given is looked up by the beatmap id. Raises TokenError for values that no token can say.
    """
    if conditions.mapper_id is None and conditions.beatmap_id is not None:
        conditions = replace(conditions, mapper_id=vocabulary.beatmap_mapper.get(conditions.beatmap_id))
    ids: list[int] = []
    for wanted, modes, encode in _CLASS_TOKENS:
        if (modes is None or conditions.gamemode in modes) and wanted(profile):
            ids += encode(conditions, vocabulary)
    return ids
