"""A whole run over HTTP with real models behind the server: a tiny vision language model, painter and editor.

Their weights are random, so nothing they say means anything; that all of it arrives and is recorded does.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.backends.obliging import briefs
from tests.backends.server import serving
from tests.backends.test_http_mining import recipe
from triptych.backends.diffusers import DiffusersEditor, DiffusersPainter
from triptych.backends.prompts.chat import Prompt
from triptych.backends.transformers import LocalChat, TransformersSettings
from triptych.ledger.run import RunFolder
from triptych.ledger.verify import verify
from triptych.pixels.picture import Picture
from triptych.records import Call, Scene, Verdict
from triptych.roles import EditRequest, Metered, PaintRequest, RoleConfig
from triptych.runs import mine, open_run

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own, about each other

SCENES = 20


class Models:
    """What lies behind the server; one call at a time."""

    def __init__(self, language: str, painter: str, editor: str) -> None:
        tiny = {"device": "cpu", "dtype": "float32"}
        settings = {"model": language, "max_tokens": 4000, "temperature": 1.0} | tiny
        self._chat = LocalChat(TransformersSettings.model_validate(settings), "writer")
        steps = {"steps": 1, "batch": 1} | tiny
        self._painter = DiffusersPainter(RoleConfig("painter", "x:Y", {"model": painter} | steps))
        self._editor = DiffusersEditor(RoleConfig("editor", "x:Y", {"model": editor} | steps))
        self._lock = threading.Lock()

    def chat(self, words: str, pictures: list[bytes], schema: dict[str, Any], seed: int) -> str:
        """A reply that the grammar of the schema holds; of free text, a few letters."""
        bounded = _scenes_schema(words) if "scenes" in schema["properties"] else _bounded(schema)
        reply = type("Reply", (), {"model_json_schema": classmethod(lambda _: bounded)})
        parts = (*(Picture.from_encoded(data) for data in pictures), words[-200:])
        with self._lock:
            return asyncio.run(self._chat.ask(Prompt("Answer in JSON.", parts, reply, seed))).text  # type: ignore[arg-type]

    def draw(self, prompt: str, source: bytes | None, width: int, height: int, seed: int) -> bytes:
        """A painted picture, or the edited source."""
        with self._lock:
            if source is None:
                (answer,) = asyncio.run(self._painter.paint([PaintRequest(prompt, seed, width, height)]))
            else:
                request = EditRequest(Picture.from_encoded(source), prompt, seed)
                (answer,) = asyncio.run(self._editor.edit([request]))
        made = answer.answer if isinstance(answer, Metered) else answer
        assert isinstance(made, Picture), made
        return made.encoded("png")


def _text(low: int, high: int) -> dict[str, Any]:
    return {"type": "string", "minLength": low, "maxLength": high, "pattern": "^[a-z][a-z ]*[a-z]$"}


def _fixed(**keys: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": keys, "required": [*keys], "additionalProperties": False}


def _list(items: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": "array",
        "prefixItems": items,
        "items": False,
        "minItems": len(items),
        "maxItems": len(items),
    }


def _scenes_schema(words: str) -> dict[str, Any]:
    """What a server with guided decoding would hold a model to: the numbers and categories of the briefs."""
    scenes = []
    for brief in briefs(words):
        edits = [
            _fixed(category={"const": edit["category"]}, instruction=_text(6, 12)) for edit in brief["edits"]
        ]
        scenes.append(_fixed(number={"const": brief["number"]}, prompt=_text(8, 14), edits=_list(edits)))
    return _fixed(scenes=_list(scenes))


def _bounded(schema: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(schema).replace('"type": "string"}', '"type": "string", "maxLength": 12}')
    return dict(json.loads(text))


@pytest.mark.slow
def test_twenty_scenes_with_real_models_behind_the_server(
    model: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_KEY", "a-key-that-is-long-enough")
    models = Models(model("qwen3_vl"), model("z_image"), model("kontext"))
    with serving(chat=models.chat, draw=models.draw) as server:
        wanted = recipe(
            server, scenes=SCENES, edits_per_scene=1, attempts=1, retries={"model_errors": 2}, megapixels=0.02
        )
        mine(wanted, tmp_path / "run")
    with open_run(tmp_path / "run") as run:
        assert not run.owed()
        funnel = run.view().funnel
        assert verify(run.folder) == []
    with RunFolder(tmp_path / "run").open_ledger(read_only=True) as ledger:
        calls, scenes, verdicts = (
            list(ledger.facts(Call)),
            list(ledger.facts(Scene)),
            list(ledger.facts(Verdict)),
        )
    outcomes = Counter((call.role, call.outcome) for call in calls)
    assert len(scenes) >= SCENES - 3  # random letters: one or two may be refused by name
    assert funnel["sources"] == outcomes["painter", "made"] == funnel["scenes"]
    assert funnel["attempts"] == outcomes["editor", "made"]
    assert {verdict.value for verdict in verdicts if verdict.question == "shows_prompt"} <= {0.0, 1.0, None}
    assert all(call.reason for call in calls if call.outcome != "made")
    assert all(call.tokens_in for call in calls if call.role == "screen" and call.outcome == "made")
