"""Recognises a name in other alphabets and in declined forms: Тильду, Tildę, 蒂尔达 for Tilda.

A word in the name's own alphabet is a form of it if it has the name's stem and a short ending. In
another alphabet the consonants are compared, as transliterations differ in vowels, and in l and r,
b and p, d and t. Sounds that many names share are enough for a match, so use it to recognise the
names of a list, not to find new ones.
"""

from __future__ import annotations

import difflib
import functools
import itertools
import re
import unicodedata

from anyascii import anyascii

_LONGEST_ENDING = 4
_SOUNDS = {
    **dict.fromkeys("lr", "l"), **dict.fromkeys("td", "t"), **dict.fromkeys("bpvf", "p"),
    **dict.fromkeys("kgcq", "k"), **dict.fromkeys("szxj", "s"), **dict.fromkeys("mn", "n"),
}  # fmt: skip
_UNVOWELLED = ("HEBREW", "ARABIC")  # scripts
# Consonants before the endings of Slavic languages.
_SOFTENED = {
    "t": ("c",), "d": ("dz",), "k": ("c", "ts"), "g": ("z", "dz"), "r": ("rz",), "h": ("s", "z"),
}  # fmt: skip
_FEWEST_LETTERS = 2  # before a consonant that is softened
_HARD = re.compile("(?<![cgkpst])h(?=[aeiouy])")
_VOWEL_LETTERS = "אעהויأآاإىيیهوة"
# Letters of names in languages that spell them as they hear them.
_SPELT_BY_SOUND = (
    ("w", "v"), ("ph", "f"), ("th", "t"), ("ck|c(?=[aoulr])|qu?", "k"), ("x", "ks"), ("y", "i"),
)  # fmt: skip
_LIKE_SOUNDS = str.maketrans("yweorvcqzdgp", "iuiulbkkstkb")
_FINE_SOUNDS = str.maketrans("cqgzprv", "kkksblf")
_FEWEST_CONSONANTS = 4
_ALIKE_NAMES = 0.7  # of all letters
_ARTICLE = ("ال", "ה")  # of Arabic and Hebrew
_PARTICLE = re.compile("(?<=..)(?:[이가은는을를도와과의아야]|에게)$")  # of Korean
_ALIKE = 0.85  # of the consonants of words
_ALIKE_SPELLING = 0.8
_LIKE = 0.6  # of the vowels and consonants of short names
_PREFIXES = {"HEBREW": tuple("ולבהמשכ"), "ARABIC": ("و", "ف", "ب", "ل", "ال", "وال", "ك")}
# Sounds of a script that Latin letters write otherwise.
_PLAIN_SOUNDS = {
    "TAMIL": ("c", "s"),
    "CJK": ("[zcs]h|[jqx]", "s"),
    "THAI": ("(?<=[ptk])h", ""),
    "KATAKANA": ("t(?=[bcdfghjkmprsz])", ""),  # ッ doubles what follows
    "GREEK": ("tz", "j"),
}
_NASAL_END = re.compile("ng(?![aeiou])")  # of Chinese, which also writes a foreign n: 旺达
_AFFRICATE = re.compile("dzh|dž|dj|dz(?=h)")  # Джордж
_SOFT = str.maketrans("gc", "js")
_CODA = re.compile("[lr](?![aeiouyh])")  # unheard in languages without them: ジョージ, 안젤름
_WITHOUT_CODAS = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "THAI")
_SILENT = re.compile("[ก-ฮ][ิุ]?์")  # of Thai
_LEADING_VOWEL = re.compile("([เ-ไ])([กขคตบปผพ][รลว]|[ก-ฮ])")
_THAI = re.compile("[\u0e00-\u0e7f]+")
_THAI_LENGTHS = range(2, 13)  # characters of a name
_AS_SPELT = 0.75  # of all letters, where nothing tells where a name begins
# Characters with which Chinese writes foreign names.
_HAN_SOUNDS = (
    "阿埃艾爱安奥巴贝本比彼波伯博布查茨达戴丹德迪蒂丁顿多恩尔法菲费弗夫福戈格古哈汉赫亨霍基吉加杰卡凯"
    "坎康柯科克肯库拉莱兰劳雷里利丽林琳卢鲁伦罗洛马玛迈麦曼梅蒙米密莫姆穆纳娜内尼妮诺努欧帕佩皮普齐奇乔切"
    "琼撒萨塞莎森沙舍史斯丝苏索塔泰特汤唐提托瓦威韦维温沃乌西希夏肖谢辛雅亚扬耶伊英尤约泽詹珍朱兹佐"
)
# More that names have, and other words more often.
_MORE_HAN_SOUNDS = (
    "昂奥鲍邦宾布楚当登邓东杜敦朵凡范芬丰冯佛傅盖甘冈根贡瓜圭郭赫黑洪胡惠季贾简捷金京久卡开考孔夸奎昆"
    "朗勒良列芒毛梅门孟缅明奈南嫩能年涅宁农帕潘庞彭蓬珀恰强琴青丘让热仁荣茹若赛桑瑟珊尚绍什施舒松孙坦"
    "陶滕廷通图土托万旺翁武香休修许逊叶因赞扎曾章兆哲芝宗咪蕾露妙珂妲娅丫缇璐琪菈薇嘉格宝波泡皮噗嘟"
)
_NAMED = re.compile(f"[{_HAN_SOUNDS}{_MORE_HAN_SOUNDS}]{{2,}}")
_TRANSLITERATED = re.compile(f"[{_HAN_SOUNDS}]{{2,}}|[\u30a1-\u30fa\u30fc]{{2,}}")
_WORD = re.compile(r"[^\W\d_]+(?:[\u0300-\u036f\u0900-\u0dff]+[^\W\d_]*)*")
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]")


def find(text: str, name: str) -> list[int]:
    """Returns where in a text a name stands, in any form."""
    parts = [part for part in re.findall(r"[^\W_]+", name) if len(part) > 2]
    found = {
        match.start()
        for match in (*_WORD.finditer(text), *transliterated(text))
        if not _UNSPACED.search(match[0]) or _TRANSLITERATED.fullmatch(match[0])
        if any(is_form(match[0], part) for part in parts)
    }
    if _THAI.search(text) or _NAMED.search(text):
        found.update(place for part in parts or [name] for place in _unspaced(text, part))
    return sorted(found)


def _unspaced(text: str, name: str) -> set[int]:
    """Returns where a name stands among the words of Thai or Chinese, which have no spaces."""
    if _script(name) in ("THAI", "CJK"):
        return {match.start() for match in re.finditer(re.escape(name), text)}
    found: dict[int, int] = {}  # the ends of names, by their starts
    for run in (*_THAI.finditer(text), *_NAMED.finditer(text)):
        for start in range(run.start(), run.end()):
            for stop in range(start + 2, min(start + _THAI_LENGTHS.stop, run.end() + 1)):
                if start not in found and _is_spoken(text[start:stop], name):
                    found[start] = stop
    starts = sorted(found)
    overlapping = {later for first, later in itertools.pairwise(starts) if later < found[first]}
    return set(starts) - overlapping


@functools.lru_cache(maxsize=200_000)
def _is_spoken(word: str, name: str) -> bool:
    """Returns whether characters of an unspaced script are a name, sound by sound."""
    if unicodedata.category(word[0])[0] == "M" or (word.endswith("์") and len(word) < 3):
        return False
    if word.startswith("ที่"):  # "which", and "the" of "the third": ที่สาม is no Thessa
        return False
    if _consonants(word) not in _heard_of(name, "THAI"):
        return False
    spelt, wanted = _vowelled(word), _vowelled(name)
    if spelt[:1] != wanted[:1] and (spelt[:1] in "aiu" or wanted[:1] in "aiu"):
        return False
    return difflib.SequenceMatcher(None, spelt, wanted).ratio() >= _AS_SPELT


def transliterated(text: str) -> list[re.Match[str]]:
    """Finds runs of characters with which Chinese and Japanese write foreign words."""
    return list(_TRANSLITERATED.finditer(text))


@functools.lru_cache(maxsize=50_000)
def sounds_alike(word: str, other: str) -> bool:
    """Returns whether a word may be another one in another alphabet: ランタン is a lantern."""
    heard = _consonants(word)
    return any(
        difflib.SequenceMatcher(None, heard, wanted).ratio() >= _ALIKE
        for wanted in _heard_of(other, _script(word))
    )


@functools.lru_cache(maxsize=50_000)
def is_form(word: str, name: str) -> bool:
    """Returns whether a word is a name, declined or in another alphabet."""
    if _script(word) == _script(name):
        if word[:1].isupper() != name[:1].isupper():
            return False
        plain, wanted = _plain(word), _plain(name)
        return _is_declined(plain, wanted) or _is_declined(_as_heard(plain), _as_heard(wanted))
    return any(_sounds_like(form, name) for form in _without_prefixes(word))


def is_respelt(word: str, name: str) -> bool:
    """Returns whether two words in Latin letters sound the same as they are written: Theodor and
    Teodor."""
    return _as_heard(_plain(word)) == _as_heard(_plain(name))


@functools.lru_cache(maxsize=50_000)
def spelling(word: str) -> str:
    """Returns the consonants of a word in any alphabet, "" for fewer than four: 막심, Maxim: mksm.

    They are told apart more finely than by `is_form`, so that equal ones are seldom chance.
    """
    return _fine_classes(_plain(word))


def _fine_classes(plain: str) -> str:
    plain = plain.translate(_FINE_SOUNDS).replace("x", "ks")
    letters = re.sub(r"(.)\1+", r"\1", re.sub(r"[^bdfjklmnst]", "", plain))
    return letters if len(letters) >= _FEWEST_CONSONANTS else ""


def _softened(plain: str) -> str:
    """Returns Latin letters with g and c as they sound before e, i and y."""
    return re.sub("[gc](?=[eiy])", lambda found: found[0].translate(_SOFT), plain)


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
        plain = _plain(name)
        for key in {_fine_classes(plain), _fine_classes(_softened(plain))} - {""}:
            found.setdefault(key, []).append(name.casefold().replace("x", "ks"))
    return found


def spelt_in_thai(text: str, names: frozenset[str]) -> set[str]:
    """Returns the runs of letters in Thai, which has no spaces, that are one of Latin names."""
    found = set()
    for run in _THAI.finditer(text):
        for start in range(run.start(), run.end()):
            if unicodedata.category(text[start])[0] == "M":
                continue
            for stop in range(start + _FEWEST_CONSONANTS, min(start + 13, run.end() + 1)):
                word = text[start:stop]
                if any(
                    difflib.SequenceMatcher(None, _vowelled(word), _vowelled(name)).ratio()
                    >= _ALIKE
                    for name in _by_spelling(names).get(spelling(word), ())
                ):
                    found.add(word)
    return {word for word in found if not any(word != other and other in word for other in found)}


def _is_declined(word: str, name: str) -> bool:
    """Returns whether a word is a name with another ending: Oton of Otto, Pavla of Pavel."""
    stem = name.rstrip("aeiouy") if len(name) > 3 else name
    if word.startswith(name) and len(word) - len(name) <= _LONGEST_ENDING:
        return True  # Apiyónak of Apiyo
    if len(word) - len(stem) > _LONGEST_ENDING:
        return False
    double = len(stem) > 2 and stem[-1] == stem[-2]
    if word.startswith(stem) or (double and word.startswith(stem[:-1])):
        return True
    if len(stem) > _FEWEST_LETTERS and word.startswith(stem[:-1]):
        softened = _SOFTENED.get(stem[-1], ())
        return word[len(stem) - 1 :].startswith(softened)  # Anicie of Anita
    heard, wanted = _consonants(word), _consonants(name)
    alike = heard.startswith(wanted) and len(heard) - len(wanted) <= 1
    if not alike or len(wanted) < 2:
        return False
    if word[:3] == name[:3]:
        return True
    # Anzelm, as Hungarian spells Anselm
    near = difflib.SequenceMatcher(None, word[: len(name)], name).ratio()
    return word[0] == name[0] and len(wanted) > 2 and near >= _ALIKE_SPELLING


def _sounds_like(word: str, name: str) -> bool:
    """Returns whether a word is a name in another alphabet, perhaps with an ending.

    Names of one or two consonants must have like vowels too, as far as the alphabet writes them.
    """
    if word[:1].islower() and _script(word) != "GEORGIAN":  # which has no capitals
        return False
    script = _script(word)
    unvowelled = script in _UNVOWELLED
    heard_forms = {_consonants(word), _consonants(word, unvowelled=True)}
    for wanted, heard in itertools.product(_heard_of(name, script), heard_forms):
        extra = len(heard) - len(wanted)
        most = 0 if unvowelled else 2 if len(wanted) > 2 else max(0, len(wanted) - 1)
        if not heard.startswith(wanted) or extra > most:
            continue
        if unvowelled:
            spelt = _vowelled(word.replace("ו", "o"))
            alike = difflib.SequenceMatcher(None, spelt, _vowelled(name)).ratio()
            least = 0 if len(wanted) > 1 else _ALIKE_SPELLING  # "after him" sounds like Elio
            if _like_ends(word, name, both=len(wanted) < 3) and alike >= least:
                return True
            continue
        if len(wanted) > 2:
            return True
        if difflib.SequenceMatcher(None, _vowelled(word), _vowelled(name)).ratio() >= _LIKE:
            return True
    return is_spelt_alike(word, name)


@functools.lru_cache(maxsize=10_000)
def _heard_of(name: str, script: str) -> frozenset[str]:
    """Returns how the consonants of a name may be written in a script: its g and c hard or soft,
    and without the l and r that close a syllable where a language has none."""
    plain = _plain(name)
    forms = {plain, _softened(plain)}
    if script in ("CYRILLIC", "GREEK"):  # which lack h: Рагім
        forms.update(_HARD.sub("g", form) for form in tuple(forms))
    forms.update(form.replace("w", "v") for form in tuple(forms))  # which few scripts have: वांडा
    if script in _WITHOUT_CODAS:
        forms.update(_CODA.sub("", form) for form in tuple(forms))
    return frozenset(_classes(form) for form in forms)


def is_spelt_alike(word: str, name: str) -> bool:
    """Returns whether a word has the letters of a name in any alphabet, and perhaps an ending."""
    plain, spelt = _vowelled(word), _vowelled(name)
    return plain.startswith(spelt) and len(plain) - len(spelt) <= _LONGEST_ENDING


def is_unspaced(word: str) -> bool:
    """Returns whether the script of a word has no spaces between words."""
    return _UNSPACED.match(word) is not None


def is_doubtful(word: str) -> bool:
    """Returns whether many words look like a form of a name in the script of a word: those without
    most vowels, and Thai, where nothing tells where a name begins."""
    return _script(word) in (*_UNVOWELLED, "THAI")


def _like_ends(word: str, name: str, *, both: bool) -> bool:
    """Returns whether two words begin, or begin and end, with a vowel or both with a consonant."""
    plain = _plain(name)
    begins = (word[0] in _VOWEL_LETTERS) == (plain[0] in "aeiou")
    return begins and (not both or (word[-1] in _VOWEL_LETTERS) == (plain[-1] in "aeiouy"))


def _without_prefixes(word: str) -> list[str]:
    """Returns a word, and without the "and", "to", "in" that Semitic languages write before it."""
    prefixes = _PREFIXES.get(_script(word), ())
    return [word, *(word[len(prefix) :] for prefix in prefixes if word.startswith(prefix))]


def _script(word: str) -> str:
    return unicodedata.name(next(filter(str.isalpha, word), "a"), "LATIN").split()[0].split("-")[0]


@functools.lru_cache(maxsize=200_000)
def _plain(word: str) -> str:
    """Returns a word in Latin letters, of like sounds in all scripts as far as they are known."""
    script = _script(word)
    if script == "THAI":  # writes some vowels first, and letters that are silent
        word = _LEADING_VOWEL.sub(r"\2\1", _SILENT.sub("", word)).replace("อ", "")
    plain = _AFFRICATE.sub("j", str(anyascii(word)).casefold())
    if script == "CJK":
        plain = _NASAL_END.sub("n", plain)
    return re.sub(*_PLAIN_SOUNDS[script], plain) if script in _PLAIN_SOUNDS else plain


def _as_heard(plain: str) -> str:
    """Returns Latin letters as languages have them that spell names by their sound: Vanda."""
    for written, heard in _SPELT_BY_SOUND:
        plain = re.sub(written, heard, plain)
    return plain


def _vowelled(word: str) -> str:
    """Returns the plain letters of a word without doubles and glides: Liya and Lía are lia."""
    plain = re.sub(r"[^a-z]", "", _plain(word)).translate(_LIKE_SOUNDS)
    return re.sub(r"(.)\1+", r"\1", plain)


def _consonants(word: str, *, unvowelled: bool = False) -> str:
    """Returns the consonants of a word as classes of sounds, without doubles.

    `unvowelled` takes the letters that stand for vowels in Hebrew for such.
    """
    if unvowelled and _script(word) == "HEBREW":
        word = word.replace("ו", "")
    plain = _plain(word)
    if _script(word) == "GREEK":
        plain = plain.replace("nt", "d").replace("mp", "b").replace("gk", "g")
    return _classes(plain)


def _classes(plain: str) -> str:
    """Returns the classes of sounds of the consonants of Latin letters."""
    sounds = "".join(_SOUNDS.get(letter, "") for letter in plain)
    return re.sub(r"(.)\1+", r"\1", sounds)
