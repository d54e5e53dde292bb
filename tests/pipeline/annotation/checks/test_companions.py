"""Beings and children that no picture shows are found, however they are called."""

from __future__ import annotations

import pytest

from pipeline.annotation.checks import companions

WOMAN = ["an old woman with a silver bun"]


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        ("en", ["A greyhound had been tailing us.", "The greyhound yawned."]),
        ("en", ["A pale kid tagged along.", "The kid tugged at my arm."]),
        ("de", ["Ein Dackel lief mit.", "Der Dackel bellte."]),
        # "Drachen" are kites too, but the other text surely tells of a dragon.
        ("de", ["Sie ging mit einem kleinen Drachen.", "Der Drache gähnte."]),
        ("de", ["Ein Kind im Regenmantel kam mit.", "Das Kind fragte viel."]),
        ("fr", ["Un lutin trottinait en grommelant.", "Le lutin a éternué."]),
        ("fr", ["Un petit garçon nous suivait.", "Le gosse ne disait rien."]),
        # An article at an apostrophe.
        ("it", ["Le seguiva un elefantino.", "L'elefantino contò fino a quattro."]),
        # In other words: a black cat, then the cat.
        ("it", ["Un gatto nero passeggia.", "Il gatto soffia."]),
        ("es", ["Trotaba un burrito gris.", "El burrito rebuznó."]),
        ("pt", ["Corre uma capivara.", "A capivara senta."]),
        ("ru", ["Следом шёл домовой.", "Домовой чихнул."]),
        ("uk", ["З нами дибало гусеня.", "Гусеня щипало мене."]),
        ("sv", ["Efter dem lunkar en järvunge.", "Järvungen gäspar."]),
        # Vowel marks of Arabic.
        ("ar", ["ومشى خلفهما جملٌ صبور.", "فرغا الجملُ رُغاءً شديدا."]),
        # A character of Chinese is an animal where it is counted or small.
        ("zh", ["她们身后跟着一头白虎。", "白虎低吼一声。"]),
        ("ja", ["狸の子が一匹ついてきます。", "狸の子は腹を叩きました。"]),
        ("ko", ["도깨비 하나가 합류했습니다!", "도깨비가 웃으며 춤을 춥니다."]),
    ],
)
def test_a_being_that_no_picture_shows(language, texts):
    assert companions.unseen(texts, frozenset(), WOMAN, language)


@pytest.mark.parametrize(
    ("language", "looks", "texts"),
    [
        # Told of once.
        ("en", WOMAN, ["A parrot sat on a branch.", "She went home."]),
        ("de", WOMAN, ["Sie ließ einen Drachen steigen.", "Der Drachen stieg hoch."]),
        # Of whom a text may say so.
        ("en", ["a small figure in a hood"], ["The boy ran.", "The boy fell."]),
        ("de", ["a young woman"], ["Das Mädchen lief.", "Das Mädchen lachte."]),
        ("en", ["a bear cub"], ["The child slept.", "The child woke."]),
        # Parts of other words of Chinese.
        ("zh", WOMAN, ["她马上来了。", "他马上走了。"]),
        # 彼女 (she) is no 女, and 화가 나다 is to be angry, no painter.
        ("ja", WOMAN, ["彼女は手を振っている。", "彼女は聞いている。"]),
        ("ko", WOMAN, ["닭은 져서 화가 났어요.", "닭은 아직 화가 났어요."]),
    ],
)
def test_a_comparison_a_kite_and_a_little_one_are_no_newcomers(language, looks, texts):
    assert companions.unseen(texts, frozenset(), looks, language) == ""


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        ("de", ["Ein Junge winkte.", "Der Junge lief voraus."]),
        ("ru", ["К ним подбежал мальчик.", "Мальчик засмеялся."]),
        ("nb", ["En gutt vinket.", "Gutten lo."]),
    ],
)
def test_a_boy_where_only_girls_are_shown(language, texts):
    """Unless a caption or an earlier text tells of one."""
    girl = ["a girl with a long braid"]
    assert companions.unseen(texts, frozenset("👧🧒👦"), girl, language)
    assert not companions.unseen(texts, frozenset("👧🧒👦"), girl, language, frozenset("👦"))
    assert not companions.unseen(texts, frozenset("👧🧒👦"), ["a small child"], language)


def test_a_young_woman_and_children_in_general_are_no_boys():
    young = ["a young woman"]
    assert not companions.unseen(
        ["Die junge Frau sang.", "Die junge Frau ging."], set(), young, "de"
    )
    assert not companions.unseen(["Los niños cantan.", "Los niños ríen."], set(), young, "es")


def test_an_iron_horse_is_a_bicycle():
    texts = ["Sie stieg auf ihr Pferd aus Stahl.", "Das Pferd quietschte."]
    assert companions.unseen(texts, frozenset(), WOMAN, "de")
    assert not companions.unseen(texts, frozenset("🚲"), WOMAN, "de")


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        ("de", ["Ein kleiner Bagger rollte mit.", "Der Bagger hupte."]),
        # Articles before both words, and a feminine whose masculine is another word.
        ("ar", ["جاء رجل آلي صغير.", "ضحك الرجل الآلي."]),
        ("ar", ["جاءت قطة سوداء.", "نامت القطة."]),
        # Before a postposition.
        ("ur", ["ایک طوطا آیا۔", "طوطے نے گانا گایا۔"]),
    ],
)
def test_a_machine_and_forms_of_beings(language, texts):
    assert companions.unseen(texts, frozenset(), WOMAN, language)
