"""A hitsound token's number: which additions sound, and from which sample sets. Facts: token table, 72 = 8 x 3 x 3."""

from __future__ import annotations

SAMPLE_SETS = (1, 2, 3)  # normal, soft, drum
ADDITION_BITS = 14  # whistle 2 + finish 4 + clap 8; the normal bit says nothing


def pack_hitsound(bits: int, sample_set: int, addition_set: int) -> int:
    """0..71. Sets outside 1..3 count as 1 (normal)."""
    if sample_set not in SAMPLE_SETS:
        sample_set = 1
    if addition_set not in SAMPLE_SETS:
        addition_set = 1
    return (bits & ADDITION_BITS) // 2 + 8 * (sample_set - 1) + 24 * (addition_set - 1)


def unpack_hitsound(value: int) -> tuple[int, int, int]:
    """(bits, sample set, addition set) of a token value; the unused value 72 reads like 0."""
    return value % 8 * 2, value // 8 % 3 + 1, value // 24 % 3 + 1
