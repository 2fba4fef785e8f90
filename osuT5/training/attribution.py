"""Which context template and which game mode a window belongs to, read from its decoder input.

Facts: the published evaluation. A window belongs to a template if the start marks of all its input contexts stand
before id 1 and no start mark that only other templates have does.
"""

from __future__ import annotations

import torch
from torch import Tensor

from osuT5.events import EventType, Profile, Vocabulary

# names of the game modes in reports, by number
MODE_NAMES = ("osu", "taiko", "catch", "mania")


def prompt_mask(ids: Tensor, vocabulary: Vocabulary) -> Tensor:
    """(B, T) true before the first id 1; everywhere where there is none."""
    return (ids == vocabulary.sos_id).cumsum(1) == 0


def template_rows(ids: Tensor, vocabulary: Vocabulary, profile: Profile) -> dict[str, Tensor]:
    """{input contexts joined by "+": (B,) true for the windows of that template}; "" for no input contexts.

    Args:
        ids: (B, T) decoder inputs.
    """
    prompt = prompt_mask(ids, vocabulary)
    every = dict.fromkeys(c for t in profile.templates for c in t.inputs)
    has = {c: ((ids == vocabulary.context_sos[c]) & prompt).any(1) for c in every}
    rows: dict[str, Tensor] = {}
    for template in profile.templates:
        found = torch.ones(len(ids), dtype=torch.bool, device=ids.device)
        for context in every:
            found &= has[context] if context in template.inputs else ~has[context]
        name = "+".join(c.value for c in template.inputs)
        rows[name] = rows[name] | found if name in rows else found
    return rows


def game_modes(ids: Tensor, vocabulary: Vocabulary) -> Tensor:
    """(B,) game mode of the last game mode token before id 1; -1 where there is none."""
    if not vocabulary.has(EventType.GAMEMODE):
        return torch.full((len(ids),), -1, device=ids.device)
    first, end = vocabulary.event_start[EventType.GAMEMODE], vocabulary.event_end[EventType.GAMEMODE]
    said = (ids >= first) & (ids < end) & prompt_mask(ids, vocabulary)
    places = torch.arange(1, ids.shape[1] + 1, device=ids.device) * said
    last = places.argmax(1, keepdim=True)
    modes = ids.gather(1, last).squeeze(1) - first
    return torch.where(said.any(1), modes, -1)
