"""The bundled song is small, tagged, of the stated length, and held out of training."""

from pathlib import Path

import soundfile

from osuT5.data import is_held_out

SONG = Path(__file__).parents[2] / "demo" / "song.ogg"


def test_the_demo_song_is_what_it_says():
    with soundfile.SoundFile(SONG) as file:
        assert (file.title, file.artist) == ("First Light", "Mapperatorinator")
        assert 60 <= len(file) / file.samplerate <= 75
        assert is_held_out(file.artist, file.title)
    assert SONG.stat().st_size <= 1_000_000
