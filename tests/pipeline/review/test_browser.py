"""A whole session in a real browser: merge, name, reject, edit, leave out, undo, run again.

It runs if `REVIEW_BROWSER` is set: a browser takes both cores of a small machine, and tests that
run beside it then wait for too long. With `REVIEW_PICTURES` set to a folder, the pictures of
docs/review.md are written there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline import sample
from pipeline.dataset.verify import verify
from tests.pipeline.review.serving import ENVIRONMENT, served

sync_api = pytest.importorskip("playwright.sync_api")
axe_core = pytest.importorskip("axe_playwright_python.sync_playwright")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("REVIEW_BROWSER" not in os.environ, reason="no browser was asked for"),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: apt-get install chromium"),
]
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Two episodes of the sample cartoon, and a dataset of them."""
    folder = tmp_path_factory.mktemp("session")
    sample.draw(str(folder / "films"), 2, 0)
    make(folder)
    return folder


def make(place: Path) -> None:
    """Runs the pipeline in a process of its own: here, playwright has its event loop."""
    command = [sys.executable, "-m", "pipeline", "dataset"]
    command += ["--videos", str(place / "films"), "--out", str(place / "out")]
    command += ["--direct_running_mode=in_memory"]  # no workers to start
    subprocess.run(command, check=True, env=ENVIRONMENT)


def rows(place: Path, table: str) -> list[dict]:
    return pq.read_table(place / "out" / f"{table}.parquet").to_pylist()


@pytest.fixture
def page():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport=WIDE)
        page.set_default_timeout(30_000)
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "console",
            lambda message: wrong.append(message.text) if message.type == "error" else None,
        )
        yield page
        browser.close()
    assert not wrong


def accessible(page) -> None:
    """Checks a page with axe, and that nothing is wider than the window."""
    found = axe_core.Axe().run(page).response["violations"]
    assert not [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found]
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"]


def look(page, name: str) -> None:
    if folder := os.environ.get("REVIEW_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def told(page, text: str) -> None:
    sync_api.expect(page.locator("#note")).to_have_text(text)


def why(page, reason: str) -> None:
    page.get_by_label(reason).check()
    page.locator("#why-yes").click()


def test_a_session(place, page):
    with served(place / "out", "--by", "Ann") as address:  # first who is who
        page.goto(f"{address}cast")
        cards = page.locator(".member")
        sync_api.expect(cards.first).to_be_visible()
        names = [card.locator("h3").inner_text() for card in cards.all()]
        cards.last.drag_to(cards.first)
        sync_api.expect(page.locator("#ask-title")).to_have_text("The same character?")
        page.locator("#ask-yes").click()
        told(page, f"{names[-1]} is {names[0]}.")
        look(page, "review-cast")
        accessible(page)
        page.locator(".plainlist .link").first.click()
        told(page, "Taken back.")
        page.get_by_label(f"Name {names[-1]}", exact=True).click()
        page.locator("#ask-name").fill("Bartholomew")
        page.locator("#ask-yes").click()
        told(page, f"{names[-1]} is Bartholomew.")
    make(place)
    seen = {row["name"] for row in rows(place, "cast")}
    assert "Bartholomew" in seen and names[-1] not in seen and names[0] in seen

    before = {row["id"]: row for row in rows(place, "stories")}
    first, second, third = list(before)[:3]
    with served(place / "out", "--by", "Ann") as address:  # then the stories
        page.goto(address)
        sync_api.expect(page.locator("#stories li")).to_have_count(len(before))
        sync_api.expect(page.locator("#waiting")).to_be_empty()
        accessible(page)
        page.locator("#stories a").first.click()
        sync_api.expect(page.locator("#number")).to_have_text("1 of 30")
        page.keyboard.press("ArrowRight")
        sync_api.expect(page.locator("#number")).to_have_text("2 of 30")
        page.keyboard.press("e")
        page.keyboard.press("Control+a")
        page.keyboard.type("Pip looked for <b>his red ball</b>.")
        page.keyboard.press("Control+Enter")
        told(page, "The sentence is saved.")
        sync_api.expect(page.locator("#edited")).to_have_text("edited")
        page.locator("#text").blur()
        page.keyboard.press("s")
        sync_api.expect(page.locator("#offered button").first).to_be_visible()
        page.wait_for_load_state("networkidle")
        look(page, "review-story")
        accessible(page)
        page.locator("#keep").click()
        page.keyboard.press("a")
        told(page, "Accepted.")

        page.keyboard.press("n")
        page.wait_for_url(f"**/story?id={second}")
        sync_api.expect(page.locator("#judged")).to_have_text("Not judged yet.")
        page.locator("#drop").click()
        why(page, "The pictures are wrong")
        told(page, "Left out.")
        page.keyboard.press("r")
        why(page, "It does not hold together")
        told(page, "Rejected.")
        page.keyboard.press("u")
        told(page, "Taken back.")
        sync_api.expect(page.locator("#judged")).to_have_text("Not judged yet.")

        page.keyboard.press("n")
        page.wait_for_url(f"**/story?id={third}")
        sync_api.expect(page.locator("#judged")).to_have_text("Not judged yet.")
        page.keyboard.press("r")
        why(page, "It does not hold together")
        told(page, "Rejected.")
        page.goto(address)
        sync_api.expect(page.locator(".status.rejected")).to_have_count(1)
        page.wait_for_load_state("networkidle")
        look(page, "review-stories")
        page.goto(f"{address}compare")
        sync_api.expect(page.locator("#pages-b li").first).to_be_visible()
        page.wait_for_load_state("networkidle")
        accessible(page)

    make(place)
    after = {row["id"]: row for row in rows(place, "stories")}
    assert first in after and third not in after
    assert after[first]["captions"][1] == "Pip looked for <b>his red ball</b>."
    assert len(after[second]["images"]) == len(before[second]["images"]) - 1
    reasons = [(row["key"], row["reason"]) for row in rows(place, "rejects")]
    assert (third, "rejected") in reasons
    assert not verify(str(place / "out")).problems

    with served(place / "out", "--by", "Bea") as address:  # others see what was decided
        page.goto(f"{address}?status=rejected")
        sync_api.expect(page.locator("#count")).to_have_text("1 story")
        sync_api.expect(page.locator("#waiting")).to_be_empty()
        page.wait_for_load_state("networkidle")


@pytest.mark.parametrize("path", ["", "story", "cast", "compare"])
def test_pages_fit_a_phone(place, page, path):
    page.set_viewport_size(PHONE)
    story = rows(place, "stories")[0]["id"]
    with served(place / "out") as address:
        page.goto(f"{address}{path}" + (f"?id={story}" if path == "story" else ""))
        page.wait_for_load_state("networkidle")
        look(page, f"phone-{path or 'stories'}")
        accessible(page)
