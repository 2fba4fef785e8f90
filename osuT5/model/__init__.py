"""The neural model: samples and token ids in, logits out. Outsiders use only what is listed here."""

from osuT5.model.cached_decoder import CachedDecoder, KVCache
from osuT5.model.checkpoint import load_model, save_checkpoint
from osuT5.model.config import MapperatorinatorConfig
from osuT5.model.erase import Erased, erase_mappers, read_user_ids, weight_files
from osuT5.model.loss import token_loss
from osuT5.model.model import Mapperatorinator, ModelOutput
from osuT5.model.weights import state_dict_keys

__all__ = [
    "CachedDecoder",
    "Erased",
    "KVCache",
    "Mapperatorinator",
    "MapperatorinatorConfig",
    "ModelOutput",
    "erase_mappers",
    "load_model",
    "read_user_ids",
    "save_checkpoint",
    "state_dict_keys",
    "token_loss",
    "weight_files",
]
