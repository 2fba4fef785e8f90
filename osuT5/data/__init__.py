"""Training data: corpora, charts of other games as maps, audio rendered from maps, the held-out list, samples."""

from osuT5.lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "catalogue": "MapFilter class_tables read_tags",
        "charts": "ChartNote chart_to_beatmap chart_to_std_rhythm read_chart",
        "corpora": "Corpora MapEntry SongEntry read_corpora read_maps read_songs read_timed",
        "heldout": "HeldOutError is_held_out",
        "mmrs": "mmrs_sets read_metadata",
        "recipes": "SampleRecipe recipe_for",
        "samples": "SampleMaker",
        "set_source": "SetSource",
        "sets": "SetCutter",
        "shards": "open_shards",
        "synthesise": "render_audio",
        "unpack": "prepare",
        "web": "web_set",
        "web_archives": "web_sets",
    },
)
