"""Writes the demo song `song.ogg`: "First Light", an original piece synthesised with numpy, 128 BPM, about 70 seconds.

    python demo/make_song.py [demo/song.ogg]

Intro, verse, build, chorus, break, second chorus, ending. The samples are the same on every run. The song is for
trying the program out: it is held out of training (`osuT5/data/heldout.txt`).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import butter, oaconvolve, sosfilt

from osuT5.data.sounds import Timbre, drum_bank, play_at_speed, tone

TITLE, ARTIST = "First Light", "Mapperatorinator"
RATE = 44100
BPM = 128.0
BEAT = 60 / BPM
FIRST_BEAT = 0.6  # seconds of silence before the first downbeat
# section: measures
FORM = (("intro", 4), ("verse", 8), ("build", 4), ("chorus", 8), ("break", 4), ("chorus2", 8), ("ending", 2))

CHORDS = {  # MIDI pitches, one chord a measure, repeated
    "verse": ((57, 60, 64), (53, 57, 60), (60, 64, 67), (55, 59, 62)),  # Am F C G
    "build": ((53, 57, 60), (55, 59, 62), (57, 60, 64), (55, 59, 62)),  # F G Am G
    "chorus": ((53, 57, 60, 64), (55, 59, 62), (57, 60, 64, 67), (60, 64, 67)),  # F G Am C
}
HARMONY = {"intro": "verse", "verse": "verse", "build": "build", "chorus": "chorus", "break": "verse",
           "chorus2": "chorus", "ending": "chorus"}  # fmt: skip

# (beat in the phrase, MIDI pitch, beats held); a phrase is four measures, 16 beats
VERSE = [
    (0, 76, 1), (1.5, 74, 0.5), (2, 72, 1), (3, 69, 1), (4, 72, 0.75), (4.75, 72, 0.25), (5, 74, 1), (6.5, 69, 1.5),
    (8, 76, 1), (9.5, 79, 0.5), (10, 76, 1), (11, 72, 0.5), (11.5, 74, 0.5), (12, 74, 2), (14.5, 71, 0.5),
    (15, 72, 0.5), (15.5, 74, 0.5),
]  # fmt: skip
VERSE_ANSWER = [
    (0, 76, 1), (1.5, 74, 0.5), (2, 72, 1), (3, 76, 0.5), (3.5, 77, 0.5), (4, 77, 1), (5, 76, 0.5), (5.5, 74, 0.5),
    (6, 72, 2), (8, 79, 1), (9, 79, 0.5), (9.5, 77, 0.5), (10, 76, 1.5), (11.5, 72, 0.5), (12, 74, 1), (13, 71, 1),
    (14, 74, 0.5), (14.5, 76, 0.5), (15, 79, 1),
]  # fmt: skip
CHORUS = [
    (0, 81, 1.5), (1.5, 79, 0.5), (2, 77, 0.5), (2.5, 76, 0.5), (3, 77, 1), (4, 79, 1.5), (5.5, 77, 0.5), (6, 76, 0.5),
    (6.5, 74, 0.5), (7, 76, 1), (8, 76, 0.75), (8.75, 76, 0.25), (9, 79, 0.5), (9.5, 81, 1), (10.5, 79, 0.5),
    (11, 76, 1), (12, 79, 1), (13, 84, 1), (14, 83, 0.5), (14.5, 81, 0.5), (15, 79, 1),
]  # fmt: skip
CHORUS_ANSWER = [
    (0, 81, 0.5), (0.5, 81, 0.5), (1, 84, 1), (2, 83, 0.5), (2.5, 81, 0.5), (3, 77, 1), (4, 79, 0.5), (4.5, 79, 0.5),
    (5, 83, 1), (6, 81, 0.5), (6.5, 79, 0.5), (7, 74, 1), (8, 76, 0.25), (8.25, 79, 0.25), (8.5, 81, 0.5), (9, 84, 1),
    (10, 83, 0.5), (10.5, 81, 0.5), (11, 79, 0.5), (11.5, 76, 0.5), (12, 84, 3), (15, 79, 0.5), (15.5, 76, 0.5),
]  # fmt: skip
BREAK = [(0, 88, 1), (2, 84, 1), (3.5, 83, 0.5), (4, 81, 2), (8, 88, 1), (10, 91, 1), (11.5, 88, 0.5), (12, 86, 3)]
MELODIES = {"verse": (VERSE, VERSE_ANSWER), "chorus": (CHORUS, CHORUS_ANSWER), "chorus2": (CHORUS, CHORUS_ANSWER),
            "break": (BREAK,)}  # fmt: skip

# sixteenths of a measure; x loud, o soft
DRUMS = {
    "intro": {"hat": "....o.......o..."},
    "verse": {"kick": "x.....x.x.......", "clap": "....x.......x...", "hat": "x.o.x.o.x.o.x.oo"},
    "build": {"kick": "x...x...x...x...", "hat": "x.o.x.o.x.o.x.o."},
    "chorus": {"kick": "x...x...x...x...", "clap": "....x.......x...", "snare": "....o.......o..o",
               "hat": "o.o.o.o.o.o.o.oo", "open_hat": "..x...x...x...x."},
    "break": {"shaker": "o.o.o.o.o.o.o.o."},
    "ending": {},
}  # fmt: skip
DRUMS["chorus2"] = DRUMS["chorus"]


def _harmonics(roll_off: float, odd: bool = False) -> np.ndarray:
    number = np.arange(1, 33)
    return number**-roll_off * (np.where(number % 2, 1.0, 0.08) if odd else 1.0)


LEAD = Timbre(_harmonics(1.1), 4, 350, 0.65, 90, dulling=1.5, vibrato=0.18, detune=0.12, drive=0.2)
SOFT_LEAD = Timbre(_harmonics(1.9, odd=True), 8, 300, 0.6, 120, vibrato=0.12, breath=0.01)
BELL = Timbre(_harmonics(1.0, odd=True), 1, 420, 0.0, 200, dulling=5)
PLUCK = Timbre(_harmonics(1.1), 1, 130, 0.0, 60, dulling=14, detune=0.06)
PAD = Timbre(_harmonics(1.4), 60, 500, 0.9, 350, detune=0.14, vibrato=0.06)
BASS = Timbre(_harmonics(1.3), 3, 260, 0.55, 40, dulling=5, drive=0.8)


class Desk:
    """Stereo buses: `drums` dry, `band` pumped by the kick and with reverberation."""

    def __init__(self, seconds: float):
        self.drums = np.zeros((2, int(seconds * RATE)), np.float32)
        self.band = np.zeros_like(self.drums)
        self.kicks: list[float] = []

    def add(self, bus: np.ndarray, sound: np.ndarray, beat: float, gain: float, pan: float = 0.0) -> None:
        """`pan` from -1 left to 1 right, at constant power."""
        start = int(round((FIRST_BEAT + beat * BEAT) * RATE))
        sound = sound[: max(bus.shape[1] - start, 0)]
        angle = (pan + 1) * np.pi / 4
        for side, share in enumerate((np.cos(angle), np.sin(angle))):
            bus[side, start : start + len(sound)] += sound * np.float32(gain * share * np.sqrt(2))


def play_drums(desk: Desk, name: str, start: float, measures: int) -> None:
    bank = drum_bank(RATE)
    kit = {"kick": (bank["kick"][3], 0.85, 0), "clap": (bank["clap"][2], 0.45, 0.05),
           "snare": (bank["snare"][1], 0.4, 0), "hat": (play_at_speed(bank["hat"][4], 1.5), 0.17, 0.25),
           "shaker": (bank["shaker"][0], 0.16, -0.3),
           "open_hat": (play_at_speed(bank["open_hat"][3], 1.5), 0.15, -0.2)}  # fmt: skip
    for measure in range(measures):
        for drum, pattern in DRUMS[name].items():
            sound, level, pan = kit[drum]
            for step, mark in enumerate(pattern):
                beat = start + measure * 4 + step / 4
                last = measure == measures - 1 and step >= 12 and name == "verse"
                if mark == "." or (last and drum == "kick"):
                    continue
                desk.add(desk.drums, sound, beat, level * (1.0 if mark == "x" else 0.5), pan)
                if drum == "kick":
                    desk.kicks.append(FIRST_BEAT + beat * BEAT)
    if name.startswith("chorus") or name in ("verse", "ending"):
        desk.add(desk.drums, play_at_speed(bank["crash"][5], 1.4), start, 0.3, 0.2)
    if name == "build":  # a roll that doubles and grows, and a riser, both stopping a half beat early
        rolls = np.concatenate([np.arange(0, 8, 1.0), np.arange(8, 12, 0.5), np.arange(12, 15.25, 0.25)])
        for beat in rolls:
            desk.add(desk.drums, bank["snare"][1], start + beat, 0.12 + 0.33 * beat / 16)
        n = int(15.5 * BEAT * RATE)
        hiss = butter(2, (1500, 12000), "bandpass", fs=RATE, output="sos")
        noise = sosfilt(hiss, np.random.default_rng(5).normal(size=n))
        desk.add(desk.band, (noise * np.linspace(0, 1, n) ** 3).astype(np.float32), start, 0.13)


def play_harmony(desk: Desk, name: str, start: float, measures: int) -> None:
    full = name.startswith("chorus")
    for measure in range(measures):
        chord = CHORDS[HARMONY[name]][measure % 4]
        beat = start + measure * 4
        for number, pitch in enumerate(chord):
            level = {"intro": 0.1, "break": 0.1, "ending": 0.1}.get(name, 0.085 if full else 0.05)
            desk.add(desk.band, tone(PAD, pitch, 4 * BEAT * 1000 * 0.98, RATE), beat, level, (number - 1) * 0.5)
        if name in ("intro", "verse", "break", "build") or full:
            figure = (0, 1, 2, 1, 3, 2, 1, 2)
            for number in range(8 if name != "build" else 16):
                notes = (*chord[:3], chord[0] + 12)
                pitch = notes[figure[number % 8]] + 12
                spacing = 0.5 if name != "build" else 0.25
                level = {"intro": 0.26, "break": 0.2, "verse": 0.1}.get(name, 0.08)
                desk.add(desk.band, tone(PLUCK, pitch, 200, RATE), beat + number * spacing, level, 0.6 * (-1) ** number)
        root = chord[0] - 24 if chord[0] > 54 else chord[0] - 12
        bass_beats = {"verse": (0, 1.5, 2, 3), "build": range(4)}.get(name, (0.5, 1, 1.5, 2.5, 3, 3.5) if full else ())
        for offset in bass_beats:
            lift = 12 if full and offset % 1 == 0 else 0
            desk.add(desk.band, tone(BASS, root + lift, 0.42 * BEAT * 1000, RATE), beat + offset, 0.3)
        if full:
            desk.add(desk.band, tone(BASS, root, 0.45 * BEAT * 1000, RATE), beat, 0.32)


def play_melody(desk: Desk, name: str, start: float, measures: int) -> None:
    phrases = MELODIES.get(name, ())
    for number in range(measures // 4 if phrases else 0):
        for beat, pitch, held in phrases[number % len(phrases)]:
            ms = held * BEAT * 1000 * 0.92
            timbre, level = {"verse": (SOFT_LEAD, 0.26), "break": (BELL, 0.3)}.get(name, (LEAD, 0.24))
            at = start + number * 16 + beat
            desk.add(desk.band, tone(timbre, pitch, ms, RATE), at, level, 0.05)
            if name == "chorus2":
                desk.add(desk.band, tone(BELL, pitch + 12, ms, RATE), at, 0.07, -0.3)


def finish(desk: Desk) -> np.ndarray:
    """Pumping, reverberation, limiting: float32, shape (samples, 2)."""
    n = desk.band.shape[1]
    pump = np.ones(n, np.float32)
    dip = 1 - 0.55 * np.exp(-np.arange(int(0.3 * RATE)) / (0.08 * RATE)).astype(np.float32)
    for kick in desk.kicks:
        at = int(kick * RATE)
        part = pump[at : at + len(dip)]
        np.minimum(part, dip[: len(part)], out=part)
    band = desk.band * pump
    rng = np.random.default_rng(11)
    length = int(1.4 * RATE)
    decay = np.exp(-np.arange(length) / (0.28 * RATE)) * np.minimum(1, np.arange(length) / (0.012 * RATE))
    room = sosfilt(butter(1, (250, 6000), "bandpass", fs=RATE, output="sos"), rng.normal(size=(2, length)) * decay)
    room *= 0.35 / np.sqrt((room**2).sum(axis=1, keepdims=True))
    send = band + 0.12 * desk.drums
    wet = np.stack([oaconvolve(send[side], room[side])[:n] for side in range(2)])
    mixed = band + desk.drums + wet
    mixed = np.tanh(1.35 * mixed / np.percentile(np.abs(mixed), 99.9))
    fade = int(1.5 * RATE)
    mixed[:, -fade:] *= np.linspace(1, 0, fade) ** 2
    return (0.89 * mixed / np.abs(mixed).max()).T.astype(np.float32)


def compose() -> np.ndarray:
    """The whole song: float32, shape (samples, 2), at `RATE`."""
    beats = sum(measures for _, measures in FORM) * 4
    desk = Desk(FIRST_BEAT + beats * BEAT + 1.0)
    start = 0.0
    for name, measures in FORM:
        play_drums(desk, name, start, measures)
        if name == "ending":
            measures = 1
            desk.add(desk.band, tone(BASS, 41, 6 * BEAT * 1000, RATE), start, 0.3)
            desk.add(desk.band, tone(LEAD, 84, 4 * BEAT * 1000, RATE), start, 0.2)
            desk.add(desk.drums, drum_bank(RATE)["kick"][3], start, 0.85)
            play_harmony(desk, name, start, measures)
            start += 8
            continue
        play_harmony(desk, name, start, measures)
        play_melody(desk, name, start, measures)
        start += measures * 4
    return finish(desk)


def write_song(path: Path) -> None:
    """Ogg Vorbis with title and artist."""
    samples = compose()
    with soundfile.SoundFile(path, "w", RATE, 2, format="OGG", subtype="VORBIS", compression_level=0.75) as file:
        file.title, file.artist = TITLE, ARTIST
        for start in range(0, len(samples), RATE):  # libsndfile overflows its stack on long Vorbis writes
            file.write(samples[start : start + RATE])


if __name__ == "__main__":
    write_song(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("song.ogg"))
