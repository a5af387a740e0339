"""How long the review page makes a person wait over a large run, in a real browser.

    python benchmarks/review.py [--json] [--triplets 100000] [--run DIR]

The run is made by writing facts in bulk: so many triplets that leave it, and a quarter as many attempts that
don't; its pictures are a few hundred, used again and again. `--run` keeps it in a folder, and takes one that
is there. The server is the command's own, started once; its index is built before anything is measured.

`first_picture_ms`   from opening the address of the grid until the first picture is on the screen, in a
                     browser that has nothing cached; once also without thumbnails (`cold_picture_ms`)
`next_item_ms`       from the key until the next triplet's pictures are on the screen, a second after the last
`filter_ms`          from a choice until the grid shows other rows and their number
`requests_outside`   requests to anywhere but the server
`bundle_mb`          what `--bundle` writes of this run
`read_s`             from the command until the whole run is read; `read_again_s` at the next start

Medians; `*_p95` beside them. Times are of the browser's own clock.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from numpy.typing import NDArray

from triptych.ledger.queries import SceneFacts
from triptych.ledger.run import RunFolder
from triptych.ledger.schema import TABLES
from triptych.mining.jobs import CHECKS_SPEC
from triptych.mining.opening import write_job
from triptych.mining.state import scene_state
from triptych.pixels.picture import Picture
from triptych.recipe import Recipe, dump_recipe
from triptych.records import (
    Attempt,
    Brief,
    Call,
    Edit,
    Fact,
    Pair,
    Scene,
    Signal,
    Source,
    Verdict,
    attempt_id,
    edit_id,
    pair_id,
    scene_id,
)
from triptych.review.bundle import write_bundle
from triptych.review.live import LiveRun
from triptych.wiring import plan_of, role_configs

REPOSITORY = Path(__file__).resolve().parent.parent
EDITS, PICTURES, SHAPE = 10, 300, (612, 816, 3)
CATEGORIES = ("add_object", "remove_object", "change_colour", "season", "background", "composite")
STYLES = (None, "oil painting", "watercolour", "3D render", "pencil sketch")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]

# Notes the moment at which the first picture of a card is there; runs before the page's own scripts.
WATCH = """
document.addEventListener("load", (event) => {
  if (!event.target.matches?.(".card img")) return;
  requestAnimationFrame(() => { window.firstPicture ??= performance.now(); });
}, true);
window.wait = (begin, done) => new Promise((resolve, reject) => {
  setTimeout(() => reject(new Error("it didn't come")), 20_000);
  addEventListener(begin, () => {
    const from = performance.now(), told = () => resolve(performance.now() - from);
    const look = () => (done() ? requestAnimationFrame(told) : setTimeout(look, 2));
    look();
  }, { capture: true, once: true });
});
"""
NEXT = """() => {
  const shown = () => document.querySelector(".triplet").dataset.id, id = shown();
  const pictures = () => [...document.querySelectorAll(".stage img")];
  const there = () => pictures().every((one) => one.complete && one.naturalWidth);
  window.waited = wait("keydown", () => shown() !== id && there());
}"""
FILTER = """() => {
  const shown = () => document.querySelector(".found [role=status]").innerText
    + document.querySelector(".card [data-id]")?.dataset.id;
  const before = shown();
  window.waited = wait("change", () => shown() !== before && document.querySelector(".card [data-id]"));
}"""


def recipe_of(triplets: int) -> Recipe:
    """All on the studio, which is never asked."""
    roles = ("writer", "painter", "screen", "editor", "soft_filter", "validator")
    scenes = -(-triplets * 5 // (4 * EDITS))
    fields = {
        "name": "made",
        "scenes": scenes,
        "sources_per_scene": 1,
        "edits_per_scene": EDITS,
        "attempts": 1,
    }
    return Recipe.model_validate(fields | dict.fromkeys(roles, "studio"))


def make_run(path: Path, triplets: int) -> None:
    """Facts of a run with so many triplets, written in one transaction.

    In the order of their keys: as they come, every fact would lie on another page of the database.
    """
    folder = RunFolder.create(path)
    recipe = recipe_of(triplets)
    folder.recipe.write_text(dump_recipe(recipe), encoding="utf-8")
    plan = plan_of(recipe, role_configs(recipe, path))
    chance = np.random.default_rng(0)
    store = folder.image_store()
    grain = chance.normal(0, 6, SHAPE)
    images = [store.put(picture(chance, grain)) for _ in range(PICTURES)]
    gc.disable()  # it would go through all facts again and again, and finds nothing
    facts: list[Fact] = [*plan.specs.values(), CHECKS_SPEC]
    for ordinal in range(recipe.scenes):
        facts += scene_of(plan, ordinal, images, chance)
    facts.sort(key=key_of)
    with folder.open_ledger() as ledger:
        ledger.record(facts)
    del facts
    gc.enable()


def key_of(fact: Fact) -> tuple[str, ...]:
    """Its type, and its key in the table."""
    table = TABLES[type(fact)]
    return type(fact).__name__, *(str(getattr(fact, column.name)) for column in table.primary_key)


def picture(chance: np.random.Generator, grain: NDArray[np.float64]) -> bytes:
    """Half a megapixel of soft colour with some detail."""
    coarse = chance.integers(0, 255, (9, 12, 3)).astype(np.uint8)
    soft = coarse.repeat(SHAPE[0] // 9, 0).repeat(SHAPE[1] // 12, 1)
    return Picture.from_pixels(np.clip(soft + grain, 0, 255).astype(np.uint8)).encoded("jpeg")


def scene_of(plan: Any, ordinal: int, images: list[str], chance: np.random.Generator) -> list[Fact]:
    """One scene, its source and ten attempts; every fifth fails at the validator."""
    text = f"a made scene, number {ordinal}, with a harbour and {ordinal % 97} boats"
    scene = Scene(scene_id("written", text), "written", text, STYLES[ordinal % len(STYLES)])
    said = [f"Paint boat {ordinal * EDITS + n} in another colour" for n in range(EDITS)]
    edits = tuple(
        Edit(edit_id(scene.id, words), scene.id, n, words, CATEGORIES[(ordinal + n) % len(CATEGORIES)])
        for n, words in enumerate(said)
    )
    job = write_job(plan.recipe, ordinal)
    empty = SceneFacts(scene, edits, (), (), (), {}, {}, {}, {})
    owed = scene_state(plan, ordinal, empty, [edit.id for edit in edits]).sources[0]
    before = images[ordinal % len(images)]
    source = Source(
        owed.id, 0, scene.id, plan.spec_id("painter"), owed.seed, owed.width, owed.height, before, "0" * 32
    )
    facts: list[Fact] = [
        Brief(job.id, ordinal, job.asked, scene.id, [edit.id for edit in edits]),
        scene,
        *edits,
        source,
    ]
    facts += [
        Verdict(before, asked, plan.spec_id("screen"), 0, 1.0, None, None)
        for asked in ("shows_prompt", "looks_right")
    ]
    editor, soft, strong = (plan.spec_id(role) for role in ("editor", "soft_filter", "validator"))
    for n, edit in enumerate(edits):
        after = images[int(chance.integers(len(images)))]
        pair = Pair(pair_id(before, edit.instruction, after), before, edit.instruction, after)
        attempt = attempt_id(source.id, edit.id, editor, plan.seed(0))
        low = (ordinal + n) % 5 == 0
        scores = 4 + 0.6 * chance.random(2) if low else 4.7 + 0.3 * chance.random(2)
        facts += [
            Attempt(attempt, 0, source.id, edit.id, editor, plan.seed(0), after, "0" * 32, pair.id),
            pair,
            Signal(pair.id, "low_level.changed_share", CHECKS_SPEC.id, 0.2),
            Signal(pair.id, "low_level.largest_share", CHECKS_SPEC.id, 0.9),
            *(
                Verdict(pair.id, asked, soft, 0, value, None, None)
                for asked, value in (
                    ("adherence", 4.0),
                    ("aesthetics", 3.0 + 2 * chance.random()),
                    ("unasked_change", 0.0),
                    ("pleasing", 1.0),
                )
            ),
            *(
                Verdict(pair.id, asked, strong, 0, float(value), None, None)
                for asked, value in zip(("adherence", "aesthetics"), scores, strict=True)
            ),
            Call("editor", editor, attempt, 1, "made", None, 1.0, None, 1.7e9 + ordinal, scene.id),
        ]
    return facts


@contextmanager
def served(run: Path) -> Iterator[tuple[str, float]]:
    """The command over a run; its address, and how long it took to read all."""
    began = time.monotonic()
    environment = os.environ | {"PYTHONPATH": f"{REPOSITORY / 'src'}{os.pathsep}{REPOSITORY}"}
    command = [sys.executable, "-m", "triptych.cli.main", "review", str(run), "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[1]
        try:
            while True:
                with urllib.request.urlopen(f"{url}api/runs") as answer:
                    told = json.load(answer)["runs"][0]
                if told["ready"] and not told["to_read"]:
                    break
                time.sleep(0.5)
            yield url, time.monotonic() - began
        finally:
            process.terminate()


def measured(browser: Any, url: str) -> dict[str, Any]:
    """All figures of the page."""
    outside: list[str] = []

    @contextmanager
    def page_at(path: str) -> Iterator[Any]:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.add_init_script(WATCH)
        page.on(
            "request",
            lambda asked: None if asked.url.startswith((url, "data:")) else outside.append(asked.url),
        )
        page.goto(url + path)
        yield page
        context.close()

    def first_picture() -> float:
        with page_at("?view=grid") as page:
            page.wait_for_selector(".card [data-id]", timeout=60_000)
            while (at := page.evaluate("window.firstPicture")) is None:
                time.sleep(0.01)
            return float(at)

    cold = first_picture()
    figures = spread("first_picture_ms", [first_picture() for _ in range(7)]) | {
        "cold_picture_ms": round(cold, 1)
    }
    with page_at("?view=grid") as page:
        page.wait_for_selector(".card [data-id]")
        page.locator(".card [data-id]").first.click()
        page.wait_for_selector(".lineage")
        figures |= spread("next_item_ms", [next_item(page) for _ in range(30)])
    with page_at("?view=grid") as page:
        page.wait_for_selector(".card [data-id]")
        choices: list[Callable[[Any], Any]] = [
            lambda page: page.select_option("[name=category]", "season"),
            lambda page: page.select_option("[name=category]", "composite"),
            lambda page: page.select_option("[name=stage]", "low_level"),
            lambda page: page.select_option("[name=stage]", ""),
            lambda page: page.select_option("[name=category]", ""),
            lambda page: page.select_option("[name=stage]", "kept"),
        ]
        figures |= spread("filter_ms", [choose(page, choice) for _ in range(2) for choice in choices])
    return figures | {"requests_outside": len(outside)}


def next_item(page: Any) -> float:
    """Look for a second, then go on."""
    time.sleep(1)
    page.evaluate(NEXT)
    page.keyboard.press("ArrowRight")
    return float(page.evaluate("window.waited"))


def choose(page: Any, choice: Callable[[Any], Any]) -> float:
    """Make a choice and wait for what it gives."""
    time.sleep(0.3)
    page.evaluate(FILTER)
    choice(page)
    return float(page.evaluate("window.waited"))


def spread(name: str, values: list[float]) -> dict[str, float]:
    """Median, and 95th percentile."""
    return {
        name: round(statistics.median(values), 1),
        f"{name}_p95": round(float(np.quantile(values, 0.95)), 1),
    }


def bundle_mb(run: Path, folder: Path) -> float:
    """Size of the bundle."""
    live = LiveRun(run)
    live.refresh()
    write_bundle([live], folder / "site")
    live.close()
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6, 1)


def main() -> None:
    """Make, measure, tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--triplets", type=int, default=100_000)
    parser.add_argument("--run", type=Path)
    asked = parser.parse_args()
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as scratch:
        run = asked.run or Path(scratch) / "run"
        if not (run / "ledger.sqlite").exists():
            make_run(run, asked.triplets)
        shutil.rmtree(run / ".cache", ignore_errors=True)
        with served(run) as (url, read_s), sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
            figures = measured(browser, url)
            with urllib.request.urlopen(f"{url}api/0/items?stage=kept&limit=0") as answer:
                figures["triplets"] = json.load(answer)["total"]
            browser.close()
        with served(run) as (_, again_s):
            figures["read_again_s"] = round(again_s, 1)
        figures |= {
            "bundle_mb": bundle_mb(run, Path(scratch)),
            "read_s": round(read_s, 1),
            "load": os.getloadavg()[0],
        }
    if asked.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:22} {value:,}")


if __name__ == "__main__":
    main()
