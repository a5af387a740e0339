"""What a user is told while a run over HTTP goes on: each kind of trouble once, in a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backends.server import Answer, once, serving
from tests.backends.test_endpoints import picture
from tests.backends.test_http_mining import recipe
from triptych.cli.main import main
from triptych.pixels.picture import Picture
from triptych.recipe import dump_recipe


def test_lossy_edits_and_failures_are_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HTTP_KEY", "a-key-that-is-long-enough")

    def jpeg(prompt: str, source: bytes | None, width: int, height: int, seed: int) -> bytes:
        made = picture(width, height) if source is None else Picture.from_encoded(source)
        return made.encoded("jpeg")

    with serving(draw=jpeg) as server:
        busy = Answer(400, {"error": {"message": "steps must be below 50"}})
        server.faults = [once(busy, busy, where="generations")]
        text = dump_recipe(recipe(server, scenes=4, multiply={"inverse": False}))
        (tmp_path / "recipe.yaml").write_text(text)
        assert main(["mine", str(tmp_path / "recipe.yaml"), "--out", str(tmp_path / "run")]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert told.count("m answers in JPEG") == 1
    assert told.count("bad_request: steps must be below 50") == 1
