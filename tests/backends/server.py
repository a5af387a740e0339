"""A server of our own that speaks the OpenAI protocol and Gemini's REST form, over real sockets.

Behind it is a deterministic stand-in for models, or whatever `chat` and `draw` a test gives. `faults` are
asked first, so that a test can make any call go wrong.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import numpy as np

from tests.backends.obliging import answer, chance
from triptych.pixels.picture import Picture
from triptych.records import hash_bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came in."""

    path: str
    key: str | None
    body: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """The model asked for, wherever the protocol says it."""
        if "models/" in self.path:
            return self.path.split("models/")[1].split(":")[0]
        return str(self.body.get("model", ""))


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


Fault = Callable[[Asked], Answer | None]
Chat = Callable[[str, list[bytes], dict[str, Any], int], str]  # words, pictures, schema, seed → reply
Draw = Callable[[str, bytes | None, int, int, int], bytes]  # prompt, source, width, height, seed → PNG


def obliging_chat(words: str, pictures: list[bytes], schema: dict[str, Any], seed: int) -> str:
    """Replies of the right form; judges say good things of six pictures in ten."""
    seen = hash_bytes(*pictures) if pictures else ""
    found = answer(words + seen, schema, seed)
    if pictures and chance(seen, "good") < 0.6:
        good = {"adherence": 5, "aesthetics": 5, "unasked_change": "no", "pleasing": "yes"}
        found |= {key: good.get(key, "yes") for key in found if key not in ("seen", "edits", "differences")}
    return json.dumps(found)


def draw_png(prompt: str, source: bytes | None, width: int, height: int, seed: int) -> bytes:
    """Noise that hangs on the prompt and seed, or the source with a quarter of it in one colour."""
    key = hash_bytes(prompt.encode(), str(seed).encode())
    if source is not None:
        pixels = Picture.from_encoded(source).pixels.copy()
        pixels[: pixels.shape[0] // 2, : pixels.shape[1] // 2] = int(key[:2], 16)
    else:
        coarse = np.random.default_rng(int(key[:8], 16)).integers(0, 255, (height // 8, width // 8, 3))
        pixels = coarse.repeat(8, 0).repeat(8, 1).astype(np.uint8)
    return Picture.from_pixels(pixels).encoded("png")


class ModelServer:
    """The server: its address, what it was asked, and how many calls it had at once."""

    def __init__(self, models: tuple[str, ...], key: str | None, chat: Chat, draw: Draw) -> None:
        self.models = models
        self.key = key
        self.chat = chat
        self.draw = draw
        self.faults: list[Fault] = []
        self.asked: list[Asked] = []
        self.at_once = 0
        self.most_at_once = 0
        self.latency = 0.0
        self.honours_schema = True
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                sent = server.take(_asked(self.path, dict(self.headers.items()), data))
                body = sent.body if isinstance(sent.body, bytes) else json.dumps(sent.body).encode()
                self.send_response(sent.status)
                for name, value in ({"Content-Type": "application/json"} | sent.headers).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                sent = server.listed(_asked(self.path, dict(self.headers.items()), b"{}"))
                body = json.dumps(sent.body).encode()
                self.send_response(sent.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return None

        class Listening(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: object) -> None:  # a client that was killed is no news
                return None

        self._http = Listening(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def root(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def url(self) -> str:
        """Where the OpenAI protocol is spoken."""
        return f"{self.root}/v1"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def take(self, asked: Asked) -> Answer:
        """Answer one request."""
        with self._lock:
            self.asked.append(asked)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.latency:
                time.sleep(self.latency)
            for fault in self.faults:
                found = fault(asked)
                if found is not None:
                    return found
            if asked.path == "/token":  # Google's exchange of a signed claim for a token
                return Answer(200, {"access_token": self.key, "expires_in": 3600, "token_type": "Bearer"})
            if self.key is not None and asked.key != self.key:
                return self._refused(asked, 401, f"Incorrect API key provided: {asked.key}")
            if asked.model not in self.models:
                return self._refused(asked, 404, f"The model {asked.model} does not exist")
            return self._answer(asked)
        finally:
            with self._lock:
                self.at_once -= 1

    def listed(self, asked: Asked) -> Answer:
        """The models, or Gemini's one; not kept among what was asked."""
        if self.key is not None and asked.key != self.key:
            return self._refused(asked, 401, f"Incorrect API key provided: {asked.key}")
        if "/models/" in asked.path:
            known = asked.model in self.models
            return (
                Answer(200, {"name": f"models/{asked.model}"}) if known else self._refused(asked, 404, "no")
            )
        models = [{"id": name, "object": "model", "created": 0, "owned_by": "us"} for name in self.models]
        return Answer(200, {"object": "list", "data": models})

    def _refused(self, asked: Asked, status: int, message: str) -> Answer:
        if "models/" in asked.path:
            return Answer(status, gemini_error(status, message))
        return Answer(status, {"error": {"message": message, "type": "invalid_request_error", "code": None}})

    def _answer(self, asked: Asked) -> Answer:
        if asked.path.endswith("/chat/completions"):
            return Answer(200, self._completion(asked.body))
        if asked.path.endswith("/images/generations"):
            return self._image(asked.body, None)
        if asked.path.endswith("/images/edits"):
            return self._image(asked.body, asked.files["image"])
        return Answer(200, self._gemini(asked.body))

    def _completion(self, body: dict[str, Any]) -> dict[str, Any]:
        words, pictures = [], []
        for part in body["messages"][-1]["content"]:
            if part["type"] == "text":
                words.append(part["text"])
            else:
                pictures.append(base64.b64decode(part["image_url"]["url"].split(",")[1]))
        schema = body.get("response_format", {}).get("json_schema", {}).get("schema", {})
        reply = self.chat("\n".join(words), pictures, schema, body.get("seed") or 0)
        return completion(reply, len(" ".join(words).split()) + 100 * len(pictures), len(reply.split()))

    def _image(self, body: dict[str, Any], source: bytes | None) -> Answer:
        width, height = (int(side) for side in str(body["size"]).split("x"))
        data = self.draw(str(body["prompt"]), source, width, height, int(body.get("seed") or 0))
        return Answer(200, {"created": 0, "data": [{"b64_json": base64.b64encode(data).decode()}]})

    def _gemini(self, body: dict[str, Any]) -> dict[str, Any]:
        words, pictures = [], []
        for part in body["contents"][-1]["parts"]:
            if "text" in part:
                words.append(part["text"])
            else:
                pictures.append(base64.urlsafe_b64decode(part["inlineData"]["data"]))
        config = body.get("generationConfig", {})
        seed = config.get("seed") or 0
        if config.get("responseModalities") == ["IMAGE"]:
            data = base64.b64encode(self.draw(" ".join(words), pictures[0], 0, 0, seed)).decode()
            return gemini_answer({"inlineData": {"mimeType": "image/png", "data": data}})
        schema = config.get("responseJsonSchema", {})
        return gemini_answer({"text": self.chat("\n".join(words), pictures, schema, seed)})


def completion(reply: str | None, tokens_in: int = 11, tokens_out: int = 7, **message: Any) -> dict[str, Any]:
    """A chat completion with this reply."""
    ended = message.pop("finish_reason", "stop")
    said = {"role": "assistant", "content": reply} | message
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": ended, "message": said}],
        "usage": {
            "prompt_tokens": tokens_in,
            "completion_tokens": tokens_out,
            "total_tokens": tokens_in + tokens_out,
        },
    }


def gemini_answer(part: dict[str, Any], ended: str = "STOP") -> dict[str, Any]:
    """A Gemini answer of one part."""
    content = {"role": "model", "parts": [part] if part else []}
    usage = {
        "promptTokenCount": 11,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 2,
        "totalTokenCount": 18,
    }
    return {"candidates": [{"content": content, "finishReason": ended, "index": 0}], "usageMetadata": usage}


def gemini_error(status: int, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    """A Gemini error."""
    names = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
    error = {
        "code": status,
        "message": message,
        "status": names.get(status, "INTERNAL"),
        "details": [*details],
    }
    return {"error": error}


def _asked(path: str, headers: dict[str, str], data: bytes) -> Asked:
    lower = {name.lower(): value for name, value in headers.items()}
    key = lower.get("authorization", "").removeprefix("Bearer ") or lower.get("x-goog-api-key")
    kind = lower.get("content-type", "")
    if kind.startswith("application/x-www-form-urlencoded"):
        return Asked(path, key, dict(parse_qsl(data.decode())))
    if not kind.startswith("multipart/"):
        return Asked(path, key, json.loads(data))
    parsed = message_from_bytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + data)
    body: dict[str, Any] = {}
    files: dict[str, bytes] = {}
    for part in parsed.get_payload():  # type: ignore[union-attr]
        name = part.get_param("name", header="content-disposition")  # type: ignore[union-attr]
        content = part.get_payload(decode=True)  # type: ignore[union-attr]
        if part.get_filename():  # type: ignore[union-attr]
            files[str(name)] = content  # type: ignore[assignment]
        else:
            body[str(name)] = content.decode()  # type: ignore[union-attr]
    return Asked(path, key, body, files)


def once(*answers: Answer, where: str = "") -> Fault:
    """A fault that gives these answers in turn, to calls whose path has `where` in it, and then none."""
    left = list(answers)

    def fault(asked: Asked) -> Answer | None:
        return left.pop(0) if left and where in asked.path else None

    return fault


@contextmanager
def serving(
    *models: str,
    key: str | None = None,
    chat: Chat = obliging_chat,
    draw: Draw = draw_png,
) -> Iterator[ModelServer]:
    """A server of these models; with a key, only to those who have it."""
    server = ModelServer(models or ("m",), key, chat, draw)
    server.start()
    try:
        yield server
    finally:
        server.stop()
