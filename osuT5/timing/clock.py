"""The two clocks of a song, and the only place where one becomes the other.

Song clock: sample 0 of the decoded audio is 0 ms. Game clock: the times of a `.osu`, of all events and of what the
models say. Over 43 human-timed osu! songs (mp3, ogg and opus alike) the sounds come 23 ms (median; sd 9) after the
mapped times, so game = song - 23 ms. What measures audio stays on the song clock until its result leaves `timing`.
"""

GAME_CLOCK_LEAD_MS = 23.0


def to_game(song_ms: float, lead_ms: float = GAME_CLOCK_LEAD_MS) -> float:
    """Game-clock ms of a song-clock ms. `lead_ms`: a song's own measured lead, where a reference map gives it."""
    return song_ms - lead_ms


def to_song(game_ms: float, lead_ms: float = GAME_CLOCK_LEAD_MS) -> float:
    """Song-clock ms of a game-clock ms."""
    return game_ms + lead_ms
