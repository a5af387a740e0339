"""A run made by the miner, the review page over it, and a browser."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from tests.datasets.test_gallery_in_browser import CHROMIUM, FLAGS
from tests.mining.test_loop import recipe
from triptych.recipe import Recipe
from triptych.review.live import LiveRun
from triptych.review.security import Access
from triptych.review.server import application
from triptych.runs import mine

SHOTS = Path(__file__).parents[2] / ".pytest_cache" / "review"


@pytest.fixture(scope="session")
def mined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on stand-ins, with derived triplets. Not to be written to: take `run`."""
    folder = tmp_path_factory.mktemp("review") / "mined"
    multiply = {"inverse": True, "composites_per_source": 2, "chains_per_source": 1, "stacks": True}
    wanted = recipe({"validator": {"pass_rate": 0.8}}, multiply=multiply, scenes=6, megapixels=0.03)
    mine_apart(wanted, folder)
    return folder


@pytest.fixture
def run(mined: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, for this test alone."""
    ignored = shutil.ignore_patterns(".cache")  # that a page over the same run has kept
    return Path(shutil.copytree(mined, tmp_path / "run", ignore=ignored))


@contextmanager
def serving(paths: Sequence[Path], *, host: str = "127.0.0.1", **options: Any) -> Iterator[str]:
    """The review page over runs, from a thread; gives its address."""
    runs = [LiveRun(path) for path in paths]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        access = Access.to(host, listener.getsockname()[1])
        config = uvicorn.Config(application(runs, access, **options), log_level="warning", lifespan="on")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        until(lambda: server.started and all(run.sequence for run in runs))
        try:
            yield access.url.replace(f"//{host}:", "//127.0.0.1:")
        finally:
            server.should_exit = True
            thread.join(timeout=10)
            for run in runs:
                run.close()


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait for something that comes soon."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it didn't come"
        time.sleep(0.02)


@pytest.fixture(scope="module")  # its driver has an event loop of its own, in the way of other modules' tests
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright isn't installed")
    if CHROMIUM is None:
        pytest.skip("there is no chromium")
    with api.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens pages; the test fails where one of them raised an error or asked anything outside."""
    contexts: list[Any] = []
    wrong: list[str] = []

    def open_page(url: str, *, width: int = 1280, scheme: str = "light") -> Any:
        height = 900 if width > 600 else 844
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        origin = url[: url.index("/", 8)]
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if "Content Security" in said.text else None)
        page.on(
            "request",
            lambda asked: None if asked.url.startswith((origin, "data:")) else wrong.append(asked.url),
        )
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


def shot(page: Any, name: str) -> None:
    """Keep a picture of the page, for people to judge."""
    with suppress(OSError):
        SHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SHOTS / f"{name}.png")


def when(page: Any, expression: str, seconds: float = 15) -> None:
    """Wait until something holds on the page, whose policy lets nobody evaluate text from within."""
    until(lambda: page.evaluate(expression), seconds)


def mine_apart(wanted: Recipe, folder: Path) -> None:
    """Mine in another thread: the browser's driver may have a loop in this one."""
    with ThreadPoolExecutor(1) as apart:
        apart.submit(mine, wanted, folder).result()
