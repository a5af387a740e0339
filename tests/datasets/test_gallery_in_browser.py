"""The page as a person uses it, in Chromium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.datasets.made import triplet, triplets
from tests.datasets.test_gallery import gallery_of
from triptych.datasets.gallery import write_gallery
from triptych.ledger.images import ImageStore

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOSTILE = "</script><script>window.harmed = 1</script> \"add\" <img src=x onerror='window.harmed = 1'>"

playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright isn't installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    images = ImageStore(folder / "images")
    tall = [triplet(30 + n, images, instruction=f"Make it taller {n}", width=32, height=80) for n in range(3)]
    wide = [triplet(60, images, instruction=HOSTILE, prompt="a bridge", width=800, height=320)]
    made = [*triplets(9, images), *tall, *wide]
    write_gallery(folder / "report.html", gallery_of(images, made))
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright_api.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any, run_folder: Path) -> Iterator[Any]:
    with browser.new_context(viewport={"width": 1200, "height": 800}) as context:
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto((run_folder / "report.html").as_uri())
        page.wait_for_selector("#grid .card")
        yield page
        assert errors == []


def shown(page: Any) -> int:
    return int(page.locator("#grid .card:visible").count())


def state(page: Any) -> str:
    return str(page.evaluate("location.hash"))


def test_search_categories_and_scores_filter_and_live_in_the_address(page: Any) -> None:
    assert shown(page) == 13
    page.fill("[name=q]", "taller")
    assert shown(page) == 3
    assert page.inner_text(".found [role=status]") == "3 of 13 triplets"
    page.click(".found button")
    assert (shown(page), state(page)) == (13, "")

    page.click("[data-category=season]")
    page.click("[data-category=add_object]")
    season_or_add = shown(page)
    assert 0 < season_or_add < 13
    assert "category=season" in state(page)
    page.select_option("[name=style]", "oil painting")
    assert 0 < shown(page) < season_or_add
    address, kept = page.url, shown(page)
    page.goto("about:blank")
    page.goto(address)
    assert shown(page) == kept
    assert page.get_attribute("[data-category=season]", "aria-pressed") == "true"

    page.click(".found button")
    page.locator("[name=low]").fill("4.82")
    assert 0 < shown(page) < 13
    assert "low=4.82" in state(page)
    page.fill("[name=q]", "no such thing")
    assert shown(page) == 0
    assert page.is_visible(".nothing")


def test_sorting_by_score(page: Any) -> None:
    page.select_option("[name=sort]", "best")
    scores = [float(text) for text in page.locator("#grid .score b").all_inner_texts()]
    assert scores == sorted(scores, reverse=True)


def test_hover_and_space_show_the_other_picture_in_place(page: Any) -> None:
    card = page.locator("#grid .card").first
    after = card.locator(".after")
    own, other = after.locator("img").first, after.locator("img.other")
    before_source = card.locator(".before img").first.get_attribute("src")
    page.mouse.move(0, 0)
    after.hover()
    assert other.get_attribute("src") == before_source != own.get_attribute("src")
    assert other.evaluate("image => getComputedStyle(image).visibility") == "visible"
    assert after.locator(".tag").inner_text() == "before"
    page.mouse.move(0, 0)
    assert other.evaluate("image => getComputedStyle(image).visibility") == "hidden"

    card.locator(".pair").focus()
    page.keyboard.down(" ")
    assert "swapped" in str(after.get_attribute("class"))
    page.keyboard.up(" ")
    assert "swapped" not in str(after.get_attribute("class"))
    assert not page.locator("#viewer").evaluate("dialog => dialog.open")  # space compares, Enter opens


def test_the_large_view_opens_walks_compares_and_closes(page: Any, run_folder: Path) -> None:
    page.select_option("[name=sort]", "mined")
    page.locator("#grid .pair").nth(1).click()
    viewer = page.locator("#viewer")
    assert viewer.locator(".instruction").inner_text() == "Add duck 1"
    page.wait_for_function(
        "document.querySelector('#viewer .after img').src.includes('/images/')"
    )  # full pixels
    assert page.evaluate("document.querySelector('#viewer .after img').naturalWidth") == 48
    page.keyboard.press("ArrowRight")
    assert viewer.locator(".instruction").inner_text() == "Add duck 2"
    assert "open=" in state(page)
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    assert viewer.locator(".instruction").inner_text() == HOSTILE  # round the end

    box = page.locator(".stage .before").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    cut = page.locator(".stage .after").evaluate("layer => parseFloat(layer.style.getPropertyValue('--cut'))")
    assert cut == pytest.approx(25, abs=1)
    page.keyboard.down(" ")
    assert page.locator(".stage .after").evaluate("layer => getComputedStyle(layer).visibility") == "hidden"
    page.keyboard.up(" ")
    page.keyboard.press("3")
    before, after = (page.locator(f".stage .{side}").bounding_box() for side in ("before", "after"))
    assert after["y"] >= before["y"] + before["height"]  # a wide pair stands one above the other
    address = page.url
    page.keyboard.press("Escape")
    assert not viewer.evaluate("dialog => dialog.open")
    page.wait_for_function("location.hash === '#sort=mined'")  # told by the dialog's close event
    page.goto("about:blank")
    page.goto(address)
    assert page.locator("#viewer .instruction").inner_text() == HOSTILE


def test_instructions_do_no_harm(page: Any) -> None:
    page.get_by_text("window.harmed").first.wait_for()
    assert page.evaluate("window.harmed") is None


def test_rejected_pairs_open_too(page: Any) -> None:
    page.locator("[data-reason=dust] .pair").first.click()
    assert "(dust)" in page.locator("#viewer .instruction").inner_text()
    assert "of 6" in page.locator("#viewer .facts").inner_text()


@pytest.mark.parametrize("width", [360, 700, 1200, 1920])
def test_cards_keep_the_aspect_and_stay_inside_the_page(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.wait_for_timeout(100)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for pane in page.locator("#grid .pane").all():
        box = pane.bounding_box()
        card = pane.locator("xpath=ancestor::article").evaluate("card => card.pair.width / card.pair.height")
        assert box["width"] / box["height"] == pytest.approx(card, rel=0.03)
        assert box["width"] > 60


def test_without_the_image_folder_the_thumbnails_serve(
    browser: Any, run_folder: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "report.html"
    alone.write_bytes((run_folder / "report.html").read_bytes())
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(alone.as_uri())
        page.locator("#grid .pair").first.click()
        page.wait_for_timeout(200)
        assert page.evaluate("document.querySelector('#viewer .after img').naturalWidth") == 48
        assert page.locator("#viewer .after img").get_attribute("src").startswith("data:image/jpeg")
