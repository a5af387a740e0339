"""`triptych doctor` on a recipe of models behind servers: what is wrong is told before anything is spent."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.backends.server import Answer, ModelServer, completion, serving
from tests.backends.test_http_mining import KEY, ROLES, recipe
from triptych.cli.main import main
from triptych.recipe import dump_recipe


def findings(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, server: ModelServer, **changes: Any
) -> dict[str, Any]:
    """Findings by name, on a recipe whose roles have these settings changed."""
    text = dump_recipe(recipe(server, scenes=1, megapixels=0.02))
    for old, new in changes.get("replaced", {}).items():
        text = text.replace(old, new)
    (tmp_path / "recipe.yaml").write_text(text)
    code = main(["doctor", str(tmp_path / "recipe.yaml"), "--json"])
    found = {f["name"]: f for f in json.loads(capsys.readouterr().out)["findings"]}
    assert code == (0 if all(f["fine"] for f in found.values()) else 1)
    return found


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_KEY", KEY)


def test_all_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(key=KEY) as server:
        found = findings(capsys, tmp_path, server)
        assert len(server.asked) == 6  # one call a role
    assert all(finding["fine"] for finding in found.values())
    assert "1 up, with m" in found["editor"]["detail"]
    assert "the house's terms: outputs may not train" in found["validator"]["detail"]
    assert "licence not known" in found["editor"]["detail"]
    assert "tokens; price" in found["validator, asked"]["detail"]


def test_a_key_of_the_recipe_is_changed_as_for_mine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "recipe.yaml").write_text(dump_recipe(recipe(scenes=1)))  # no address
    with serving(key=KEY) as server:
        words = [f"{role}.settings.url={server.url}" for role in ROLES]
        sets = [word for key in words for word in ("--set", key)]
        assert main(["doctor", str(tmp_path / "recipe.yaml"), *sets]) == 0
    assert "1 up, with m" in capsys.readouterr().out


def test_no_key(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HTTP_KEY")
    with serving(key=KEY) as server:
        found = findings(capsys, tmp_path, server)
        assert server.asked == []
    assert "set the environment variable HTTP_KEY" in found["writer"]["detail"]


@pytest.mark.parametrize(
    ("change", "told"),
    [("key", "wrong_key"), ("model", "isn't among the models"), ("server", "is the server up?")],
)
def test_what_is_wrong_with_a_server_is_told_and_nothing_is_spent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, told: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
    with serving(key="another" if change == "key" else KEY) as server:
        replaced = {"model": {"model: m": "model: n"}, "server": {server.url: nobody}, "key": {}}[change]
        found = findings(capsys, tmp_path, server, replaced=replaced)
        assert server.asked == []
    for role in ("writer", "painter", "screen", "editor", "soft filter", "validator"):
        assert not found[role]["fine"]
        assert told in found[role]["detail"]
        assert "\n" not in found[role]["detail"]
        assert KEY not in found[role]["detail"]


def test_a_judge_that_answers_nonsense_isnt_fine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(key=KEY) as server:
        server.faults = [
            lambda asked: Answer(200, completion("nice!")) if "source" in str(asked.body) else None
        ]
        found = findings(capsys, tmp_path, server)
    assert not found["validator, asked"]["fine"]
    assert "not_json" in found["validator, asked"]["detail"]
    assert found["editor, asked"]["fine"]
