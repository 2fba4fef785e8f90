"""The token language: events, profiles, vocabularies, beatmap -> events, conditions, prompts."""

from osuT5.events.conditions import Conditions, class_prefix, conditions_of
from osuT5.events.descriptors import check_descriptors, descriptor_classes, descriptor_set, nearest_descriptors
from osuT5.events.encode import encode, encode_timing
from osuT5.events.hitsounds import pack_hitsound, unpack_hitsound
from osuT5.events.positions import column_x, decode_columns, decode_positions
from osuT5.events.profile import TIME_STEP_MS, Profile, Template, load_profile, profile_names, read_profile
from osuT5.events.prompt import IGNORED, ContextSpan, Prompt, PromptBuilder
from osuT5.events.sequence import (
    Group,
    fill_times,
    groups,
    last_value_before,
    merge,
    only,
    speed,
    window_slice,
    without,
)
from osuT5.events.types import NO_OBJECT, ContextType, Event, EventSequence, EventType
from osuT5.events.vocabulary import TYPE_CODE, Vocabulary

__all__ = [
    "IGNORED",
    "NO_OBJECT",
    "TIME_STEP_MS",
    "TYPE_CODE",
    "Conditions",
    "ContextSpan",
    "ContextType",
    "Event",
    "EventSequence",
    "EventType",
    "Group",
    "Profile",
    "Prompt",
    "PromptBuilder",
    "Template",
    "Vocabulary",
    "check_descriptors",
    "class_prefix",
    "column_x",
    "conditions_of",
    "decode_columns",
    "decode_positions",
    "descriptor_classes",
    "descriptor_set",
    "encode",
    "encode_timing",
    "fill_times",
    "groups",
    "last_value_before",
    "load_profile",
    "merge",
    "nearest_descriptors",
    "only",
    "pack_hitsound",
    "profile_names",
    "read_profile",
    "speed",
    "unpack_hitsound",
    "window_slice",
    "without",
]
