"""The descriptor sets are those of the published models; mistyped names get a suggestion."""

import pytest

from osuT5.errors import InputError
from osuT5.events import (
    check_descriptors,
    descriptor_classes,
    descriptor_set,
    load_profile,
    nearest_descriptors,
    profile_names,
)


def test_sets_as_recorded(golden):
    recorded = golden.load("tokens/descriptors.json")
    omdb = [(t["id"], t["value"], t["group"], t["label"], t["ruleset_id"]) for t in recorded["omdb"]["tags"]]
    tags = [(t["id"], t["name"], t["group"], t["label"], t["ruleset_id"]) for t in recorded["user_tags_2026"]["tags"]]
    as_rows = [[(d.id, d.name, d.group, d.label, d.mode) for d in descriptor_set(s)] for s in ("omdb", "web")]
    assert as_rows == [omdb, tags]
    assert descriptor_classes("web") == recorded["user_tags_2026"]["descriptor_idx"]
    assert len(as_rows[1]) == 134 and len(descriptor_classes("web")) == 122


def test_a_mode_gets_its_own_tags_and_those_for_all():
    assert {d.mode for d in descriptor_set("web", mode=3)} <= {3, None}
    assert [d.id for d in descriptor_set("web", mode=1) if d.name == "skillset/tech"] == [87]


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_names_a_set(name):
    profile = load_profile(name)
    assert bool(descriptor_set(profile.descriptor_source)) == (profile.descriptor_source != "none")


def test_an_unknown_set_is_refused():
    with pytest.raises(InputError, match="no descriptor set named 'wiki'; known: omdb"):
        descriptor_set("wiki")


def test_near_names():
    known = descriptor_classes("web")
    assert nearest_descriptors("style/mesy", known)[0] == "style/messy"
    assert nearest_descriptors("messy", known) == ["style/messy"]
    assert "tech/slider tech" in nearest_descriptors("slider tech", known)
    assert nearest_descriptors("qqqqqq", known) == []


def test_unknown_words_are_all_named():
    problems = check_descriptors(["style/mesy", "style/clean", 3, "qqqqqq"], descriptor_classes("web"))
    assert len(problems) == 2
    assert "'style/mesy'" in problems[0] and "'style/messy'" in problems[0]
    assert "'qqqqqq'" in problems[1]
