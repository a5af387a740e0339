"""The page as files: served by anything, it shows and filters what the server shows and filters."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import one_line, triptych
from tests.review.conftest import serving, shot
from tests.review.test_server import Client
from triptych.review.bundle import write_bundle
from triptych.review.live import LiveRun

__all__ = ["triptych"]  # a fixture
Open = Callable[..., Any]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def static(folder: Path) -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def bundle(mined: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / "site"
    run = LiveRun(mined)
    run.refresh()
    write_bundle([run], folder / "below")
    run.close()
    return folder


def test_a_bundle_is_walked_from_any_folder_of_a_static_host(opened: Open, bundle: Path) -> None:
    with static(bundle) as url:
        page = opened(url + "below/")
        page.wait_for_selector(".funnel")
        assert page.locator("nav a").all_inner_texts() == ["Overview", "Grid"]
        page.click("[data-stage=kept] a")
        page.locator(".card [data-id]").first.click()
        page.wait_for_selector(".attempt")
        page.keyboard.press("4")
        page.wait_for_selector("canvas.difference")
        page.reload()
        page.wait_for_selector(".lineage")
        assert page.evaluate("[...document.images].every((one) => one.complete && one.naturalWidth > 0)")
        shot(page, "bundle")


QUERIES = [
    {},
    {"stage": "kept", "sort": "-score"},
    {"kind": "forward", "passed": "low_level", "sort": "near"},
    {"kind": "forward,inverse", "adherence": "4.75..", "sort": "adherence"},
    {"score": "..4.8", "sort": "mix"},
    {"q": "Reverse INSTRUCTION", "sort": "-disagreement"},
    {"category": "add", "margin": "-0.15..0.15", "sort": "category"},
    {"reason": "soft_adherence", "sort": "-run"},
    {"style": "standard", "kind": "source"},
]


def test_a_bundle_answers_as_the_server_does(opened: Open, bundle: Path, mined: Path) -> None:
    with static(bundle) as url, serving([mined]) as live:
        page, client = opened(url + "below/"), Client(live)
        for query in QUERIES:
            asked = "&".join(f"{name}={value}" for name, value in query.items()).replace(" ", "+")
            server = client.json(f"/api/0/items?{asked}&limit=500&facets=1")
            ask = "async (query) => (await import('./static/served.js')).items(0, query)"
            files = page.evaluate(ask, query | {"limit": 500, "facets": 1})
            assert [item["id"] for item in files["items"]] == [item["id"] for item in server["items"]], query
            assert files["total"] == server["total"]
            for field, counts in server["facets"].items():
                told = {word: count for word, count in counts.items() if count}
                assert {word: n for word, n in files["facets"][field].items() if n} == told, (query, field)


def test_a_larger_run_gives_a_part_that_is_whole_in_itself(mined: Path, tmp_path: Path, opened: Open) -> None:
    run = LiveRun(mined)
    run.refresh()
    count = write_bundle([run], tmp_path / "site", most=5)
    rows = len(run.table.rows)
    run.close()
    assert 5 <= count < rows
    with static(tmp_path / "site") as url:
        page = opened(url + "?view=grid&all=1")
        page.wait_for_selector(".card [data-id]")
        assert f"{count} of {rows}" in page.inner_text(".top")


def test_opened_as_a_file_it_says_what_to_do(bundle: Path, browser: Any) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto((bundle / "below" / "index.html").as_uri())
        assert "http.server" in page.inner_text("body")


def test_the_command_writes_one_and_takes_no_folder_that_is_in_use(
    triptych: Callable[..., Any], mined: Path, tmp_path: Path
) -> None:
    done = triptych("review", mined, "--bundle", tmp_path / "site")
    assert done.returncode == 0, done.stderr
    assert "for any static host" in done.stdout
    written = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*"))
    assert "is there already" in one_line(triptych("review", mined, "--bundle", tmp_path / "site"), 2)
    assert sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*")) == written
    assert "there is no run" in one_line(triptych("review", tmp_path / "none"), 2)
    assert "can't be used" in one_line(triptych("review", mined, "--port", "99999"), 2)
