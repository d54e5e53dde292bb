"""Finds names of lists in texts: given and family names, alone or beside what tells of a person.

In languages without capitals only lists, and words beside it, tell a name: a title, a word for kin
or a verb of persons.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Sequence

from pipeline.annotation import concepts, name_forms, words
from pipeline.annotation.checks import patterns
from pipeline.runtime import word_lists

_SHORTEST_STEM = 3
_GIVEN_NAMES = word_lists.read(__package__, "given_names.txt")
_MORE_GIVEN_NAMES = word_lists.read(__package__, "more_given_names.txt")
_FAMILY_NAMES = word_lists.read(__package__, "family_names.txt")
_MORE_FAMILY_NAMES = word_lists.read(__package__, "more_family_names.txt")
_PERSONS_ACT = word_lists.read(__package__, "persons_act.txt")
_ADDRESSED = word_lists.read(__package__, "forms_of_address.txt")
_GOOD_DICTIONARIES = ("fa", "hi")  # of simplemma, for languages without capitals
_VERB_FIRST = ("ar", "he")  # where a verb stands beside its subject, before or after it
_NEAR = 3  # words after a rare name, elsewhere, of which one may be its verb
_KOREAN_SUBJECT = re.compile("이?(?:가|는|도)|은|이|께서")
# Languages without capitals whose words are seldom spelled as names of other countries are.
_HAS_FOREIGN_NAMES = ("ar", "fa", "he", "hi", "ja", "ko", "th")
# What a name stands between in scripts without spaces.
_UNSPACED_NAMES = {
    "zh": (
        "",
        "(?=$|[\\W说笑跑走来去看想问叫喊拉拿站坐躺把被对和跟与也就又都还才从在向往朝很是高摇挥点抬低蹲爬跳回答听觉"
        "带领举抱拍指追找给让帮开睁闭大轻悄赶连忙立哈嘻的一不没有已正只最先后终突忽马])",
    ),
    "ja": (
        "(?<![\u3041-\u3096\u3400-\u9fff])",
        "(?=$|[\\Wはがをにのもとへやよだで]|くん|ちゃん|さん|さま|君|様)",
    ),
    "th": ("", ""),
}
# Those that seldom end the word for a thing or a place.
_ENDS_OF_SURNAMES_ONLY = "田藤本井崎浦沢岡倉坂杉尾辺保瀬塚津堀"
_HIRAGANA, _OTHER_SCRIPT = re.compile("[\u3041-\u3096]"), "(?<![\u30a1-\u30fa\u30fc\u3400-\u9fff])"
# With what Japanese surnames end; a soldier (兵隊さん) does not.
_ENDS_OF_SURNAMES = (
    "田藤本川木村林上井橋中口水崎部森下島浦原山野沢谷"
    "岡倉石池坂宮城岸松竹杉高尾辺保瀬江浜塚内津堀関根"
)
_JAPANESE_TITLES = (
    "博士|教授|先生|巡査|刑事|警部|部長|課長|隊長|船長|親方|おじさん|おばさん|じいさん|ばあさん|夫人|"
    "男爵|伯爵|将軍|大佐|軍曹|選手|監督|探偵"
)
# Surnames that are no frequent word or syllable, and titles that stand after them.
_KOREAN_SURNAMES = "김박최윤임송황권홍허류곽"
# Surnames that are no other word before a title: 이 선비 is "this scholar".
_PLAIN_KOREAN_SURNAMES = (
    "김|박|최|정|강|조|윤|장|임|오|서|권|황|송|홍|유|차|류|남|구|백|곽|남궁|황보|제갈|선우|독고"
)
_KOREAN_TITLES = (
    "부장|과장|대리|사장|차장|국장|실장|팀장|회장|이사|감독|코치|박사|교수|선생|반장|여사|영감|서방|기자|의사|"
    "검사|판사|순경|형사|경위|총각|도령|대감|씨|선수"
)
# Syllables of given names.
_KOREAN_NAMES = (
    "민서준지우현수진영은정미경희숙자순옥철호석훈성재동상용태기병혁빈연윤예하주원람혜선란례복덕만길식근규환열섭택필학"
    "헌형홍화효휘찬창채춘"
)
_CHINESE_SURNAMES = (
    "王李张刘陈杨赵吴徐孙胡朱郭梁宋郑谢韩唐冯董萧程曹袁邓傅曾彭吕"
    "苏卢蒋蔡贾丁魏薛阎潘戴姜范姚谭廖邹陆郝孔崔邱秦邵孟"
)
# Those that are seldom another word after one for a person.
_CHINESE_SURNAMES_ONLY = "李刘杨赵吴徐孙郭宋冯董袁邓傅吕卢蒋蔡贾魏薛阎潘谭廖邹郝崔邱邵"
_LONG_CHINESE_SURNAMES = "欧阳|司徒|诸葛|上官|司马|慕容|皇甫|令狐|南宫|尉迟|公孙|夏侯"
_CHINESE_TITLES = (
    "媒婆|掌柜|大爷|大娘|大妈|师傅|老板|员外|先生|小姐|太太|夫人|大叔|大婶|阿姨|老师|医生|警官|队长|将军|"
    "公公|婆婆|大嫂|大哥|大姐|老汉|捕头|道长|秀才|县令|教授|博士|经理|主任|校长"
)
# What calls somebody so: "a boy called Shadi".
_CALLED = {
    "ar": ("(?:يدعى|تدعى|يسمى|تسمى|المدعو|المدعوة|اسمه|اسمها) (?!ال)([ء-ي]{3,})",),
    "bn": ("([ঀ-৿]{2,}) (?:নামে|নামের)(?![ঀ-৿])",),
    "fa": ("به (?:نام|اسم) ([ؠ-ی]{3,})",),
    "he": ("(?:בשם|ששמו|ששמה|ושמו|ושמה) (?!ה)([א-ת]{3,})",),
    "hi": (
        "([ऀ-ॿ]{2,}) नाम (?:का|की|के)(?![ऀ-ॿ])",
        "(?<![ऀ-ॿ])([ऀ-ॿ]{2,}(?:सिंह|प्रसाद|चंद|चन्द|नारायण|किशोर))(?![ऀ-ॿ])",
    ),
    "ja": (
        "(?<![㐀-鿿])(?![姉兄爺婆坊嬢父母赤犬猫子])([㐀-鿿]{1,2})(?:くん|ちゃん)",
        f"(?<![㐀-鿿お])([㐀-鿿々]{{1,2}}[{_ENDS_OF_SURNAMES}])(?:さん|{_JAPANESE_TITLES})",
        f"(?<![ァ-ヺー])(お[ァ-ヺ]{{2,3}})(?:さん|{_JAPANESE_TITLES})",
        "([㐀-鿿]{2,3}|[ァ-ヺー]{2,})(?:という(?:名|娘|少年|少女|男|女|子|若者|老人|青年|侍)|と名乗)",
        "(?<![ァ-ヺー])([ァ-ヺー]{2,})(?:くん|ちゃん|さま|様|氏|嬢|卿|姫|丸|さん|"
        f"{_JAPANESE_TITLES})",
        "(?<![㐀-鿿])((?![野新女下]郎)[㐀-鿿]{1,3}(?:郎|之助|之介|之進|兵衛|衛門))(?![㐀-鿿々])",
    ),
    "ko": (
        "([가-힣]{2,3}?)(?:이?라는 (?:이름|아이|소년|소녀|친구|청년)|이?라고 불리는)",
        f"(?<![가-힣])([{_KOREAN_SURNAMES}]) (?:{_KOREAN_TITLES})",
        f"(?<![가-힣])([{_KOREAN_SURNAMES}][{_KOREAN_NAMES}]{{2}})"
        f"(?=[이가은는을를과와도의야아랑씨,.!?]|에게|한테|{_KOREAN_TITLES}|\\s|$)",
    ),
    "ta": ("([஀-௿]{3,}) என்ற (?:சிறுவன்|சிறுமி|ஒருவ|பெயர்)",),
    "ur": ("([ؠ-ے]{3,}) نام(?:ی| کا| کی| کے)(?![ؠ-ے])",),
    "zh": (
        "(?:名?叫|叫[做作])([㐀-鿿]{2,4}?)的(?:人|男|女|孩|小|少|老|姑娘|朋友)",
        f"(?:在下|小生|老夫|我[是叫]|俺[是叫]|自称)([{_CHINESE_SURNAMES}][㐀-鿿]{{1,2}})(?=$|\\W)",
        f"姓([{_CHINESE_SURNAMES}])(?:名|叫|$|\\W)",
        "(?:名叫|唤作|名唤|绰号|自称(?![是为]))([㐀-鿿]{2,5})(?=[，。！”])",
        f"([{_CHINESE_SURNAMES}](?:{_CHINESE_TITLES}))",
        f"(老(?!胡)[{_CHINESE_SURNAMES}])(?![醋皮酒字家])",
        "(阿[福强贵珍芳豪杰英兰梅香莲秀旺财勇辉伟])",
    ),
}
_VOWEL_MARKS = re.compile("[ً-ْ]")  # of Arabic
# What is joined to a name without a space.
_SEMITIC = ("و", "ف", "ب", "ل", "ك", "ول", "وب", "فل")
_JOINED_BEFORE = {
    "ar": frozenset(_SEMITIC),
    "he": frozenset(("ו", "ל", "ב", "מ", "ש", "ול", "וש", "כש")),
}
_KOREAN_PARTICLE = re.compile("(?:이?(?:가|는|를|와|랑|의|도)|은|을|과|이)$")
_KOREAN_THINGS = (
    "소리",
    "그림자",
    "자국",
    "주머니",
    "머리",
    "얼굴",
    "아이",
    "친구",
    "마음",
    "이야기",
)
_ARTICLES = {"he": ("ה",)}  # which names do not have, as family names do in Arabic
_KOREAN_PARTICLES = re.compile(
    "이?(?:가|는|를|와|랑|의|도|야|네|들|에게|한테|처럼|보다|만|까지|부터|라는|라고|에게서|하고)|은|을|과|이|아|씨.*"
)
# Endings that dictionaries lack, of colloquial words: شالش is "her shawl".
_ENDINGS_OF_WORDS = {"fa": ("ش", "ی", "م", "ت", "ها", "هاش", "رو", "شون")}
_ENDINGS = frozenset(("bn", "ta", "te", "gu", "mr", "ka"))
_NO_VOWEL = "\u0bcd\u0c4d\u0acd\u09cd"  # signs of Indic scripts for a consonant alone
_NASAL = re.compile(
    "[\u0919\u091e\u0923\u0928\u092e]\u094d(?=[\u0915-\u0939])(?![\u092f-\u0932\u0935\u0939\u0928\u092e])"
)


@functools.cache
def given_names(code: str) -> frozenset[str]:
    """Returns the given names of a language without capitals; none for others."""
    return _listed_names(code, _GIVEN_NAMES)[0]


@functools.cache
def rare_names(code: str) -> frozenset[str]:
    """Returns more given names, any of which may be a rare word."""
    return _listed_names(code, _MORE_GIVEN_NAMES)[0]


@functools.cache
def doubtful_names(code: str) -> frozenset[str]:
    """Returns the given names that are words as well: Alon is an oak. Those of things are left out,
    as stories tell of them."""
    doubtful = _listed_names(code, _GIVEN_NAMES)[1] | _listed_names(code, _MORE_GIVEN_NAMES)[1]
    return doubtful - concepts.lexicon(code).keys()


@functools.cache
def all_given_names(code: str) -> frozenset[str]:
    """Returns the given names of a language, but for those that are frequent words."""
    return given_names(code) | rare_names(code) | doubtful_names(code)


@functools.cache
def _family_names(code: str) -> frozenset[str]:
    lists = (_FAMILY_NAMES, _MORE_FAMILY_NAMES)
    return frozenset().union(*(_listed_names(code, lines)[0] for lines in lists))


@functools.cache
def names_of_words(code: str) -> frozenset[str]:
    """Returns the given names that are frequent words too: Barak is lightning."""
    doubtful = _listed_names(code, _GIVEN_NAMES)[1] & concepts.lexicon(code).keys()
    return (doubtful | _listed_names(code, _MORE_GIVEN_NAMES)[2]) - concepts.ambiguous(code)


def _titles(code: str) -> frozenset[str]:
    formal, kin, _ = _listed_names(code, _ADDRESSED)
    return formal | kin


def titled(texts: Sequence[str], code: str) -> list[str]:
    """Returns words that no list may have and that stand beside a title in one sentence, and do
    what persons do without it in another: "Inspector Karpiol came in. Karpiol said nothing."

    Only in languages where spaces tell words apart and capitals tell no name.
    """
    formal, kin, _ = _listed_names(code, _ADDRESSED)
    if not (formal or kin) or code in _UNSPACED_NAMES:
        return []
    verbs = _listed_names(code, _PERSONS_ACT)
    no_names = formal.union(kin, concepts.function_words(code), *verbs[:2])
    beside: dict[str, str] = {}
    sentences = [part for text in texts for part in patterns.sentences(text)]
    for sentence in sentences:
        tokens = words.tokenize(_folded(sentence))
        if code == "ko":
            tokens = [_without_particle(token) for token in tokens]
        for title, token in itertools.pairwise(tokens):
            long = len(token) > (1 if code == "ko" else _SHORTEST_STEM)
            if title in formal | kin and token not in no_names and long:
                beside.setdefault(token, sentence)
    return [
        token
        for token, sentence in beside.items()
        if not _is_other_word(token, code)
        and (
            _acts_or_opens(token, [other for other in sentences if other != sentence], code)
            or (code == "ko" and _is_foreign_subject(token, sentence))
        )
    ]


def _is_foreign_subject(token: str, sentence: str) -> bool:
    """Returns whether a long word that acts is no thing of the person beside it, as in "the
    detective's voice": 형사 목소리가."""
    return (
        len(token) > 2
        and not token.endswith(_KOREAN_THINGS)
        and re.search(f"{token}[이가은는]", sentence) is not None
        and acts(token, [sentence], "ko")
    )


def _acts_or_opens(name: str, sentences: Sequence[str], code: str) -> bool:
    """Returns whether somebody of a name acts or, in Korean, opens a sentence as its subject."""
    if code != "ko":
        return acts(name, sentences, code)
    first = (words.first(sentence.lstrip("“\"'‘ ")) for sentence in sentences)
    return any(
        word.startswith(name) and _KOREAN_SUBJECT.fullmatch(word[len(name) :]) for word in first
    )


def _without_particle(token: str) -> str:
    """Returns a Korean word without a particle, if two syllables are left."""
    stem = _KOREAN_PARTICLE.sub("", token)
    return stem if len(stem) > 1 else token


def _is_other_word(token: str, code: str) -> bool:
    """Returns whether a word beside a title is known as another, or has an article as adjectives
    have: "the detective, the old one"."""
    if token.startswith(_ARTICLES.get(code, ())):
        return True
    known = concepts.lexicon(code)
    return concepts.entry([token], code, known) != "" or (
        code in _GOOD_DICTIONARIES and concepts.is_word(token, code)
    )


def _listed(name: str, code: str) -> bool:
    """Returns whether a word without capitals is a given or a family name, among other things."""
    return (
        name in all_given_names(code)
        or name in names_of_words(code)
        or name in _family_names(code)
        or is_international(name, code)
    )


def _is_no_word(token: str, code: str) -> bool:
    """Returns whether a language's dictionary, where there is a good one, lacks a word."""
    return (
        code in _GOOD_DICTIONARIES
        and len(token) > _SHORTEST_STEM
        and not token.endswith(_ENDINGS_OF_WORDS.get(code, ()))
        and not concepts.is_word(token, code)
        and not concepts.entry([token], code, concepts.lexicon(code))
    )


def acts(name: str, texts: Sequence[str], code: str, *, surely: bool = False) -> bool:
    """Returns whether somebody of a name does in some text what persons do or, with `surely`, what
    nobody else does: "Barak laughed", where Barak may be lightning."""
    only_persons, others, _ = _listed_names(code, _PERSONS_ACT)
    verbs = only_persons if surely else only_persons | others
    for sentence in (part for text in texts for part in patterns.sentences(text)):
        if not verbs or name.rstrip(_NO_VOWEL) not in _folded(sentence):
            continue
        if code in ("ja", "th"):
            between = "(?:は|が|も)[^。]*?" if code == "ja" else "(?:ก็| )*"
            acts = "|".join(map(re.escape, sorted(verbs)))
            if re.search(f"{re.escape(name)}{between}(?:{acts})", sentence):
                return True
            continue
        tokens = words.tokenize(_folded(sentence))
        for place, token in enumerate(tokens):
            if not (token == name if surely else _joined_form(token, name, code)):
                continue
            after = tokens[place + 1 :]
            if code in _VERB_FIRST:
                before = () if surely else tokens[max(0, place - 1) : place]  # "said hello"
                beside = (*before, *after[:1])
                found = any(word in verbs or word[1:] in verbs for word in beside)
            elif code == "ko":
                # A name in another script's spelling is found with its particle.
                subject = _KOREAN_SUBJECT.fullmatch(token[len(name) :] or token[-1])
                found = subject is not None and any(word.startswith(tuple(verbs)) for word in after)
            else:
                found = not verbs.isdisjoint(after[: 1 if surely else _NEAR])
            if found:
                return True
    return False


def addressed(text: str, code: str) -> list[str]:
    """Returns the names of a list that stand beside a title or a word for kin: Mrs Rosenberg."""
    formal, kin, _ = _listed_names(code, _ADDRESSED)
    addresses = formal | kin
    if not addresses:
        return []
    if code in _UNSPACED_NAMES:
        title = "|".join(map(re.escape, sorted(addresses, key=len, reverse=True)))
        names = all_given_names(code) | _family_names(code)
        beside = "(?:{title})の?{name}" + "|{name}(?:{title})" * (code != "th")
        return [
            name
            for name in names
            if name in text and re.search(beside.format(title=title, name=re.escape(name)), text)
        ]
    tokens = words.tokenize(_folded(text))
    return [
        token
        for place, token in enumerate(tokens)
        if token not in addresses
        and (
            _listed(token, code)
            or (_is_no_word(token, code) and addresses & {*tokens[:place][-1:]})
        )
        # "Uncle Tailor" is one who sews.
        and not (formal if token.startswith("ال") else addresses).isdisjoint(
            tokens[max(0, place - 1) : place] + tokens[place + 1 :][:1]
        )
    ]


@functools.lru_cache(maxsize=200)
def _listed_names(code: str, lines: tuple[str, ...]) -> tuple[frozenset[str], ...]:
    """Returns the words of a language in a list, such as given names, in three sets, which `?`
    divides: those that are nothing else, those that are words too, and those that are so first.

    Hebrew's Itai is spelled as "with me" is, so he is left out.
    """
    listed = next((line for line in lines if line.startswith(f"{code}:")), ":")
    parts = (*listed.partition(":")[2].split("?"), "", "")[:3]
    left_out = concepts.function_words(code) if lines not in (_PERSONS_ACT, _ADDRESSED) else ()
    return tuple(frozenset(_folded(part).split()).difference(left_out) for part in parts)


def _folded(text: str) -> str:
    """Returns a text in one spelling: nasals of Indic scripts (देवेन्द्र and देवेंद्र), without vowel
    marks in Arabic and without what joins the parts of a Persian word."""
    plain = _VOWEL_MARKS.sub("", text).replace("\u200c", "")
    return _NASAL.sub("\u0902", plain.replace("\u0901", "\u0902").replace("\u093c", ""))


def is_international(word: str, code: str) -> bool:
    """Returns whether a word of a language without capitals is a name of many countries."""
    return code in _HAS_FOREIGN_NAMES and (
        name_forms.is_spelling(word, given_names("international"))
        or (code in ("ja", "th") and name_forms.is_spelling(word, rare_names("international")))
    )


def international(text: str, language: str) -> set[str]:
    """Returns the words of a text that are a name of many countries and, in the lexicon, no other
    word. Where spaces tell words apart, somebody of that name must act, as few letters tell."""
    code, known = concepts.code(language), concepts.lexicon(language)
    if code not in _HAS_FOREIGN_NAMES:
        return set()
    if code == "th":
        names = given_names("international") | rare_names("international")
        found = name_forms.spelt_in_thai(text, names) - known.keys()
        return {name for name in found if acts(name, [text], code)}
    tokens = [*words.tokenize(text), *(match[0] for match in name_forms.transliterated(text))]
    return {
        token
        for token in tokens
        if token not in known
        and is_international(token, code)
        and (code == "ja" or acts(token, [text], code))
    }


def has_word(text: str, word: str, code: str) -> bool:
    """Returns whether a text has a word: alone, or with what a language joins to it."""
    if word.rstrip(_NO_VOWEL) not in _folded(text):
        return False
    if code in _UNSPACED_NAMES:
        before, after = _UNSPACED_NAMES[code]
        if code == "ja" and len(word) > 1 and not _HIRAGANA.search(word):
            before = _OTHER_SCRIPT  # から陽菜が: hiragana ends the word before
        return re.search(f"{before}{re.escape(word)}{after}", text) is not None
    return any(_joined_form(token, word, code) for token in words.tokenize(_folded(text)))


def without_names(text: str, names: Iterable[str], code: str) -> str:
    """Returns a text without the words that are names of a list, where spaces tell words apart:
    Brumm is no Rum with "in" before him in Hebrew."""
    if code in _UNSPACED_NAMES:
        return text
    return " ".join(
        token
        for token in words.tokenize(text)
        if not any(name_forms.is_form(token, name) for name in names)
    )


def _joined_form(token: str, word: str, code: str) -> bool:
    """Returns whether a token is a word with the particles or endings that a language joins to it:
    "and Maryam", "Ratan's"."""
    token = _folded(token)
    if token == word:
        return True
    if code in _JOINED_BEFORE:
        return token.endswith(word) and token[: -len(word)] in _JOINED_BEFORE[code]
    if code == "ko":
        ends = [token, *([token[1:]] if token[:1] in _KOREAN_SURNAMES else [])]  # 박철수
        return any(
            end.startswith(word) and (end == word or _KOREAN_PARTICLES.fullmatch(end[len(word) :]))
            for end in ends
        )
    stem = word.rstrip(_NO_VOWEL)
    extra = len(token) - len(stem)
    return (
        code in _ENDINGS and len(stem) >= _SHORTEST_STEM and token.startswith(stem) and extra <= 4
    )


def _after_title(text: str, code: str) -> list[str]:
    """Returns what stands after a title, or before it, and is written as names are, in scripts
    without spaces: 探偵ゴンゾウ, 侦探司徒墨."""
    title = "|".join(map(re.escape, sorted(_titles(code), key=len, reverse=True)))
    if not title:
        return []
    patterns_: tuple[str, ...]
    if code == "ja":
        patterns_ = (
            f"(?:{title})([ァ-ヺー]{{3,}})(?![ァ-ヺー])",
            f"(?:{title})の([ァ-ヺー]{{3,}})(?=[がはも、]|くん|さん)",
            f"(?:{title})の?([㐀-鿿々]{{1,2}}[{_ENDS_OF_SURNAMES_ONLY}])(?=[がはも、])",
        )
    elif code == "zh":
        patterns_ = (
            f"(?:{title})([{_CHINESE_SURNAMES_ONLY}][㐀-鿿]{{1,2}})",
            f"(?:{title})([{_CHINESE_SURNAMES}][㐀-鿿]{{1,2}}?){_UNSPACED_NAMES['zh'][1]}",
            f"((?:{_LONG_CHINESE_SURNAMES})(?:{title}|[㐀-鿿]{{1,2}}?{_UNSPACED_NAMES['zh'][1]}))",
            f"([{_CHINESE_SURNAMES}](?:{title}))",
        )
    elif code == "ko":
        patterns_ = (
            f"(?<![가-힣])((?:{_PLAIN_KOREAN_SURNAMES}) (?:{title}))(?![가-힣]{{4}})",
            f"([가-힣]{{2,4}}?)이?라는 (?:{title})",
        )
    else:
        return []
    return [name for pattern in patterns_ for name in re.findall(pattern, text)]


def called(text: str, code: str) -> list[str]:
    """Returns what a text calls somebody, where no capitals tell: 一个叫大壮的人, 大地くん."""
    plain = _folded(text)
    found = [name for name in _after_title(plain, code) if name not in concepts.lexicon(code)]
    found += [name for call in _CALLED.get(code, ()) for name in re.findall(call, plain)]
    return [
        name
        for name in found
        if name not in concepts.function_words(code) and name not in concepts.beings(name, code)
    ]
