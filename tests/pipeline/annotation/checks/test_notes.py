"""Placeholders, notes to the reader and talk of the picture are found; stories are not."""

import pytest

from pipeline.annotation.checks.notes import note, placeholder


@pytest.mark.parametrize(
    "text",
    ["...", "-", "…", "?!", "N/A", "n/a.", "TBD", "null", "[text]", "<text of picture 3>",
     "Same as above.", "kein Text", "Text hier", "sans objet", "sin texto", "Нет текста",
     "同上", "해당 없음", "該当なし"],
)  # fmt: skip
def test_a_placeholder_is_no_text(text):
    assert placeholder(text)


@pytest.mark.parametrize(
    "text", ["Nobody.", "Empty.", "“…”, said the owl.", "Hop!", "无人。", "Я."]
)
def test_a_very_short_text_is_no_placeholder(text):
    assert placeholder(text) == ""


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("Note: Tilda is a hedgehog.", "Note:"),
        ("Bild 3: Tilda lief.", "Bild 3:"),
        ("Image 3 : Tilda courut.", "Image 3 :"),
        ("图片3：蒂尔达跑了。", "图片3："),
        ("Картинка 2: Тильда побежала.", "Картинка 2:"),
        ("Hier ist die Geschichte: Tilda lief.", "Hier ist die Geschichte:"),
        ("Voici la suite de l'histoire : Tilda courut.", "Voici la suite de l'histoire :"),
        ("Aquí está la historia: Tilda corrió.", "Aquí está la historia:"),
        ("以下是故事：蒂尔达跑了。", "以下是故事："),
        ("以下は物語の続きです：ティルダは走った。", "以下は物語の続きです："),
        ("다음은 이야기입니다: 틸다가 달렸다.", "다음은 이야기입니다:"),
        ("Вот история: Тильда побежала.", "Вот история:"),
    ],
)
def test_a_note_to_the_reader(text, held):
    assert note(text) == f"the text holds {held!r}, which is no part of a story"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("In this picture, Tilda runs.", "in this picture"),
        ("Tilda ran as the camera pans to the left.", "the camera pans"),
        ("Sur cette image, Tilda court.", "sur cette image"),
        ("La caméra suit Tilda.", "la caméra suit"),
        ("Auf diesem Bild läuft Tilda.", "auf diesem bild"),
        ("Die Kamera schwenkt nach links.", "die kamera schwenkt"),
        ("En esta imagen, Tilda corre.", "en esta imagen"),
        ("На этой картинке Тильда бежит.", "на этой картинке"),
        ("Na tym obrazku Tilda biegnie.", "na tym obrazku"),
        ("Bu resimde Tilda koşuyor.", "bu resimde"),
        ("在这张图片中，蒂尔达在跑。", "在这张图片中"),
        ("この画像では、ティルダが走っています。", "この画像"),
        ("이 이미지에서 틸다가 달린다.", "이 이미지에서"),
        ("في هذه الصورة تجري تيلدا.", "في هذه الصورة"),
        ("इस चित्र में टिल्डा दौड़ती है।", "इस चित्र में"),
        ("ในภาพนี้ ทิลดากำลังวิ่ง", "ในภาพนี้"),
    ],
)
def test_talk_of_the_picture_and_the_camera(text, said):
    assert note(text) == f"tell what happens, and not what is seen or filmed: {said!r}"


@pytest.mark.parametrize(
    "text",
    [
        "“In this picture I am three,” said Bruno.",
        "— Sur cette image, j'ai trois ans, dit Bruno.",
        "The camera clicked, and everybody laughed.",
        "The picture on the wall showed three monkeys.",
        "We saw the light, and the light saw us.",
        "Here is the plan: we go at dawn.",
        "Voici l'histoire d'un hérisson.",
        "Hier ist der Plan: Wir gehen.",
        "Note by note, the song came back.",
        "Picture this: a mill, a moon, a badger.",
        "Then he read: “Go home!”",
        "Bruno: he was never early.",
        "カメラがこわれた。",
    ],
)
def test_a_story_may_have_pictures_and_cameras(text):
    assert note(text) == ""
