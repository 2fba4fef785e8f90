"""Conditions read off a map, and the prompt prefix that they make, as the published models know them."""

import pytest

from osuT5.beatmap import Beatmap, Circle, TimingPoint, read, stars
from osuT5.errors import TokenError
from osuT5.events import Conditions, Vocabulary, class_prefix, conditions_of, load_profile
from osuT5.events.conditions import hold_note_ratio, is_hitsounded, scroll_speed_ratio
from osuT5.events.object_writer import line_view
from osuT5.events.rules import rules_of
from osuT5.events.state_contexts import main_beat_length

MAPS = ("catch", "mania4k", "mania7k_neg", "std_basic", "std_edges", "std_long", "taiko")
# star ratings were recorded with another release of the rating formula; all else is exact
STARS_TOLERANCE = 0.15


@pytest.mark.parametrize("name", MAPS)
def test_what_a_map_is_like(golden, name):
    recorded = golden.load("tokens/conditioning.json")["maps"][f"{name}.osu"]
    beatmap = read(golden.tokens / "maps" / f"{name}.osu")
    profile = load_profile("v32")
    rules = rules_of(profile)
    assert is_hitsounded(beatmap, rules) == recorded["hitsounded"]
    assert hold_note_ratio(beatmap) == recorded["hold_note_ratio"]
    assert scroll_speed_ratio(beatmap, rules) == recorded["scroll_speed_ratio"]
    assert scroll_speed_ratio(beatmap, rules, normalised=False) == recorded["scroll_speed_ratio_unnormalized"]
    assert main_beat_length(line_view(beatmap, rules), beatmap.hit_objects, 0) == recorded["median_ms_per_beat"]
    conditions = conditions_of(beatmap, profile, golden.vocabulary("v32"))
    config = recorded["generation_config_v32"]
    for key in (
        "gamemode", "beatmap_id", "mapper_id", "year", "hitsounded", "circle_size", "slider_multiplier", "keycount",
        "hold_note_ratio", "scroll_speed_ratio", "descriptors",
    ):  # fmt: skip
        assert getattr(conditions, key) == config[key], key
    assert conditions.difficulty == pytest.approx(config["difficulty"], abs=STARS_TOLERANCE)


@pytest.mark.parametrize("name", MAPS)
def test_class_prefixes(golden, name):
    recorded = golden.load("tokens/conditioning.json")
    lengths, explicit = recorded["song_length_ms"], recorded["explicit_config"]
    case = recorded["maps"][f"{name}.osu"]
    beatmap = read(golden.tokens / "maps" / f"{name}.osu")
    for profile_name, prefixes in case["prefix"].items():
        profile, vocabulary = golden.profile_of(profile_name), golden.vocabulary(profile_name)
        conditions = {
            "from_beatmap": conditions_of(
                beatmap, profile, vocabulary, song_length_ms=lengths["from_beatmap"], difficulty=case["difficulty"]
            ),
            "defaults": Conditions(gamemode=beatmap.mode, song_length_ms=lengths["defaults"]),
            "explicit": Conditions(gamemode=beatmap.mode, song_length_ms=lengths["explicit"], **explicit),
        }
        for kind, expected in prefixes.items():
            assert class_prefix(conditions[kind], profile, vocabulary) == expected, (profile_name, kind)


def test_a_requested_mapper_wins_over_the_mapper_of_the_beatmap_id(golden):
    profile, vocabulary = load_profile("v32"), golden.vocabulary("v32")

    def mapper_of(**given):
        prefix = class_prefix(Conditions(**given), profile, vocabulary)
        return next(vocabulary.decode(i).value for i in prefix if vocabulary.decode(i).type.value == "mapper")

    assert mapper_of(beatmap_id=70010) == vocabulary.mapper_class(907)
    assert mapper_of(beatmap_id=70010, mapper_id=11) == vocabulary.mapper_class(11)
    assert mapper_of() == vocabulary.num_mapper_classes


@pytest.mark.parametrize("wrong", [{"year": 1999}, {"gamemode": 3, "keycount": 19}, {"gamemode": 4}])
def test_values_that_no_token_can_say_are_refused(wrong):
    profile = load_profile("v32")
    with pytest.raises(TokenError, match="outside"):
        class_prefix(Conditions(**wrong), profile, Vocabulary.from_profile(profile))


def test_speed_counts_in_the_star_rating(golden):
    beatmap = read(golden.tokens / "maps" / "std_long.osu")
    faster = conditions_of(beatmap, load_profile("v32"), speed=1.5).difficulty
    assert faster == round(stars(beatmap, 1.5), 2) != conditions_of(beatmap, load_profile("v32")).difficulty


def test_a_map_without_objects_has_no_ratios():
    beatmap = Beatmap(timing_points=[TimingPoint(0, 500.0)])
    beatmap.mode = 3
    conditions = conditions_of(beatmap, load_profile("mini"))
    assert conditions.hold_note_ratio is None and conditions.scroll_speed_ratio is None
    beatmap.hit_objects.append(Circle(0, 0, 0))
    assert conditions_of(beatmap, load_profile("mini"), difficulty=1.0).hold_note_ratio == 0
