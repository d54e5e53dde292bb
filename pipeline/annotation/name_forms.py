"""Recognises a name in other alphabets and in declined forms: Тильду, Tildę, 蒂尔达 for Tilda.

A word in the name's own alphabet is a form of it if it has the name's stem and a short ending. In
another alphabet the consonants are compared, as transliterations differ in vowels, and in l and r,
b and p, d and t. Sounds that many names share are enough for a match, so use it to recognise the
names of a list, not to find new ones.
"""

from __future__ import annotations

import difflib
import functools
import re
import unicodedata

from anyascii import anyascii

_LONGEST_ENDING = 4
_SOUNDS = {
    **dict.fromkeys("lr", "l"), **dict.fromkeys("td", "t"), **dict.fromkeys("bpvf", "p"),
    **dict.fromkeys("kgcq", "k"), **dict.fromkeys("szxj", "s"), **dict.fromkeys("mn", "n"),
}  # fmt: skip
_UNVOWELLED = ("HEBREW", "ARABIC")  # scripts
_VOWEL_LETTERS = "אעהויأآاإىيیهو"
_LIKE_SOUNDS = str.maketrans("yweorvcqzd", "iuiulbkkst")
_FINE_SOUNDS = str.maketrans("cqgzprv", "kkksblf")
_FEWEST_CONSONANTS = 4
_ALIKE_NAMES = 0.7  # of all letters
_ARTICLE = ("ال", "ה")  # of Arabic and Hebrew
_PARTICLE = re.compile("(?<=..)(?:[이가은는을를도와과의아야]|에게)$")  # of Korean
_ALIKE = 0.85  # of the consonants of words
_LIKE = 0.6  # of the vowels and consonants of short names
_PREFIXES = {"HEBREW": tuple("ולבהמשכ"), "ARABIC": ("و", "ف", "ب", "ل", "ال", "وال", "ك")}
# Characters with which Chinese writes foreign names.
_HAN_SOUNDS = (
    "阿埃艾爱安奥巴贝本比彼波伯博布查茨达戴丹德迪蒂丁顿多恩尔法菲费弗夫福戈格古哈汉赫亨霍基吉加杰卡凯"
    "坎康柯科克肯库拉莱兰劳雷里利丽林琳卢鲁伦罗洛马玛迈麦曼梅蒙米密莫姆穆纳娜内尼妮诺努欧帕佩皮普齐奇乔切"
    "琼撒萨塞莎森沙舍史斯丝苏索塔泰特汤唐提托瓦威韦维温沃乌西希夏肖谢辛雅亚扬耶伊英尤约泽詹珍朱兹佐"
)
_TRANSLITERATED = re.compile(f"[{_HAN_SOUNDS}]{{2,}}|[\u30a1-\u30fa\u30fc]{{2,}}")
_WORD = re.compile(r"[^\W\d_]+(?:[\u0300-\u036f\u0900-\u0dff]+[^\W\d_]*)*")
_HAN_OR_KANA = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


def find(text: str, name: str) -> list[int]:
    """Returns where in a text a name stands, in any form."""
    parts = [part for part in re.findall(r"[^\W_]+", name) if len(part) > 2]
    found = {
        match.start()
        for match in (*_WORD.finditer(text), *transliterated(text))
        if not _HAN_OR_KANA.search(match[0]) or _TRANSLITERATED.fullmatch(match[0])
        if any(is_form(match[0], part) for part in parts)
    }
    return sorted(found)


def transliterated(text: str) -> list[re.Match[str]]:
    """Finds runs of characters with which Chinese and Japanese write foreign words."""
    return list(_TRANSLITERATED.finditer(text))


@functools.lru_cache(maxsize=50_000)
def sounds_alike(word: str, other: str) -> bool:
    """Returns whether a word may be another one in another alphabet: ランタン is a lantern."""
    heard, wanted = _consonants(word), _consonants(other)
    return difflib.SequenceMatcher(None, heard, wanted).ratio() >= _ALIKE


@functools.lru_cache(maxsize=50_000)
def is_form(word: str, name: str) -> bool:
    """Returns whether a word is a name, declined or in another alphabet."""
    if _script(word) == _script(name):
        return word[:1].isupper() == name[:1].isupper() and _is_declined(_plain(word), _plain(name))
    return any(_sounds_like(form, name) for form in _without_prefixes(word))


@functools.lru_cache(maxsize=50_000)
def spelling(word: str) -> str:
    """Returns the consonants of a word in any alphabet, "" for fewer than four: 막심, Maxim: mksm.

    They are told apart more finely than by `is_form`, so that equal ones are seldom chance.
    """
    plain = _plain(word).translate(_FINE_SOUNDS).replace("x", "ks")
    letters = re.sub(r"(.)\1+", r"\1", re.sub(r"[^bdfjklmnst]", "", plain))
    return letters if len(letters) >= _FEWEST_CONSONANTS else ""


@functools.lru_cache(maxsize=50_000)
def is_spelling(word: str, names: frozenset[str]) -> bool:
    """Returns whether a word, without what Korean or Semitic languages join to it, is one of names
    in Latin letters, as far as its alphabet tells."""
    script = _script(word)
    if script == "HANGUL":
        word = _PARTICLE.sub("", word)
    elif script in _UNVOWELLED:
        if word.startswith(_ARTICLE):
            return False  # which names seldom have
        forms = {word, word.removeprefix("و").removeprefix("ו")}
        return any(spelling(form) in _by_spelling(names) for form in forms)
    return any(
        difflib.SequenceMatcher(None, _vowelled(word), _vowelled(name)).ratio() >= _ALIKE_NAMES
        for name in _by_spelling(names).get(spelling(word), ())
    )


@functools.cache
def _by_spelling(names: frozenset[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        if key := spelling(name):
            found.setdefault(key, []).append(name.casefold().replace("x", "ks"))
    return found


def _is_declined(word: str, name: str) -> bool:
    """Returns whether a word is a name with another ending: Oton of Otto, Pavla of Pavel."""
    stem = name.rstrip("aeiouy") if len(name) > 3 else name
    if len(word) - len(stem) > _LONGEST_ENDING:
        return False
    double = len(stem) > 2 and stem[-1] == stem[-2]
    if word.startswith(stem) or (double and word.startswith(stem[:-1])):
        return True
    heard, wanted = _consonants(word), _consonants(name)
    alike = heard.startswith(wanted) and len(heard) - len(wanted) <= 1
    return alike and len(wanted) > 1 and word[:3] == name[:3]


def _sounds_like(word: str, name: str) -> bool:
    """Returns whether a word is a name in another alphabet, perhaps with an ending.

    Names of one or two consonants must have like vowels too, as far as the alphabet writes them.
    """
    if word[:1].islower():
        return False
    wanted, unvowelled = _consonants(name), _script(word) in _UNVOWELLED
    for heard in {_consonants(word), _consonants(word, unvowelled=True)}:
        extra = len(heard) - len(wanted)
        most = 0 if unvowelled else 2 if len(wanted) > 2 else len(wanted) - 1
        if not heard.startswith(wanted) or extra > most:
            continue
        if len(wanted) > 2 or (unvowelled and _like_ends(word, name)):
            return True
        if difflib.SequenceMatcher(None, _vowelled(word), _vowelled(name)).ratio() >= _LIKE:
            return True
    return is_spelt_alike(word, name)


def is_spelt_alike(word: str, name: str) -> bool:
    """Returns whether a word has the letters of a name in any alphabet, and perhaps an ending."""
    plain, spelt = _vowelled(word), _vowelled(name)
    return plain.startswith(spelt) and len(plain) - len(spelt) <= _LONGEST_ENDING


def _like_ends(word: str, name: str) -> bool:
    """Returns whether both begin, and both end, with a vowel or both with a consonant."""
    plain = _plain(name)
    return (word[0] in _VOWEL_LETTERS) == (plain[0] in "aeiou") and (
        (word[-1] in _VOWEL_LETTERS) == (plain[-1] in "aeiouy")
    )


def _without_prefixes(word: str) -> list[str]:
    """Returns a word, and without the "and", "to", "in" that Semitic languages write before it."""
    prefixes = _PREFIXES.get(_script(word), ())
    return [word, *(word[len(prefix) :] for prefix in prefixes if word.startswith(prefix))]


def _script(word: str) -> str:
    return unicodedata.name(next(filter(str.isalpha, word), "a"), "LATIN").split()[0].split("-")[0]


def _plain(word: str) -> str:
    return str(anyascii(word)).casefold()


def _vowelled(word: str) -> str:
    """Returns the plain letters of a word without doubles and glides: Liya and Lía are lia."""
    plain = re.sub(r"[^a-z]", "", _plain(word)).translate(_LIKE_SOUNDS)
    return re.sub(r"(.)\1+", r"\1", plain)


def _consonants(word: str, *, unvowelled: bool = False) -> str:
    """Returns the consonants of a word as classes of sounds, without doubles.

    `unvowelled` takes the letters that stand for vowels in Hebrew for such.
    """
    plain = _plain(word)
    if _script(word) == "GREEK":
        plain = plain.replace("nt", "d").replace("mp", "b").replace("gk", "g")
    if unvowelled and _script(word) == "HEBREW":
        plain = plain.replace("v", "")
    sounds = "".join(_SOUNDS.get(letter, "") for letter in plain)
    return re.sub(r"(.)\1+", r"\1", sounds)
