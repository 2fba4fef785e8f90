"""The neural model: samples and token ids in, logits out. Outsiders use only what is listed here."""

from osuT5.lazy import lazy

__getattr__, __dir__, __all__ = lazy(
    __name__,
    {
        "cached_decoder": "CachedDecoder KVCache",
        "checkpoint": "load_model save_checkpoint",
        "config": "MapperatorinatorConfig",
        "erase": "Erased erase_mappers read_user_ids weight_files",
        "loss": "token_loss",
        "model": "Mapperatorinator ModelOutput",
        "weights": "state_dict_keys",
    },
)
