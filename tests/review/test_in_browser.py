"""The page as a person uses it, in Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.mining.test_loop import recipe
from tests.review.conftest import mine_apart, serving, shot, until, when
from tests.review.hostile import HOSTILE
from triptych.recipe import RoleRecipe
from triptych.runs import mine, open_run

Open = Callable[..., Any]
LIT = """() => {
  const { width, height } = document.querySelector("canvas");
  const { data } = document.querySelector("canvas").getContext("2d").getImageData(0, 0, width, height);
  return data.filter((value, i) => i % 4 === 0 && value > 0).length / (width * height);
}"""  # share of the heat map that isn't black


@pytest.fixture(scope="module")
def url(mined: Path) -> Iterator[str]:
    with serving([mined], audit=10) as address:
        yield address


def test_the_overview_counts_and_links(opened: Open, url: str, mined: Path) -> None:
    page = opened(url)
    page.wait_for_selector(".funnel")
    with open_run(mined) as run:
        funnel = run.view().funnel
    for stage, count in funnel.items():
        assert page.inner_text(f"[data-stage={stage}] .count") == f"{count:,}"
    shot(page, "overview")
    page.click("[data-stage=soft_filter] a")
    page.wait_for_selector(".card [data-id]")
    assert page.inner_text(".found [role=status]").startswith(f"{funnel['soft_filter']} ")
    assert "passed=soft_filter" in page.url
    page.go_back()
    page.wait_for_selector(".funnel")


def test_filters_live_in_the_address_and_survive_a_reload(opened: Open, url: str) -> None:
    page = opened(url + "?view=grid")
    page.wait_for_selector(".card [data-id]")
    all_kept = page.inner_text(".found [role=status]")
    page.select_option("[name=kind]", "inverse")
    when(page, f"document.querySelector('.found [role=status]').innerText !== {all_kept!r}")
    page.fill("input[type=search]", "reverse")
    page.select_option("[name=sort]", "-score")
    when(page, "location.search.includes('sort=-score')")
    page.wait_for_selector(".card [data-id]")
    kept = page.inner_text(".found [role=status]"), page.locator(".card .instruction").all_inner_texts()
    scores = [float(text) for text in page.locator(".card .score b:first-child").all_inner_texts()]
    page.reload()
    page.wait_for_selector(".card [data-id]")
    again = page.inner_text(".found [role=status]"), page.locator(".card .instruction").all_inner_texts()
    assert again == kept
    assert scores
    shot(page, "grid")
    page.fill("input[type=search]", "no such thing")
    page.wait_for_selector(".empty")
    shot(page, "grid-empty")
    page.locator("input[type=search]").press("Escape")
    page.keyboard.press("x")
    page.wait_for_selector(".card [data-id]")
    assert page.inner_text(".found [role=status]") == all_kept


def test_the_grid_is_walked_by_keyboard_and_holds_few_cards(opened: Open, url: str) -> None:
    page = opened(url + "?view=grid&all=1&kind=forward,source")
    page.wait_for_selector(".card [data-id]")
    total = int(page.inner_text(".found [role=status]").split()[0].replace(",", ""))
    assert page.locator(".card").count() < total  # only those in sight exist

    def walked_far() -> bool:  # as a person does: on, until it is there
        page.keyboard.press("ArrowDown")
        return bool(page.evaluate("document.activeElement.dataset.place > 10"))

    until(walked_far)
    assert page.evaluate("scrollY") > 0
    page.keyboard.press("Enter")
    page.wait_for_selector(".triplet")
    assert "id=" in page.url
    page.keyboard.press("Escape")
    page.wait_for_selector(".card [data-id]")


def test_the_triplet_is_compared_in_four_ways_zoomed_and_walked(opened: Open, url: str) -> None:
    page = opened(url + "?view=grid&kind=forward&stage=kept")
    page.locator(".card [data-id]").first.click()
    page.wait_for_selector(".attempt")
    assert page.locator(".stage .pane img").count() == 2
    when(page, "document.querySelector('.stage img').src.includes('/full/')")
    shot(page, "triplet")

    first = page.get_attribute(".triplet", "data-id")
    page.keyboard.press("ArrowRight")
    when(page, f"document.querySelector('.triplet').dataset.id !== '{first}'")
    page.keyboard.press("ArrowLeft")
    when(page, f"document.querySelector('.triplet').dataset.id === '{first}'")

    page.keyboard.press("+")
    page.wait_for_selector(".tag.zoom")
    widths = [
        pane.evaluate("image => image.style.width + image.style.left")
        for pane in page.locator(".stage img").all()
    ]
    assert len(set(widths)) == 1  # both at once
    page.keyboard.press("0")
    page.wait_for_selector(".tag.zoom", state="detached")

    page.keyboard.press("2")
    page.wait_for_selector(".handle")
    box = page.locator(".stage").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2 + 40, box["y"] + box["height"] / 2)
    middle = box["width"] / 2 + 40
    when(page, f"Math.abs(parseFloat(document.querySelector('.handle').style.left) - {middle}) < 2")
    page.keyboard.down(" ")
    when(page, "document.querySelector('.pane.after').style.visibility === 'hidden'")
    page.keyboard.up(" ")
    when(page, "document.querySelector('.pane.after').style.visibility !== 'hidden'")

    page.keyboard.press("4")
    when(page, "document.querySelector('canvas.difference')?.width > 1")
    when(page, f"({LIT})() > 0.05")
    shot(page, "difference")
    page.keyboard.press("1")
    page.keyboard.press("m")
    page.wait_for_selector("canvas.mask")
    assert "mask=1" in page.url


def test_the_lineage_is_walked_to_the_inverse_and_back(opened: Open, url: str) -> None:
    page = opened(url + "?view=grid&kind=inverse")
    page.locator(".card [data-id]").first.click()
    page.wait_for_selector(".lineage")
    inverse = page.get_attribute(".triplet", "data-id")
    page.locator(".lineage > div").first.locator("a").first.click()
    when(page, f"document.querySelector('.triplet').dataset.id !== '{inverse}'")
    page.wait_for_selector(f".lineage a[href*='{inverse}']")
    page.locator(f".lineage a[href*='{inverse}']").click()
    when(page, f"document.querySelector('.triplet').dataset.id === '{inverse}'")


VIEWS = ["overview", "grid", "triplet", "rate", "compare", "audit"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_view_fits_its_width_and_says_what_its_pictures_are(
    opened: Open, url: str, width: int, scheme: str
) -> None:
    page = opened(url + "?view=grid&kind=forward", width=width, scheme=scheme)
    page.wait_for_selector(".card [data-id]")
    shown = page.locator(".card [data-id]").first.get_attribute("data-id")
    ready = {
        "overview": ".funnel",
        "grid": ".card [data-id]",
        "triplet": ".lineage",
        "rate": ".judge",
        "compare": "[data-both]",
        "audit": ".judge",
    }
    for view in VIEWS:
        page.goto(f"{url}?view={view}&id={shown}&kind=forward&rater=ann")
        page.wait_for_selector(ready[view])
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate("[...document.images].every((one) => one.hasAttribute('alt'))")
        shot(page, f"{view}-{width}-{scheme}")
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, background[4:-1].split(","))) < 200) == (scheme == "dark")


def test_instructions_are_text_never_markup(opened: Open, tmp_path: Path) -> None:
    folder = tmp_path / "hostile"
    writer = {"backend": "tests.review.hostile:HostileWriter"}
    mine_apart(
        recipe(scenes=1, multiply={"inverse": True}).model_copy(update={"writer": RoleRecipe(**writer)}),
        folder,
    )
    with serving([folder]) as address:
        page = opened(address + "?view=grid&all=1")
        page.wait_for_selector(".card .instruction")
        page.goto(address + "?view=grid&kind=forward&all=1")
        page.locator(".card [data-id]").first.click()
        page.wait_for_selector(".lineage")
        assert HOSTILE in page.inner_text("h1.instruction")
        assert page.evaluate("window.harmed") is None
        assert page.locator("main img[src='x']").count() == 0


def test_a_run_that_is_still_being_mined_grows_on_the_page(opened: Open, tmp_path: Path) -> None:
    folder = tmp_path / "growing"
    slow = {"editor": {"latency": 0.05}}
    first = recipe(slow, scenes=1)
    mine_apart(first, folder)
    with serving([folder]) as address:
        page = opened(address)
        page.wait_for_selector(".funnel")
        before = int(page.inner_text("[data-stage=attempts] .count"))
        assert before > 0
        with ThreadPoolExecutor(1) as apart:
            mining = apart.submit(mine, recipe(slow, scenes=5), folder)
            count = "+document.querySelector('[data-stage=attempts] .count').innerText"
            when(page, f"{count} > {before}", 40)
            shot(page, "live")
            mining.result()
        with open_run(folder) as run:
            made = run.view().funnel["attempts"]
        when(page, f"{count} === {made}", 40)
    assert made > before
