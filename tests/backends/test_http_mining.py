"""A whole run over HTTP: every role a model behind a server, faults in its way, killed and gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.backends.obliging import chance
from tests.backends.server import Answer, Asked, ModelServer, completion, serving
from tests.cli.conftest import environment
from triptych.errors import WorkFailed
from triptych.ledger.run import RunFolder
from triptych.ledger.verify import verify
from triptych.mining import asking
from triptych.recipe import Recipe, dump_recipe
from triptych.records import Call, Scene
from triptych.runs import mine, open_run

KEY = "sk-planted-42-never-to-be-seen"
ROLES = ("writer", "painter", "screen", "editor", "soft_filter", "validator")


def recipe(*servers: ModelServer, **changes: Any) -> Recipe:
    """Every role over HTTP, on all these servers."""
    urls = [server.url for server in servers]
    role = {"backend": "openai", "settings": {"model": "m", "url": urls, "key_env": "HTTP_KEY", "retries": 2}}
    chat = {"price_in": 1.0, "price_out": 2.0, "terms": "the house's terms"}
    values: dict[str, Any] = {
        "name": "http",
        "scenes": 20,
        "sources_per_scene": 1,
        "edits_per_scene": 2,
        "attempts": 2,
        "megapixels": 0.012,
        "multiply": {"inverse": True},
    }
    for name in ROLES:
        settings = role["settings"] | ({} if name in ("painter", "editor") else chat)  # type: ignore[operator]
        values[name] = {"backend": "openai", "settings": settings, "workers": 8}
    values["writer"]["workers"] = 50
    return Recipe.model_validate(values | changes)


def facts(path: Path, kind: type) -> list[Any]:
    with RunFolder(path).open_ledger(read_only=True) as ledger:
        return list(ledger.facts(kind))


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_KEY", KEY)


def stormy(asked: Asked) -> Answer | None:
    """One call in eight goes wrong; which, and how, hangs on the call alone. Scenes are refused by nobody."""
    body = json.dumps(asked.body, sort_keys=True)
    what = chance("storm", asked.path, body)
    said = {"error": {"message": f"no, {asked.key}"}}
    if what < 0.06 and "The briefs" not in body:
        return Answer(400, {"error": {"message": "no", "code": "content_policy_violation"}})
    if 0.06 < what < 0.08:
        return Answer(200, completion("what a nice picture!"))
    if 0.08 < what < 0.1 and chance(time.monotonic_ns()) < 0.7:
        return Answer(503, said)
    if 0.1 < what < 0.12 and chance(time.monotonic_ns()) < 0.7:
        return Answer(429, said, {"Retry-After": "0.05"})
    return None


def test_twenty_scenes_over_two_servers_in_a_storm(tmp_path: Path) -> None:
    with serving(key=KEY) as one, serving(key=KEY) as other:
        one.faults = [stormy]
        result = mine(recipe(one, other), tmp_path / "run")
        assert (result.stopped, result.ended_at) == (False, None)
        assert min(len(one.asked), len(other.asked)) > 50  # both have their share
        scenes = [
            a for a in one.asked + other.asked if "The briefs" in json.dumps(a.body.get("messages", ""))
        ]
        assert len(scenes) <= 8  # twenty scenes: a prompt, and what of it was asked again
    with open_run(tmp_path / "run") as run:
        view = run.view()
        assert not run.owed()
        assert view.funnel["scenes"] >= 18
        assert len(view.triplets) >= 10
        assert {triplet.kind for triplet in view.triplets} == {"forward", "inverse"}
        assert verify(run.folder) == []  # ids, references, pictures
    calls: list[Call] = facts(tmp_path / "run", Call)
    outcomes = Counter(call.outcome for call in calls)
    assert outcomes["made"] > 100
    failed = {call.reason for call in calls if call.outcome != "made"}
    assert failed <= {
        "bad_answer",
        "content_policy",
        "http_503",
        "near_duplicate_scene",
        "no_picture",
        "not_json",
        "rate_limited",
    }
    assert "content_policy" in failed
    judged = [call for call in calls if call.role == "validator" and call.outcome == "made"]
    assert all(call.tokens_in and call.price and call.terms == "the house's terms" for call in judged)
    written = [call for call in calls if call.role == "writer" and call.outcome == "made"]
    assert any('"prompt"' in (call.raw or "") for call in written)
    assert json.loads(next(c.raw for c in calls if c.role == "editor" and c.raw))["format"] == "image/png"


def test_the_key_is_nowhere(tmp_path: Path) -> None:
    with serving(key=KEY, chat=lambda *_: f"the key is {KEY}") as server:
        server.faults = [
            lambda asked: (
                Answer(500, {"error": {"message": f"bad {asked.key}"}}) if "images" in asked.path else None
            )
        ]
        text = dump_recipe(recipe(server, scenes=1, retries={"model_errors": 1, "patience_seconds": 0}))
        (tmp_path / "recipe.yaml").write_text(text)
        for command in (
            ["mine", "recipe.yaml", "--out", "run"],
            ["status", "run", "--json"],
            ["doctor", "recipe.yaml"],
        ):
            told = _triptych(tmp_path, *command)
            assert KEY not in told.stdout + told.stderr
            assert "Traceback" not in told.stderr
    for path in (tmp_path / "run").rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path


def _triptych(folder: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "triptych.cli.main", *command]
    env = environment() | {"HTTP_KEY": KEY} | variables
    return subprocess.run(words, capture_output=True, text=True, cwd=folder, env=env, check=False)


def test_without_a_key_nothing_is_begun(tmp_path: Path) -> None:
    with serving(key=KEY) as server:
        (tmp_path / "recipe.yaml").write_text(dump_recipe(recipe(server)))
        told = _triptych(tmp_path, "mine", "recipe.yaml", "--out", "run", HTTP_KEY="")
        assert told.returncode == 2
        assert "set the environment variable HTTP_KEY" in told.stderr
        assert len(told.stderr.strip().splitlines()) == 1
        assert server.asked == []


def test_a_server_that_is_down_spends_no_attempt_and_the_run_goes_on_when_it_is_back(tmp_path: Path) -> None:
    with serving(key=KEY) as server:
        down = threading.Event()
        down.set()
        server.faults = [
            lambda asked: (
                Answer(503, {"error": {"message": "down"}})
                if "edits" in asked.path and down.is_set()
                else None
            )
        ]
        threading.Timer(2.0, down.clear).start()
        small = recipe(server, scenes=3, multiply={"inverse": False})
        mine(small, tmp_path / "run")
        with open_run(tmp_path / "run") as run:
            assert not run.owed()
            attempts = run.view().funnel["attempts"]
            screened = run.view().funnel["screened"]
    calls: list[Call] = facts(tmp_path / "run", Call)
    unreached = [call for call in calls if call.outcome == "infrastructure_error"]
    assert {call.reason for call in unreached} <= {"http_503", "resting"}
    assert attempts == screened * 2 * 2  # none was spent


def test_a_key_that_is_withdrawn_stops_the_run_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_KEYS_PATIENCE", 0.0)
    with serving(key=KEY) as server:
        server.faults = [
            lambda asked: (
                Answer(401, {"error": {"message": f"{asked.key} is no more"}})
                if "edits" in asked.path
                else None
            )
        ]
        with pytest.raises(WorkFailed, match=r"editor was not reached .*wrong_key: .*HTTP_KEY") as told:
            mine(recipe(server, scenes=2, multiply={"inverse": False}), tmp_path / "run")
        assert KEY not in str(told.value)
    with open_run(tmp_path / "run") as run:
        assert run.view().funnel["attempts"] == 0  # none was spent


def test_killed_and_gone_on_with_no_call_is_made_twice(tmp_path: Path) -> None:
    with serving(key=KEY) as server:
        server.latency = 0.02
        (tmp_path / "recipe.yaml").write_text(dump_recipe(recipe(server, scenes=6)))
        words = [sys.executable, "-m", "triptych.cli.main", "mine", "recipe.yaml", "--out", "run"]
        env = environment() | {"HTTP_KEY": KEY}
        for more in (20, 60):
            wanted = len(server.asked) + more
            process = subprocess.Popen(
                words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path, env=env
            )
            while process.poll() is None and len(server.asked) < wanted:
                time.sleep(0.01)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        assert _triptych(tmp_path, "mine", "recipe.yaml", "--out", "run").returncode == 0
    made = Counter(call.job_id for call in facts(tmp_path / "run", Call) if call.outcome == "made")
    assert max(made.values()) == 1
    assert len(facts(tmp_path / "run", Scene)) == 6
    with open_run(tmp_path / "run") as run:
        assert not run.owed()
        assert verify(run.folder) == []
