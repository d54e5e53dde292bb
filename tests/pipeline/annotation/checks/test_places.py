"""Texts that tell of a place that no picture shows are found, in many languages."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.annotation.checks.picture_order import newcomer


def caption(place: str, sentence: str) -> dict[str, Any]:
    return {
        "sentence": sentence,
        "characters": ["a girl with a red hat"],
        "who": {},
        "place": place,
        "action": "",
        "objects": [],
    }


KITCHEN = caption("a kitchen", "A girl with a red hat peels potatoes at a kitchen table.")
BEDROOM = caption("a bedroom", "A girl with a red hat lies in bed and looks at the ceiling.")
STREET = caption("a street", "A girl with a red hat walks past shop windows in the rain.")
FOREST = caption("a forest", "A girl with a red hat follows a squirrel between tall trees.")
SHIP = caption("the deck of a ship", "A girl with a red hat leans on the railing of a ship.")
SHED = caption("a shed", "A girl with a red hat searches an old wooden box in a shed.")
ATTIC = caption("an attic", "A girl with a red hat opens a trunk full of clothes in an attic.")
MEADOW = caption("a meadow", "A girl with a red hat chases a butterfly across a meadow.")
CAR = caption("the inside of a car", "A girl with a red hat sits in the back seat of a car.")


@pytest.mark.parametrize(
    ("language", "shown", "texts"),
    [
        ("en", KITCHEN, ["They slipped into the cathedral.", "The cathedral was cold and dim."]),
        ("en", MEADOW, ["She ran along the aisles of a supermarket.", "The supermarket was loud."]),
        ("en", SHED, ["The greenhouses steamed in the sun.", "She hid in a greenhouse."]),
        ("en", BEDROOM, ["She crept into the laboratory.", "Something bubbled in the laboratory."]),
        ("de", KITCHEN, ["Sie standen in der Kathedrale.", "Die Kathedrale war dunkel."]),
        ("de", BEDROOM, ["Sie lief durch den Weinberg.", "Im Weinberg summten die Bienen."]),
        ("de", SHED, ["Nun war sie im Schwimmbad.", "Im Schwimmbad roch es nach Chlor."]),
        ("de", MEADOW, ["Der Jahrmarkt war voller Lichter.", "Auf dem Jahrmarkt spielte Musik."]),
        ("fr", ATTIC, ["Elle entra dans la bibliothèque.", "La bibliothèque sentait la cire."]),
        ("fr", KITCHEN, ["Les voilà à l'hippodrome.", "L'hippodrome tremblait sous les sabots."]),
        ("fr", MEADOW, ["Ils visitaient une usine.", "L'usine crachait sa fumée."]),
        ("es", BEDROOM, ["Entró en la catedral vacía.", "En la catedral sonaba un órgano."]),
        ("es", KITCHEN, ["Llegaron a los viñedos.", "El viñedo olía a tierra mojada."]),
        ("it", SHED, ["Passeggiavano nel museo.", "Nel museo c'era silenzio."]),
        (
            "it",
            FOREST,
            ["Erano in una pasticceria del centro e poi al teatro.", "Il teatro era buio."],
        ),
        ("pt", ATTIC, ["Entraram na biblioteca.", "A biblioteca estava vazia."]),
        ("pt", CAR, ["Chegaram ao mosteiro.", "No mosteiro ninguém falava."]),
        ("ru", KITCHEN, ["Они вошли в музей.", "В музее было тихо."]),
        ("ru", BEDROOM, ["Вокруг шумел рынок.", "На рынке пахло рыбой."]),
        ("ru", MEADOW, ["Они спустились в шахту.", "В шахте капала вода."]),
        ("uk", SHED, ["Вони зайшли до бібліотеки.", "У бібліотеці пахло пилом."]),
        ("pl", KITCHEN, ["Weszli do katedry.", "W katedrze grały organy."]),
        ("pl", MEADOW, ["Trafili na lotnisko.", "Na lotnisku było tłoczno."]),
        ("cs", ATTIC, ["Ocitli se v nemocnici.", "Nemocnice voněla mýdlem."]),
        ("cs", BEDROOM, ["Přišli do kláštera.", "V klášteře zvonili."]),
        ("hr", KITCHEN, ["Ušli su u knjižnicu.", "U knjižnici je bilo tiho."]),
        ("nl", SHED, ["Ze stonden in de dierentuin.", "De dierentuin was bijna leeg."]),
        ("sv", KITCHEN, ["De kom till biblioteket.", "I biblioteket viskade alla."]),
        ("sv", MEADOW, ["Hon sprang in i fabriken.", "Fabriken dånade."]),
        ("da", BEDROOM, ["De gik ind på museet.", "Museet lå stille hen."]),
        ("nb", CAR, ["De satt i kirken.", "Kirken var full av lys."]),
        ("fi", KITCHEN, ["He astuivat kirjastoon.", "Kirjastossa oli hiljaista."]),
        ("fi", MEADOW, ["Tehtaassa jyskytti.", "He juoksivat tehtaan läpi."]),
        ("hu", BEDROOM, ["A múzeumban jártak.", "A múzeum termei hűvösek voltak."]),
        ("hu", SHED, ["Egy kolostorba értek.", "A kolostorban csend volt."]),
        ("tr", KITCHEN, ["Kütüphaneye girdiler.", "Kütüphanede kimse konuşmuyordu."]),
        (
            "tr",
            BEDROOM,
            ["Kendilerini bir hapishanede buldular.", "Hapishanenin kapısı gıcırdadı."],
        ),
        ("el", KITCHEN, ["Μπήκαν στη βιβλιοθήκη.", "Η βιβλιοθήκη μύριζε παλιό χαρτί."]),
        ("ro", MEADOW, ["Au intrat în catedrală.", "Catedrala era rece."]),
        ("bg", SHED, ["Влязоха в музея.", "В музея беше тихо."]),
        ("ar", KITCHEN, ["دخلوا إلى المكتبة.", "كانت المكتبة هادئة."]),
        ("ar", BEDROOM, ["وصلوا إلى المستشفى.", "في المستشفى كانت الممرات طويلة."]),
        ("he", SHED, ["הם נכנסו למוזיאון.", "במוזיאון היה שקט."]),
        ("fa", KITCHEN, ["آن‌ها وارد کتابخانه شدند.", "کتابخانه ساکت بود."]),
        ("hi", BEDROOM, ["वे पुस्तकालय में पहुँचे।", "पुस्तकालय में सन्नाटा था।"]),
        ("bn", KITCHEN, ["তারা জাদুঘরে ঢুকল।", "জাদুঘরটা ছিল ঠান্ডা।"]),
        ("ta", SHED, ["அவர்கள் நூலகத்திற்குள் நுழைந்தார்கள்.", "நூலகத்தில் அமைதி நிலவியது."]),
        ("id", KITCHEN, ["Mereka masuk ke perpustakaan.", "Perpustakaannya sunyi sekali."]),
        ("vi", BEDROOM, ["Họ bước vào thư viện.", "Trong thư viện thật yên tĩnh."]),
        ("zh", KITCHEN, ["他们走进了博物馆。", "博物馆里静悄悄的。"]),
        ("ja", BEDROOM, ["二人は図書館に入った。", "図書館はしんとしていた。"]),
        ("ko", SHED, ["그들은 박물관으로 들어갔다.", "박물관에는 아무도 없었다."]),
        ("th", KITCHEN, ["พวกเขาเดินเข้าไปในห้องสมุด", "ห้องสมุดเงียบมาก"]),
        ("sw", BEDROOM, ["Waliingia maktabani.", "Maktaba ilikuwa kimya."]),
        # Other worlds, and places that are no building of a town.
        ("en", BEDROOM, ["They bounced on the moon.", "Moon dust lay in heaps."]),
        ("de", KITCHEN, ["Plötzlich standen sie in der Savanne.", "Die Savanne flimmerte."]),
        ("it", SHED, ["Camminavano in fondo al mare.", "In fondo al mare era buio."]),
        ("ru", BEDROOM, ["Они оказались в тайге.", "В тайге куковала кукушка."]),
        ("zh", KITCHEN, ["转眼之间,众人已身在大漠。", "大漠之中,不见人烟。"]),
        ("sv", CAR, ["Nästa möte sker i ett klassrum.", "I skolan ringer klockan."]),
        # Vowel marks, articles and endings at an apostrophe, Korean endings.
        ("ar", KITCHEN, ["نزلوا بواحةٍ خضراء.", "كانت الواحةُ هادئة."]),
        ("fr", BEDROOM, ["Ils entrèrent dans l'usine.", "C'était donc cela, l'usine."]),
        ("tr", MEADOW, ["Kapalıçarşı'nın ortası burası.", "Çarşıda tarçın kokusu vardı."]),
        ("ko", SHED, ["지금 우주 정거장입니다!", "우주 정거장 창밖으로 지구가 보입니다."]),
        # The name, and then a part of it.
        ("pt", KITCHEN, ["Estavam numa nave espacial.", "A nave balançava."]),
        # One word that goes loosely with a place is not enough: a shop is no supermarket.
        ("en", STREET, ["They stood in the supermarket.", "The supermarket hummed."]),
    ],
)
def test_a_place_that_no_picture_shows(language, shown, texts):
    found = newcomer(texts, [shown, shown], "", "", language)
    assert "which no picture shows" in found


CLASSROOM = caption("a classroom", "A girl with a red hat writes on the blackboard.")
STALLS = caption("a row of stalls", "A girl with a red hat buys apples from a fruit seller.")
BOOKS = caption("a room full of books", "A girl with a red hat climbs a ladder to a high shelf.")
PEWS = caption("a hall with pews", "A girl with a red hat kneels in front of an altar.")
STATUES = caption("a hall of statues", "A girl with a red hat looks up at a dinosaur skeleton.")
COWS = caption("a barn", "A girl with a red hat milks a cow.")
NURSE = caption("a white corridor", "A girl with a red hat follows a nurse with a trolley.")
GRAPES = caption("rows of vines", "A girl with a red hat picks dark grapes.")
STAGE = caption("a stage", "A girl with a red hat bows in a spotlight.")
CRATER = caption("a crater", "A girl with a red hat looks at steaming rocks.")
PIER = caption("a pier", "A girl with a red hat throws bread to the gulls.")
CELLS = caption("a cell", "A girl with a red hat looks through iron bars.")
ROCKS = caption("a dark tunnel", "A girl with a red hat holds a lantern to a rock wall.")
TOWER = caption("a tower", "A girl with a red hat rings a bell at the top of a tower.")
POOL = caption("a pool", "A girl with a red hat jumps into the water.")


@pytest.mark.parametrize(
    ("language", "shown", "texts"),
    [
        ("en", KITCHEN, ["After school she was hungry.", "Before school she had been sleepy."]),
        ("en", MEADOW, ["She sat down on the bank of the river.", "The bank was soft with moss."]),
        ("en", BEDROOM, ["Her room was as still as a church.", "It smelt like a church, too."]),
        ("en", STALLS, ["The market was closing.", "She loved the market."]),
        ("en", SHED, ["At this stage she gave up.", "The final stage was worse."]),
        ("en", ATTIC, ["The house creaked.", "She loved the old house and its garden."]),
        ("en", FOREST, ["She lost her way in the park.", "The park was darker than she knew."]),
        ("en", KITCHEN, ["Water, her one true bar of gold.", "She took a bar of chocolate."]),
        ("de", KITCHEN, ["Nach der Schule hatte sie Hunger.", "Nach der Schule gab es Suppe."]),
        ("de", MEADOW, ["Sie setzte sich auf die Bank.", "Die Bank war nass."]),
        ("de", BOOKS, ["Die Bibliothek war riesig.", "In der Bibliothek roch es nach Leder."]),
        ("de", SHED, ["Der Schuppen war ihr Schloss, und das Schloss klemmte.", "Sie rüttelte."]),
        ("de", KITCHEN, ["Ein Gericht dampfte.", "Das Gericht schmeckte ihr."]),
        ("fr", CLASSROOM, ["L'école était calme.", "Elle aimait cette école."]),
        ("fr", KITCHEN, ["Elle serre la cuillère.", "Elle serre aussi les dents, très fort."]),
        ("fr", BEDROOM, ["Elle voulait un café.", "Le café était froid."]),
        ("es", PEWS, ["La iglesia estaba fría.", "Rezó en la iglesia."]),
        ("es", KITCHEN, ["Le costaba pelar tanto.", "Después de la escuela, patatas."]),
        ("it", STATUES, ["Il museo era vuoto.", "Nel museo risuonavano i passi."]),
        ("it", KITCHEN, ["Prese un caffè.", "Il caffè bolliva."]),
        ("pt", COWS, ["A fazenda acordava cedo.", "Na fazenda tudo era leite."]),
        ("pt", BEDROOM, ["Vale a pena dormir.", "Tudo vale."]),
        ("ru", NURSE, ["Больница не спала.", "В больнице пахло спиртом."]),
        ("ru", KITCHEN, ["Дом был тёплый.", "После школы она вернулась домой. Сад цвёл."]),
        ("uk", BEDROOM, ["Мол, спати рано.", "Мол, ще трохи."]),
        ("pl", GRAPES, ["Winnica dojrzewała.", "W winnicy było gorąco."]),
        ("pl", KITCHEN, ["Przeczytała magazyn.", "Magazyn leżał na stole."]),
        ("cs", STAGE, ["Divadlo tleskalo.", "V divadle zhaslo světlo."]),
        ("hr", SHED, ["Luka joj je pisao.", "Luka je bio daleko."]),
        ("nl", POOL, ["Het zwembad glansde.", "In het zwembad was het koel."]),
        ("sv", KITCHEN, ["Efter skolan skalade hon potatis.", "Efter skolan var hon trött."]),
        ("da", MEADOW, ["Det var en dejlig gård at komme fra.", "Haven og gården lå bag hende."]),
        ("nb", ATTIC, ["Huset var gammelt.", "Hun elsket rommet under taket."]),
        ("fi", KITCHEN, ["Koulun jälkeen oli nälkä.", "Koulun jälkeen hän kuori perunoita."]),
        ("hu", MEADOW, ["Valaki vár rám, gondolta.", "Aki vár, az néz."]),
        ("hu", KITCHEN, ["A szél zúgott.", "A szél az ablakot verte."]),
        ("tr", BEDROOM, ["Okuldan sonra uzandı.", "Okuldan sonra hep böyle yapardı."]),
        ("el", CRATER, ["Το ηφαίστειο κάπνιζε.", "Κοίταξε το ηφαίστειο."]),
        ("ro", PIER, ["Portul era plin de pescăruși.", "În port sufla vântul."]),
        ("ar", KITCHEN, ["بعد المدرسة شعرت بالجوع.", "بعد المدرسة قشّرت البطاطا."]),
        ("he", KITCHEN, ["היא בישלה ביצה.", "הביצה הייתה חמה."]),
        ("fa", BEDROOM, ["یک کتاب خواند.", "کتاب روی تخت افتاد."]),
        ("hi", STALLS, ["बाज़ार में भीड़ थी।", "उसे बाज़ार पसंद था।"]),
        ("id", CELLS, ["Penjara itu gelap.", "Di penjara tidak ada jendela."]),
        ("vi", ROCKS, ["Hang động tối om.", "Trong hang động có tiếng nước."]),
        ("zh", KITCHEN, ["放学后她很饿。", "学校像一只大钟，她想。"]),
        ("ja", KITCHEN, ["学校の帰りにお腹がすいた。", "家の台所は暖かかった。"]),
        ("ko", KITCHEN, ["집에 오니 시장했다.", "시장해서 감자를 깎았다."]),
        ("th", PEWS, ["โบสถ์เงียบมาก", "เธอคุกเข่าในโบสถ์"]),
        ("sw", KITCHEN, ["Baada ya shule alikuwa na njaa.", "Nyumba ilikuwa na joto."]),
        ("en", BEDROOM, ["The moon was white.", "She looked at the moon again."]),
        ("en", TOWER, ["They walked past the church.", "The church was dark."]),
        ("es", PIER, ["El mar estaba en calma.", "El mar olía a sal."]),
        # Swedish "skulle" (should) is no form of "skola", Italian "chiese" none of "chiesa".
        ("sv", KITCHEN, ["Hon skulle skala allt.", "Inte skulle hon äta."]),
        ("it", KITCHEN, ["La bambina chiese il sale.", "Poi chiese scusa."]),
        # Comparisons, and pegs (claws) and a shell, which are words of the sea, too.
        ("en", KITCHEN, ["Peels as long as the sea.", "She sailed through them."]),
        ("fr", KITCHEN, ["Il prit les pinces, lourd comme une baleine.", "La coquille craqua."]),
    ],
)
def test_a_place_that_a_picture_shows_or_that_is_only_mentioned(language, shown, texts):
    assert newcomer(texts, [shown, shown], "", "", language) == ""


def test_where_there_is_a_street_and_a_rooftop_there_may_be_a_city():
    texts = ["The city did what cities do.", "She looked down on the town."]
    roof = caption("a rooftop", "A girl with a red hat hangs up shirts on a rooftop.")
    assert newcomer(texts, [STREET, roof], "", "", "en") == ""
    assert newcomer(texts, [MEADOW, KITCHEN], "", "", "en")


LONG = [caption("a kitchen", "A girl bakes a cake.")] * 8
AT_HOME = ["Mia stirred the dough."] * 7


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Soon she was sitting in the waiting room of an airport."),
        ("de", "Gleich darauf stand sie in einer Wüste."),
        ("fr", "Elle se retrouva dans un cimetière."),
        ("ru", "И вот она уже в пустыне."),
        ("hu", "Egyszer csak egy sivatagban állt."),
        ("ja", "気がつくと、砂漠に立っていました。"),
        ("ko", "어느새 사막에 서 있었다."),
        ("hi", "अगले ही पल वह रेगिस्तान में थी।"),
    ],
)
def test_of_many_texts_one_may_say_that_somebody_is_elsewhere(language, text):
    assert "which no picture shows" in newcomer([*AT_HOME, text], LONG, "", "", language)
    assert newcomer([text], LONG[:1], "", "", language) == ""  # the next picture may show it


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "It was hot like in a desert."),
        ("de", "Es war trocken wie in einer Wüste."),
        ("en", "She thought of the sea."),
    ],
)
def test_one_text_may_mention_another_place(language, text):
    assert newcomer([*AT_HOME, text], LONG, "", "", language) == ""
