"""One contract for all back ends of a role: the same questions to each that ships and needs no weights."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.backends.server import ModelServer, serving
from tests.backends.test_endpoints import KEY
from triptych.cli.main import main
from triptych.engines.contract import breaches
from triptych.records import RoleName
from triptych.roles import RoleConfig
from triptych.wiring import SHIPPED

REPOSITORY = Path(__file__).resolve().parents[2]
SERVED = ("studio", "openai", "gemini", "lexical")
SHIPPING = [(role, name) for role, known in SHIPPED.items() for name in known if name in SERVED]


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with serving(key=KEY) as found:
        yield found


@pytest.mark.parametrize(("role", "name"), SHIPPING)
def test_every_back_end_that_ships_keeps_its_contract(
    role: RoleName, name: str, server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", KEY)
    settings: dict[str, Any] = {}
    if name in ("openai", "gemini"):
        settings = {"model": "m", "url": server.url if name == "openai" else server.root, "key_env": "KEY"}
    assert asyncio.run(breaches(RoleConfig(role, SHIPPED[role][name], settings, run_folder=tmp_path))) == []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Seedless", "the same request and seed gave another picture"),
        ("Shrinking", "asked for 128x96, got 64x48"),
        ("Forgetful", "gave 0 answers to 1 requests"),
        ("Wordy", "gave a str, not a Picture"),
        ("Sloppy", "takes unknown keys"),
        ("Restless", "two of the same settings have different specs"),
    ],
)
def test_what_a_class_breaks_is_named(name: str, told: str) -> None:
    found = asyncio.run(breaches(RoleConfig("painter", f"tests.backends.unruly:{name}", {})))
    assert told in "; ".join(found)


def test_ones_own_class_as_the_page_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (REPOSITORY / "docs/backends.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    body = code[code.index("class MyEditor") :]
    assert len([line for line in body.splitlines() if line.strip()]) <= 30
    (tmp_path / "mypackage").mkdir()
    (tmp_path / "mypackage/__init__.py").touch()
    (tmp_path / "mypackage/models.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{REPOSITORY / 'src'}:{REPOSITORY}")
    assert main(["doctor", "--contract", "mypackage.models:MyEditor"]) == 0
    assert "as editor: keeps the contract" in capsys.readouterr().out
    recipe = (REPOSITORY / "recipes/quickstart.yaml").read_text(encoding="utf-8")
    small = {"scenes": 1, "sources_per_scene": 1, "attempts": 1, "megapixels": 0.03}
    (tmp_path / "mine.yaml").write_text(recipe.replace("editor: studio", "editor: mypackage.models:MyEditor"))
    sets = [word for key, value in small.items() for word in ("--set", f"{key}={value}")]
    assert main(["mine", str(tmp_path / "mine.yaml"), "--out", str(tmp_path / "run"), *sets]) == 0
    sys.modules.pop("mypackage.models", None)
