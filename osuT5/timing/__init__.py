from osuT5.timing.clock import GAME_CLOCK_LEAD_MS, to_game, to_song

__all__ = ["GAME_CLOCK_LEAD_MS", "to_game", "to_song"]
