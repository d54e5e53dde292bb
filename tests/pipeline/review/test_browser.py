"""A whole session in a real browser: merge, name, reject, edit, leave out, undo, run again.

Other tests run beside it, so it takes little of the machine. It is one test: of the workers of a
test run one alone draws the films and starts a browser. A browser is open only while somebody
looks, not during the runs in between, and it may not raise its own priority, as Chromium does as
root (to -8), which starves all else on a machine with two cores.

With `REVIEW_PICTURES` set to a folder, the films are whole and have titles that one would show, and
pictures of the pages are written there: docs/review.md has three of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline import sample
from pipeline.config import load
from pipeline.dataset.verify import verify
from pipeline.graph import run
from pipeline.ingest import discovery
from pipeline.review.library import Library
from tests.pipeline.review.serving import served
from tests.pipeline.runs import IN_MEMORY

sync_api = pytest.importorskip("playwright.sync_api")
axe_core = pytest.importorskip("axe_playwright_python.sync_playwright")

expect = sync_api.expect
expect.set_options(timeout=60_000)  # machines may be busy
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
WITHOUT_PRIORITY = (
    "setpriv --bounding-set -sys_nice --inh-caps -sys_nice --"
    if os.geteuid() == 0 and shutil.which("setpriv")
    else ""
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None,
        reason=f"there is no Chromium: {os.environ.get('NO_CHROMIUM', 'apt-get install chromium')}",
    ),
]
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
PICTURES = os.environ.get("REVIEW_PICTURES")
CPU = 40  # seconds that browser and driver may use in all; about 10 are needed
# A film's title
TITLE = "The Lost Balloon" if PICTURES else '</b><img src=x onerror="document.title=1">Ω'


def make(place: Path) -> None:
    config = load("", [])
    assert (
        run.run(*discovery.find(str(place / "films")), config, str(place / "out"), IN_MEMORY) == 0
    )


def rows(place: Path, table: str) -> list[dict]:
    return pq.read_table(place / "out" / f"{table}.parquet").to_pylist()


def name_a_film(place: Path, title: str) -> None:
    """Gives the first film another title, until the next run."""
    file = place / "out" / "dataset.json"
    manifest = json.loads(file.read_text())
    manifest["videos"][0]["title"] = title
    file.write_text(json.dumps(manifest))


@contextlib.contextmanager
def opened(place: Path, name: str, seconds: list[float]) -> Iterator[tuple]:
    """Serves the pages and opens a browser; yields a page and the address.

    Adds to `seconds` what CPU time browser and driver have used.
    """
    chromium = place / "chromium"
    chromium.write_text(f'#!/bin/sh\nexec {WITHOUT_PRIORITY} "{CHROMIUM}" "$@"\n')
    chromium.chmod(0o755)
    with served(place / "out", "--by", name) as address:
        before = children_cpu()
        with sync_api.sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport=WIDE)
            page.set_default_timeout(60_000)
            wrong: list[str] = []
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on(
                "console",
                lambda message: (
                    wrong.append(message.text)
                    if message.type == "error" and "409 (Conflict)" not in message.text
                    else None
                ),
            )
            yield page, address
            browser.close()
        seconds.append(children_cpu() - before)
    assert not wrong


def children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def accessible(page, name: str = "") -> None:
    """Checks a page with axe, and that nothing is wider than the window: wide, then as a phone."""
    for size, suffix in ((WIDE, ""), (PHONE, "-phone")):
        page.set_viewport_size(size)
        found = axe_core.Axe().run(page).response["violations"]
        assert not [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found]
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= page.viewport_size["width"]
        look(page, name and name + suffix)
    page.set_viewport_size(WIDE)


def look(page, name: str) -> None:
    if PICTURES and name:
        page.wait_for_load_state("networkidle")
        expect(page.locator("#note")).to_be_hidden()
        height = page.evaluate("document.documentElement.scrollHeight")  # the bar is at its end
        page.set_viewport_size({"width": page.viewport_size["width"], "height": height})
        page.screenshot(path=Path(PICTURES) / f"review-{name}.jpg", quality=85)


def told(page, text: str) -> None:
    expect(page.locator("#note")).to_have_text(text)


def why(page, reason: str) -> None:
    page.get_by_label(reason).check()
    page.locator("#why-yes").click()


def who_is_who(page, address: str) -> tuple[str, str]:
    """Merges two characters, takes it back, names one; returns the first and the old name."""
    page.goto(f"{address}cast")
    cards = page.locator(".member")
    expect(cards.first).to_be_visible()
    names = [card.locator("h3").inner_text() for card in cards.all()]
    cards.last.drag_to(cards.first)
    expect(page.locator("#ask-title")).to_have_text("The same character?")
    page.locator("#ask-yes").click()
    told(page, f"{names[-1]} is {names[0]}.")
    offered = page.get_by_label(f"{names[1]} is the same as").locator("option").all_inner_texts()
    assert offered.count(names[0]) == 1  # two cards have this name now
    accessible(page, "cast")
    page.locator(".plainlist .link").first.click()
    told(page, "Taken back.")
    page.get_by_label(f"{names[-1]} is no character").click()
    expect(page.locator("#ask-text")).to_have_text(
        f"{names[-1]} is left out of the cast; who speaks in the subtitles stays."
    )
    page.locator("#ask-no").click()
    page.get_by_label(f"Name {names[-1]}", exact=True).click()
    page.locator("#ask-name").fill("Bartholomew")
    page.locator("#ask-yes").click()
    told(page, f"{names[-1]} is Bartholomew.")
    return names[0], names[-1]


def edit_and_accept(page, pictures: int) -> str:
    """Edits a sentence, takes the writer's words for another, begins a scene, accepts; returns the
    writer's words."""
    expect(page.locator("#number")).to_have_text(f"1 of {pictures}")
    expect(page.locator("#title")).to_have_text(TITLE)
    page.keyboard.press("ArrowRight")
    expect(page.locator("#number")).to_have_text(f"2 of {pictures}")
    page.keyboard.press("e")
    page.keyboard.press("Control+a")
    page.keyboard.type("Pip looked for <b>his red ball</b>.")
    for key in ("n", "a"):  # neither leaves the sentence behind
        page.locator("#text").blur()
        page.keyboard.press(key)
        told(page, "Save the sentence or discard the change first.")
        expect(page.locator("#text")).to_be_focused()
    page.locator("header .brand").click()
    told(page, "Save the sentence or discard the change first.")
    edit_as_another(page, "Bea", "Pip looked for nothing.")
    page.keyboard.press("Control+Enter")
    told(page, "Bea has decided to edit here since. Look at it again.")
    expect(page.locator("#text")).to_have_value("Pip looked for <b>his red ball</b>.")
    page.keyboard.press("Control+Enter")
    told(page, "The sentence is saved.")
    expect(page.locator("#edited")).to_have_text("edited")
    expect(page.locator("#text")).not_to_be_focused()
    page.keyboard.press("s")
    expect(page.locator("#offered button").first).to_be_visible()
    accessible(page, "story")
    page.locator("#offered button").first.click()
    told(page, "Another frame is in its place.")
    expect(page.locator("#image")).to_be_in_viewport(ratio=0.9)
    page.keyboard.press("u")
    told(page, "Taken back.")

    page.keyboard.press("ArrowRight")
    expect(page.locator("#number")).to_have_text(f"3 of {pictures}")
    page.keyboard.press("w")
    expect(page.locator("#use")).to_be_focused()
    words = page.locator("#suggested").inner_text()
    assert words and words != page.locator("#text").input_value()
    accessible(page, "suggestion")
    page.keyboard.press("Enter")
    told(page, "The sentence is saved.")
    expect(page.locator("#text")).to_have_value(words)
    page.locator("body").focus()
    begins = page.locator("#scene").get_attribute("aria-pressed") == "true"
    page.keyboard.press("b")
    told(page, "No scene begins here." if begins else "A scene begins here.")
    page.locator("#ask-story").click()
    expect(page.locator("#retold-list li").first).to_be_visible()
    accessible(page, "retold")
    page.locator("#retold-close").click()
    page.keyboard.press("a")
    told(page, "Accepted.")
    return words


def edit_as_another(page, name: str, text: str) -> None:
    """Edits the sentence of a story's second picture in another browser."""
    other = page.context.browser.new_page(viewport=WIDE)
    other.goto(f"{page.url}&by={name}")
    expect(other.locator("#number")).to_contain_text("1 of")
    other.keyboard.press("ArrowRight")
    other.locator("#text").fill(text)
    other.locator("#save").click()
    told(other, "The sentence is saved.")
    other.close()


def judge_two_more(page, second: str, third: str) -> None:
    page.keyboard.press("n")
    page.wait_for_url(f"**/story?id={second}")
    expect(page.locator("#judged")).to_have_text("Not judged yet.")
    page.locator("#drop").click()
    why(page, "The pictures are wrong")
    told(page, "Left out.")
    page.keyboard.press("r")
    page.keyboard.press("Enter")  # stores no reason that nobody chose
    expect(page.locator("#why")).to_be_visible()
    why(page, "It does not hold together")
    told(page, "Rejected.")
    page.keyboard.press("u")
    told(page, "Taken back.")
    expect(page.locator("#judged")).to_have_text("Not judged yet.")
    page.keyboard.press("n")
    page.wait_for_url(f"**/story?id={third}")
    expect(page.locator("#judged")).to_have_text("Not judged yet.")
    page.keyboard.press("r")
    why(page, "It does not hold together")
    told(page, "Rejected.")


def test_a_session(tmp_path):
    place, seconds = tmp_path, []
    episodes, shots = (4, None) if PICTURES else (3, 14)
    sample.draw(str(place / "films"), episodes, 0, shots)
    make(place)
    with opened(place, "Ann", seconds) as (page, address):
        first_name, old_name = who_is_who(page, address)
    make(place)
    seen = {row["name"] for row in rows(place, "cast")}
    assert "Bartholomew" in seen and old_name not in seen and first_name in seen

    before = {row["id"]: row for row in rows(place, "stories")}
    scenes = len(rows(place, "scenes"))
    first, second, third = list(before)[:3]
    name_a_film(place, TITLE)
    with opened(place, "Ann", seconds) as (page, address):
        page.goto(address)
        expect(page.locator("#stories li")).to_have_count(len(before))
        expect(page.locator("#waiting")).to_be_empty()
        page.locator("#stories a").first.click()
        words = edit_and_accept(page, len(before[first]["images"]))
        judge_two_more(page, second, third)
        page.goto(address)
        expect(page.locator(".status.rejected")).to_have_count(1)
        accessible(page, "stories")
        page.goto(f"{address}compare")
        expect(page.locator("#pages-b li").first).to_be_visible()
        accessible(page, "compare")
        page.goto(f"{address}?status=rejected&by=Bea")  # others see what was decided
        expect(page.locator("#count")).to_have_text("1 story")

    make(place)
    after = {row["id"]: row for row in rows(place, "stories")}
    assert first in after and third not in after
    assert after[first]["captions"][1:3] == ["Pip looked for <b>his red ball</b>.", words]
    assert len(after[second]["images"]) == len(before[second]["images"]) - 1
    assert abs(len(rows(place, "scenes")) - scenes) == 1
    reasons = [(row["key"], row["reason"]) for row in rows(place, "rejects")]
    assert (third, "rejected") in reasons
    assert not verify(str(place / "out")).problems
    assert Library(str(place / "out")).waiting() == 0
    assert sum(seconds) < CPU
