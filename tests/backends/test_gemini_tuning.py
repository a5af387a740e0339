"""Supervised tuning of Gemini: rows as Vertex takes them; the job, by the real client to a local server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from triptych.errors import UserError, WorkFailed
from triptych.pixels.picture import Picture
from triptych.records import Pair
from triptych.training.gemini_judge import Job, submit, write_rows
from triptych.training.rated_pairs import RatedPair

pytest.importorskip("google.genai", reason="google-genai isn't installed: make dev")


def picture(name: str) -> Picture:
    return Picture.from_pixels(np.full((24, 32, 3), 40 + len(name), dtype=np.uint8))


def examples() -> list[RatedPair]:
    scores = {"adherence": 4.4, "aesthetics": 2.6}
    return [RatedPair(Pair(f"{n:032x}", "source", "add a red ball", "edited"), scores) for n in range(3)]  # type: ignore[arg-type]


@pytest.fixture
def vertex() -> Iterator[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    """A server that takes tuning jobs, and what it was asked."""
    asked: list[tuple[str, dict[str, Any]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.path, body))
            refused = body["baseModel"] == "gemini-none"
            answer = (
                {"error": {"code": 404, "message": "no such model", "status": "NOT_FOUND"}}
                if refused
                else {"name": "projects/p/locations/l/tuningJobs/7", "state": "JOB_STATE_PENDING"}
            )
            data = json.dumps(answer).encode()
            self.send_response(404 if refused else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_rows_are_what_vertex_reads(tmp_path: Path) -> None:
    rows = write_rows(examples(), picture, "gs://bucket/judge/", tmp_path / "rows")
    lines = [json.loads(line) for line in rows.read_text().splitlines()]
    assert len(lines) == 3
    for line in lines:
        user, model = line["contents"]
        assert (user["role"], model["role"]) == ("user", "model")
        assert json.loads(model["parts"][0]["text"]) == {"adherence": 4, "aesthetics": 3}
        assert "add a red ball" in " ".join(part.get("text", "") for part in user["parts"])
        uris = [part["fileData"]["fileUri"] for part in user["parts"] if "fileData" in part]
        assert len(uris) == 2
        for uri in uris:
            assert uri.startswith("gs://bucket/judge/pictures/")
            assert (tmp_path / "rows" / "pictures" / uri.rpartition("/")[2]).is_file()
        assert line["systemInstruction"]["parts"][0]["text"]
    with pytest.raises(UserError, match="isn't empty"):
        write_rows(examples(), picture, "gs://bucket/judge", tmp_path / "rows")
    with pytest.raises(UserError, match="give a place like gs://"):
        write_rows(examples(), picture, "/tmp/bucket", tmp_path / "other")


def test_the_job_reaches_the_server_as_the_real_client_sends_it(
    vertex: tuple[str, list[tuple[str, dict[str, Any]]]],
) -> None:
    from google.oauth2.credentials import Credentials

    url, asked = vertex
    job = Job("gemini-2.5-flash", "p", "l", epochs=2, url=url)
    assert submit(job, "gs://bucket/judge/", "my-judge", Credentials("a token")).endswith("tuningJobs/7")
    ((path, body),) = asked
    assert path.endswith("/projects/p/locations/l/tuningJobs")
    assert body["baseModel"] == "gemini-2.5-flash"
    spec = body["supervisedTuningSpec"]
    assert spec["trainingDatasetUri"] == "gs://bucket/judge/train.jsonl"
    assert int(spec["hyperParameters"]["epochCount"]) == 2
    assert body["tunedModelDisplayName"] == "my-judge"
    with pytest.raises(WorkFailed, match=r"gemini-none was not taken.*no such model"):
        submit(Job("gemini-none", "p", "l", url=url), "gs://b/c", "x", Credentials("a token"))
