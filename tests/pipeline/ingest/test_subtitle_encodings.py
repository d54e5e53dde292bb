"""Text of subtitle files in the encodings that people have."""

import pytest

from pipeline.ingest.subtitle_encodings import EncodingError, decode

TEXTS = {
    "fr": "Ça va très bien. Où est le garçon? Là-bas, près de l'église! C'était l'été dernier.",
    "de": "Schöne Grüße! Für wen hält er mich? Das weiß ich nicht, aber es wäre möglich.",
    "es": "¿Dónde está el niño? ¡Mañana será otro día! Él no lo sabía, señor.",
    "pl": "Dzień dobry, gdzie jesteś? Łódź płynie, źdźbło trawy. Więc chodźmy już, żółwiu!",
    "cs": "Příliš žluťoučký kůň úpěl ďábelské ódy. Kde jsi? Tady jsem, přítelkyně.",
    "hu": "Jó reggelt! Hol van az őr? Tűz van a tetőn, gyertek gyorsan, kérlek!",
    "ru": "Привет! Где ты была? Я искал тебя весь день. Пойдём домой, уже темно.",
    "uk": "Привіт! Де ти була? Я шукав тебе весь день. Ходімо додому, їжаче.",
    "el": "Καλημέρα! Πού είσαι; Σε έψαχνα όλη μέρα. Πάμε στο σπίτι.",
    "tr": "Günaydın, nasılsın? Işık söndü, çabuk gel! Ağaçların altında bekliyorum.",
    "he": "שלום, איפה היית? חיפשתי אותך כל היום. בוא הביתה.",
    "ar": "صباح الخير، أين كنت؟ بحثت عنك طوال اليوم. هيا إلى البيت.",
    "ja": "おはよう。どこにいたの？一日中さがしたよ。さあ、家に帰ろう。",
    "ko": "안녕! 어디 있었니? 하루 종일 찾았어. 집에 가자.",
    "zh": "早上好！你去哪里了？我找了你一整天。我们回家吧。",
}


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]
)
def test_is_found_without_a_language(encoding):
    text = "1\n00:00:01,000 --> 00:00:02,000\n" + TEXTS["fr"]
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize(
    ("language", "encoding"),
    [
        ("fr", "cp1252"),
        ("de", "cp850"),
        ("es", "cp1252"),
        ("pl", "cp1250"),
        ("pl", "iso8859_2"),
        ("pl", "cp852"),
        ("cs", "iso8859_2"),
        ("cs", "cp852"),
        ("hu", "cp1250"),
        ("ru", "cp1251"),
        ("ru", "koi8_r"),
        ("ru", "cp866"),
        ("ru", "iso8859_5"),
        ("uk", "cp1251"),
        ("uk", "koi8_u"),
        ("el", "cp1253"),
        ("tr", "cp1254"),
        ("he", "cp1255"),
        ("ar", "cp1256"),
        ("ja", "cp932"),
        ("ja", "euc_jp"),
        ("ja", "iso2022_jp"),
        ("ko", "cp949"),
        ("zh", "gb18030"),
        ("zh", "big5hkscs"),
    ],
)
def test_content_tells_the_code_page(language, encoding):
    text = TEXTS[language].replace("’", "'")
    text = "早上好！你去哪裡了？我找了你一整天。我們回家吧。" if encoding == "big5hkscs" else text
    assert decode(text.encode(encoding), language) == text


@pytest.mark.parametrize(
    ("language", "encoding"),
    [
        ("ru", "cp1251"),
        ("ru", "koi8_r"),
        ("ru", "cp866"),
        ("ru", "iso8859_5"),
        ("ru", "mac_cyrillic"),
        ("uk", "koi8_u"),
        ("ja", "cp932"),
        ("ja", "euc_jp"),
        ("ko", "cp949"),
        ("el", "cp1253"),
        ("tr", "cp1254"),
        ("he", "cp1255"),
        ("ar", "cp1256"),
        ("fr", "mac_roman"),
        ("es", "mac_roman"),
        ("es", "cp850"),
        ("pl", "iso8859_2"),
        ("pl", "cp852"),
        ("cs", "cp1250"),
        ("cs", "cp852"),
    ],
)
def test_a_language_that_is_not_known_is_guessed(language, encoding):
    text = TEXTS[language].replace("’", "'")
    assert decode(text.encode(encoding)) == text


def test_chinese_without_a_language_is_guessed_from_a_few_lines():
    said = ["早上好！", "我找了你一整天。", "别担心，他会回来的。", "我不知道，也许是一只鸟。"]
    text = "\n".join(f"00:00:0{i},000 --> 00:00:0{i},900\n{line}" for i, line in enumerate(said))
    assert decode(text.encode("gb18030")) == text


def test_one_damaged_byte_costs_its_character_only():
    data = TEXTS["ru"].encode()
    broken = data[:10] + b"\xff" + data[11:]
    assert decode(broken, "ru").endswith(TEXTS["ru"][-40:])
    assert "\ufffd" in decode(broken, "ru")


def test_a_single_accent_is_of_a_code_page_not_damage():
    assert decode("Un café.".encode("cp1252"), "fr") == "Un café."


def test_what_is_no_text():
    with pytest.raises(EncodingError, match="no text"):
        decode(bytes(range(128, 256)) * 40 + bytes(range(32)) * 40)
