"""Plain Latin spellings for the romanised title and artist fields, which may hold only ASCII.

Latin letters lose their marks; Cyrillic, Greek, kana and hangul are transliterated by table (modified Hepburn, Revised
Romanisation of Korean by syllable). Han characters have no reading without a dictionary and are left out.
"""

from __future__ import annotations

import re
import unicodedata

_LETTERS = {
    "ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D",
    "þ": "th", "Þ": "Th", "ł": "l", "Ł": "L", "ı": "i", "×": "x", "’": "'", "‘": "'", "“": '"', "”": '"', "–": "-",
    "—": "-", "−": "-", "…": "...", "・": " ", "、": ", ", "。": ". ", "「": '"', "」": '"', "〜": "~", "ー": "-",
    "★": "*", "☆": "*", "♥": "<3", "♡": "<3",
}
_CYRILLIC = dict(zip(
    "абвгдежзийклмнопрстуфхцчшщъыьэюяёіїєґ",
    "a b v g d e zh z i y k l m n o p r s t u f kh ts ch sh shch  y  e yu ya yo i yi ye g".split(" "),
    strict=True,
))
_GREEK = dict(zip("αβγδεζηθικλμνξοπρσςτυφχψω",
                  "a v g d e z i th i k l m n x o p r s s t y f ch ps o".split(), strict=True))
_KANA = {}
for _row, _text in (
    ("あいうえお", "a i u e o"), ("かきくけこ", "ka ki ku ke ko"), ("さしすせそ", "sa shi su se so"),
    ("たちつてと", "ta chi tsu te to"), ("なにぬねの", "na ni nu ne no"), ("はひふへほ", "ha hi fu he ho"),
    ("まみむめも", "ma mi mu me mo"), ("やゆよ", "ya yu yo"), ("らりるれろ", "ra ri ru re ro"), ("わをん", "wa o n"),
    ("がぎぐげご", "ga gi gu ge go"), ("ざじずぜぞ", "za ji zu ze zo"), ("だぢづでど", "da ji zu de do"),
    ("ばびぶべぼ", "ba bi bu be bo"), ("ぱぴぷぺぽ", "pa pi pu pe po"), ("ぁぃぅぇぉ", "a i u e o"), ("ゔ", "vu"),
):
    _KANA.update(zip(_row, _text.split(), strict=True))
_SMALL_Y = {"ゃ": "ya", "ゅ": "yu", "ょ": "yo"}
_SMALL_VOWELS = "ぁぃぅぇぉ"
_HANGUL_BASE, _HANGUL_COUNT = 0xAC00, 11172
_INITIALS = "g kk n d tt r m b pp s ss  j jj ch k t p h".split(" ")
_VOWELS = "a ae ya yae eo e yeo ye o wa wae oe yo u wo we wi yu eu ui i".split()
_FINALS = [""] + "k k k n n n t l k m l l l p l m p p t t ng t t k t p t".split()


def romanise(text: str) -> str:
    """ASCII only; empty if nothing of the text can be spelled so."""
    out: list[str] = []
    for char in unicodedata.normalize("NFC", _half_width(text)):
        out.append(_spell(char, out))
    joined = _double("".join(out))
    return re.sub(r"\s+", " ", joined.encode("ascii", "ignore").decode()).strip()


def _half_width(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", c) if unicodedata.east_asian_width(c) in "FH" else c for c in text)


def _spell(char: str, before: list[str]) -> str:
    if char.isascii():
        return char
    if char in _LETTERS:
        return _LETTERS[char]
    kana = chr(ord(char) - 0x60) if "ァ" <= char <= "ヶ" else char
    if kana in _SMALL_Y and before and before[-1].endswith("i"):
        stem = before.pop()[:-1]
        return stem + (_SMALL_Y[kana][1:] if stem in ("sh", "ch", "j") else _SMALL_Y[kana])
    if kana in _SMALL_VOWELS and before and before[-1][-1:] in ("u", "e", "i"):
        return before.pop()[:-1] + _KANA[kana]
    if kana == "っ":
        return "っ"
    if kana in _KANA or kana in _SMALL_Y:
        return _KANA.get(kana) or _SMALL_Y[kana]
    for table in (_CYRILLIC, _GREEK):
        plain = table.get(char.lower())
        if plain is not None:
            return plain.capitalize() if char != char.lower() else plain
    if 0 <= ord(char) - _HANGUL_BASE < _HANGUL_COUNT:
        index = ord(char) - _HANGUL_BASE
        return _INITIALS[index // 588] + _VOWELS[index % 588 // 28] + _FINALS[index % 28]
    bare = "".join(c for c in unicodedata.normalize("NFKD", char) if not unicodedata.combining(c))
    if bare != char:
        return "".join(_spell(c, []) for c in bare)
    return ""


def _double(text: str) -> str:
    """A small tsu doubles the consonant after it (t before ch)."""
    return re.sub("っ(.?)", lambda m: ("t" if m[1] == "c" else m[1] if m[1].isalpha() else "") + m[1], text)
