"""From an audio file to the model's input: decode → resample → song → windows, in the order in which data flows.

This folder knows nobody else but the project's errors. Sample 0 of a decoded file is time 0 of the song clock.
"""

from osuT5.audio.decode import decode, open_audio
from osuT5.audio.pcm import AudioStream, RawAudio
from osuT5.audio.resample import change_speed_polyphase, normalize_peak, resample_for_model
from osuT5.audio.song import Song, load
from osuT5.audio.tags import Tags, read_tags
from osuT5.audio.windows import WindowPlan, WindowSpan, frame, plan_windows

__all__ = [
    "AudioStream",
    "RawAudio",
    "Song",
    "Tags",
    "WindowPlan",
    "WindowSpan",
    "change_speed_polyphase",
    "decode",
    "frame",
    "load",
    "normalize_peak",
    "open_audio",
    "plan_windows",
    "read_tags",
    "resample_for_model",
]
