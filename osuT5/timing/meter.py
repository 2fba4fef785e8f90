"""Where measures begin: meter and downbeat phase from the beats that say "downbeat".

A Viterbi path over (meter, position in the measure): single wrong or missing downbeats are outvoted, a change of meter
or phase pays only after about two agreeing measures, and a pickup is just a path that starts inside a measure.
Facts: the sketch of the robust timing fitter, step 6.
"""

from __future__ import annotations

import numpy as np

METERS = (4, 3, 2, 5, 6, 7)
PRIOR = {4: 0.0, 3: -0.5, 2: -1.5, 5: -1.5, 6: -1.0, 7: -1.5}  # once per section; 96 % of human maps have 4
PICKUP = -0.1  # without evidence the first beat is a downbeat
CHANGE = -4.0  # a wrong measure costs about 3: two must agree before the path leaves
CHANGE_AT_BORDER = -0.5  # a tempo change starts a measure anew
MISS, FALSE_ALARM = -1.0, -1.0


def downbeats(measure: np.ndarray, heard: np.ndarray, borders: set[int]) -> tuple[np.ndarray, np.ndarray]:
    """Meter and position of every beat.

    Args:
        measure: (beats,) 0..1 how surely each beat is a downbeat.
        heard: (beats,) bool, whether there was a marker at all.
        borders: beats where the tempo changes.

    Returns:
        (meter, position), each (beats,) ints; position 0 is a downbeat.
    """
    meters = np.concatenate([np.full(m, m) for m in METERS])
    position = np.concatenate([np.arange(m) for m in METERS])
    first = position == 0
    prior = np.array([PRIOR[int(m)] for m in meters])
    # The only way on inside a measure: from position p to p + 1, from the last to 0.
    came_from = np.arange(len(meters)) - 1
    came_from[first] = np.flatnonzero(position == meters - 1)
    evidence = _evidence(measure, heard, first)
    score = prior + evidence[0] + PICKUP * (position > 0)
    back = np.empty((len(measure), len(meters)), dtype=int)
    for beat in range(1, len(measure)):
        on = score[came_from]
        source = came_from.copy()
        anew = score.max() + prior + (CHANGE_AT_BORDER if beat in borders else CHANGE)
        fresh = first & (anew > on)
        source[fresh] = int(score.argmax())
        score = np.where(fresh, anew, on) + evidence[beat]
        back[beat] = source
    state = int(score.argmax())
    path = [state]
    for beat in range(len(measure) - 1, 0, -1):
        state = int(back[beat, state])
        path.append(state)
    chosen = np.array(path[::-1])
    return meters[chosen], position[chosen]


def _evidence(measure: np.ndarray, heard: np.ndarray, first: np.ndarray) -> np.ndarray:
    """(beats, states)."""
    down = np.where(heard, measure + MISS * (1 - measure), 0.0)
    other = np.where(heard, FALSE_ALARM * measure, 0.0)
    return np.where(first[None, :], down[:, None], other[:, None])
