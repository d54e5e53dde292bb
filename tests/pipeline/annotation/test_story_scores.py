import pytest
from pydantic import ValidationError

from pipeline.annotation.story_scores import (
    GATES,
    QualityConfig,
    Scores,
    gate,
    language_share,
    name_consistency,
    reading_grade,
    repetition,
    score,
    toxic_words,
    word_list,
)

FOX = [
    "A little fox lived in a green forest.",
    "One day the fox found a red ball near the river.",
    '"Whose ball is this?" asked the fox.',
    "The owl did not know. The bear did not know.",
    "So the fox took the ball and walked to Mr. Otter's village.",
    "A girl sat on a wall and cried. She had lost her ball.",
    '"Is this your ball?" asked the fox. "Yes!" said the girl.',
    "They played until the sun went down behind the hills.",
]
# Texts as the embedded writer makes them: plain, with set phrases, but stories.
PLAIN = [
    "Once upon a time, all was grey and green, and the air was filled with the sound of the wind.",
    "A grey animal had grey on every side, and it did not move.",
    "Then the grey animal moved up and did not look back.",
    "The world here was grey in the soft light, and the wind was blowing.",
    "After that, there was grey and green everywhere, and all was still.",
    'Momo said, "My fishing rod is gone!" On brown ground was the grey animal.',
    "The grey animal moved up and went on its way.",
    "Far and wide there was grey and green, and the air smelled of flowers.",
]
GERMAN = [
    "Es war einmal ein kleines Mädchen, das lebte am Rande des Waldes.",
    "Da kam der Wolf und fragte: „Wohin gehst du so früh?“",
]
FRENCH = [
    "Il était une fois une petite fille qui vivait au bord de la forêt.",
    "Dans le bois, elle rencontra le loup, qui avait bien envie de la manger.",
]
SWEDISH = [
    "Det var en gång en liten flicka som bodde i utkanten av skogen.",
    "Då kom vargen och frågade vart hon var på väg så tidigt.",
]


def test_repetition_is_the_share_of_runs_of_four_words_seen_before():
    assert repetition(["one two three four", "one two three four"]) == 0.5
    assert repetition(["One, two, three, four!", "And one two three four."]) == pytest.approx(1 / 3)
    assert repetition(["one two three", "four one two three"]) == 0  # a run ends with its text
    assert repetition(["too short"]) is None
    assert repetition([]) is None


def test_repetition_tells_prose_from_set_phrases_and_from_a_loop():
    assert repetition(FOX) == 0
    assert repetition(PLAIN) == pytest.approx(0.09, abs=0.03)
    assert repetition(["The fox walked in the forest and the fox was happy."] * 15) > 0.9
    assert (
        repetition(
            [
                f"The fox walked in the forest and saw a {thing}."
                for thing in ("tree", "bird", "stone", "leaf", "cloud", "bear")
            ]
        )
        > 0.7
    )


def test_a_run_is_as_long_as_four_words_where_there_are_no_spaces():
    assert repetition(["小兔子跑到河边去", "小兔子跑到河边去了"]) == pytest.approx(1 / 3)
    assert repetition(["小兔子跑了"]) is None


# As a reader for beginners tells it: set phrases, each of somebody else.
POLITE = [
    said.format(name)
    for name in ("ピップ", "モモ", "ヒューゴ", "オットー", "ティリー", "ローザ")
    for said in (
        "{}は森へ行きました。",
        "{}は川で水を飲んでいました。",
        "「おはよう」と{}は言いました。",
        "{}は石の上にすわっていました。",
        "{}は赤い花を見つけました。",
    )
]


@pytest.mark.parametrize(
    ("good", "loop"),
    [
        (POLITE, ["きつねは森を歩いていて、とてもうれしかったです。"] * 15),
        (
            ["狐狸醒来时，雪已经停了。", "他走到河边，河面结了冰。", "一只鸟站在冰上，看着他。"],
            ["狐狸在森林里走着走着，觉得非常开心。"] * 15,
        ),
        (
            ["เมื่อสุนัขจิ้งจอกตื่นขึ้น หิมะก็หยุดตกแล้ว", "มันเดินไปที่แม่น้ำซึ่งกลายเป็นน้ำแข็ง"],
            ["สุนัขจิ้งจอกเดินเล่นในป่าและมีความสุขมาก"] * 15,
        ),
    ],
)
def test_scripts_without_spaces_are_held_to_what_others_are(good, loop):
    assert not gate(score(good, language="zxx"), QualityConfig())
    ((reason, _),) = gate(score(loop, language="zxx"), QualityConfig())
    assert reason == "repetitive"


def test_the_reading_grade_is_that_of_flesch_and_kincaid():
    # 2 sentences, 8 words, 10 syllables
    texts = ["The little fox ran.", "She was so happy."]
    assert reading_grade(texts, "en") == pytest.approx(0.39 * 8 / 2 + 11.8 * 10 / 8 - 15.59)
    assert reading_grade(texts, "en-GB") == reading_grade(texts, "en")
    assert reading_grade(GERMAN, "de") is None
    assert reading_grade(["..."], "en") is None


def test_the_reading_grade_grows_with_the_reader():
    hard = [
        "The constellations, indifferent to impatience, revolved with great deliberation.",
        "Nevertheless, the mysterious apparatus hummed underneath delicate fingertips.",
    ]
    assert reading_grade(FOX, "en") < 2 < reading_grade(PLAIN, "en") < 5
    assert reading_grade(hard, "en") > 14


def test_words_of_the_language_are_counted_without_names():
    assert language_share(["The fox met Zuzu."], "en") == 0.75
    assert language_share(["The fox met Zuzu.", "Zuzu's ball was red."], "en", ["Zuzu"]) == 1
    assert language_share([], "en") is None
    assert language_share(["Zuzu!"], "en", ["Zuzu"]) is None


@pytest.mark.parametrize(
    "texts, language",
    [(FOX, "en"), (PLAIN, "en-US"), (GERMAN, "de"), (FRENCH, "fr"), (SWEDISH, "sv-SE")],
)
def test_a_story_is_in_its_language_and_in_no_other(texts, language):
    assert language_share(texts, language) > 0.9
    others = [other for other in ("en", "de", "fr", "sv") if not language.startswith(other)]
    assert max(language_share(texts, other) for other in others) < 0.7


def test_a_language_without_a_dictionary_has_no_share():
    assert language_share(["小兔子跑了。"], "zh") is None
    assert language_share(FOX, "") is None
    assert language_share(["Djevojka ide u šumu."], "hr") == 1  # with its neighbours' dictionary


def test_toxic_words_are_whole_words_and_phrases_in_any_case():
    words = ["Blast", "old fool"]
    assert toxic_words(["BLAST! You old fool, blast you."], words) == 3
    assert toxic_words(["A blaster. An old, foolish fool. The fool was old."], words) == 0
    assert toxic_words(["He drew on the wall, old-fool that he was."], words) == 1
    assert toxic_words(["Nothing."], []) == 0


def test_a_name_is_no_toxic_word():
    assert toxic_words(["Blast ran. Blast's ball was gone."], ["blast"]) == 2
    assert toxic_words(["Blast ran. Blast's ball was gone."], ["blast"], ["Captain Blast"]) == 0


def test_the_list_for_english_knows_what_is_foul_and_what_a_tale_may_say():
    words = word_list("en")
    assert toxic_words(["This is bullshit, you asshole."], words) == 2
    tale = [
        "The cock crew, Puss in Boots licked his fat paw, and the ass pulled the cart.",
        "Mother sent Jack off to market with the flower-pot and a weed. Oh God, he was stupid!",
        "The dragon's deep throat rumbled: I will kill the naked king, by hell!",
        "Dopey, Willy and Dick, drunk with rum, slept on a slope. Beauty felt a prick.",
        "A blue tit and a cowgirl sat on the steamy screw. The girls cup their hands. Sh!",
    ]
    assert toxic_words(tale, words) == 0
    assert word_list("de") is None  # "dick" is fat
    assert all(toxic_words([entry], words) for entry in words)  # none is written so that it is lost
    assert len(words) == 604


def test_a_file_of_words_takes_the_place_of_the_list(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("\ufeff# ours\nDonnerwetter\n\n  alter Narr \n", encoding="utf-8")
    assert word_list("de", str(path)) == {"Donnerwetter", "alter Narr"}
    assert toxic_words(["Donnerwetter, du alter Narr!"], word_list("en", str(path))) == 2
    with pytest.raises(OSError):
        word_list("en", str(tmp_path / "none.txt"))


def test_names_are_consistent_where_nobody_is_unknown():
    assert name_consistency([[], ["Bert"], [], ["Ann", "Bert"]]) == 0.5
    assert name_consistency([]) is None


def test_a_story_is_scored_from_its_texts_and_from_what_was_noted_about_them():
    # 3 sentences, 11 words, 14 syllables; 8 of the 9 words that are no name are English
    assert score(
        ["The fox met Zuzu.", "The fox met the wubbit, Zuzu!", "Blast."],
        language="en",
        names=["Zuzu"],
        toxic=["blast"],
        strangers=[[], ["Bert"], []],
        repaired=[True, False, False],
        grounding=[1.0, 0.5, 0.0],
        similarity=[0.25, 0.35, 0.3],
    ) == Scores(
        repetition=0.0,
        reading_grade=0.8582,
        language_share=0.8889,
        toxic_words=1,
        name_consistency=0.6667,
        repaired_share=0.3333,
        grounding=0.5,
        similarity=0.3,
    )


def test_what_was_not_looked_at_has_no_score_and_fails_nothing():
    scores = score(["小兔子跑到河边去喝水了。"], language="zh")
    assert scores == Scores(0.0, None, None, None, None, None, None, None)
    assert gate(scores, QualityConfig()) == []


def test_a_threshold_that_is_missed_gives_a_reason_and_its_figures():
    good = Scores(0.2, 4.0, 0.95, 0, 1.0, 0.1, 0.8, 0.3)
    bad = Scores(0.9, 30.0, 0.3, 2, 0.25, 1.0, 0.05, -0.1)
    strict = QualityConfig(max_repaired=0.5, min_similarity=0.2)
    assert gate(good, strict) == []
    assert gate(bad, strict) == [
        ("repetitive", "repetition is 0.9, and quality.max_repetition is 0.6"),
        ("hard to read", "reading grade is 30, and quality.max_reading_grade is 18"),
        ("other language", "language share is 0.3, and quality.min_language_share is 0.7"),
        ("toxic", "toxic words is 2, and quality.max_toxic_words is 0"),
        ("unknown names", "name consistency is 0.25, and quality.min_name_consistency is 0.5"),
        ("repaired", "repaired share is 1, and quality.max_repaired is 0.5"),
        ("ungrounded", "grounding is 0.05, and quality.min_grounding is 0.2"),
        ("unlike pictures", "similarity is -0.1, and quality.min_similarity is 0.2"),
    ]


def test_a_score_right_at_its_threshold_passes_and_null_switches_it_off():
    scores = Scores(0.6, 18.0, 0.7, 0, 0.5, 1.0, 0.2, -1.0)
    assert gate(scores, QualityConfig()) == []
    off = QualityConfig(**{setting: None for _, setting, _ in GATES})
    assert gate(Scores(1.0, 99.0, 0.0, 9, 0.0, 1.0, 0.0, -1.0), off) == []


def test_plain_stories_pass_the_defaults_and_rubbish_does_not():
    words, thresholds = word_list("en"), QualityConfig()

    def reasons(texts):
        return [reason for reason, _ in gate(score(texts, language="en", toxic=words), thresholds)]

    assert reasons(FOX) == reasons(PLAIN) == []
    assert reasons(["The fox ran on and the fox was happy."] * 9) == ["repetitive"]
    assert reasons(GERMAN) == ["other language"]
    assert reasons(
        ["Flarn grobble the snizzet wubbed.", "Zindle yorp crandified mopple skree."]
    ) == ["other language"]
    assert reasons([" ".join(["and the fox ran to the river"] * 9)]) == [
        "repetitive",
        "hard to read",
    ]


def test_thresholds_out_of_range_and_unknown_ones_are_refused():
    with pytest.raises(ValidationError, match="max_repetition"):
        QualityConfig(max_repetition=60)
    with pytest.raises(ValidationError, match="max_swearing"):
        QualityConfig(max_swearing=1)
