"""Endpoints over real sockets: balance, limits, rests, and what a call that fails leaves behind."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.backends.server import (
    Answer,
    ModelServer,
    completion,
    gemini_answer,
    gemini_error,
    once,
    serving,
)
from triptych.backends.gemini import GeminiEditor, GeminiJudge, GeminiWriter
from triptych.backends.openai import OpenAIEditor, OpenAIJudge, OpenAIPainter, OpenAIWriter
from triptych.errors import CallFailed, InfrastructureError, ModelError, RecipeError, Refused
from triptych.pixels.picture import Picture
from triptych.records import RoleName
from triptych.roles import (
    VALIDATOR_QUESTIONS,
    EditRequest,
    JudgeRequest,
    Metered,
    PaintRequest,
    PairSubject,
    RoleConfig,
    SceneDraft,
    SceneRequest,
    Unscored,
)

KEY = "sk-planted-0123456789"
FINE = json.dumps({"adherence": 4, "aesthetics": 5})
POLICY = {
    "error": {"message": "rejected by the safety system", "code": "content_policy_violation", "type": "x"}
}


def picture(width: int = 64, height: int = 48) -> Picture:
    ramp = np.linspace(0, 255, width * height * 3).reshape(height, width, 3)
    return Picture.from_pixels(ramp.astype(np.uint8)).stored("jpeg")


def judge_request() -> JudgeRequest:
    return JudgeRequest(PairSubject(picture(), "make it red", picture()), VALIDATOR_QUESTIONS)


def config(role: RoleName, server: ModelServer | str, **settings: Any) -> RoleConfig:
    """OpenAI's: no key wanted, unless told."""
    url = server if isinstance(server, str) else server.url
    return RoleConfig(
        role, "tests:Nobody", {"model": "m", "url": url, "key_env": None, "retries": 1} | settings
    )


def gemini(role: RoleName, server: ModelServer, **settings: Any) -> RoleConfig:
    return RoleConfig(
        role, "tests:Nobody", {"model": "m", "url": server.root, "key_env": "KEY", "retries": 1} | settings
    )


def ask(backend: Any, method: str, *requests: object) -> list[Any]:
    """What a back end answers; its connections are closed."""

    async def asked() -> list[Any]:
        try:
            return list(await getattr(backend, method)(list(requests)))
        finally:
            await backend.close()

    return asyncio.run(asked())


def judged(server: ModelServer | str, **settings: Any) -> Metered[Any]:
    (answer,) = ask(OpenAIJudge(config("validator", server, **settings)), "judge", judge_request())
    assert isinstance(answer, Metered)
    return answer


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", KEY)


# ---- what goes over the wire -----------------------------------------------------------------------------


def test_a_judge_sends_pictures_schema_and_seed_and_knows_what_it_cost() -> None:
    with serving() as server:
        answer = judged(server, price_in=2.0, price_out=10.0, terms="house rules", extra={"top_k": 1})
        (asked,) = server.asked
    assert [type(item).__name__ for item in answer.answer] == ["Scored", "Scored"]
    assert asked.body["temperature"] == 0.0
    assert asked.body["top_k"] == 1
    schema = asked.body["response_format"]["json_schema"]["schema"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["adherence"]["enum"] == [1, 2, 3, 4, 5]
    kinds = [part["type"] for part in asked.body["messages"][1]["content"]]
    assert kinds == ["text", "image_url", "text", "image_url", "text"]
    receipt = answer.receipt
    assert receipt.tokens_in is not None
    assert receipt.tokens_out is not None
    assert receipt.price == pytest.approx((receipt.tokens_in * 2 + receipt.tokens_out * 10) / 1e6)
    assert receipt.terms == "house rules"


def test_a_painter_and_an_editor_send_size_seed_steps_and_guidance() -> None:
    extra = {"steps": 4, "guidance_scale": 3.5}
    with serving() as server:
        (painted,) = ask(
            OpenAIPainter(config("painter", server, extra=extra)), "paint", PaintRequest("a jug", 7, 96, 64)
        )
        (edited,) = ask(
            OpenAIEditor(config("editor", server, extra=extra)), "edit", EditRequest(picture(), "red", 3)
        )
        paint, edit = server.asked
    assert (paint.body["size"], paint.body["seed"], paint.body["steps"]) == ("96x64", 7, 4)
    assert (edit.body["size"], edit.body["seed"], edit.body["guidance_scale"]) == ("64x48", "3", "3.5")
    assert edit.files["image"] == picture().encoded("jpeg")  # as stored, not encoded again
    assert (painted.answer.width, painted.answer.height) == (96, 64)
    assert (edited.answer.width, edited.answer.height) == (64, 48)
    assert json.loads(edited.receipt.raw) == {"format": "image/png", "width": 64, "height": 48}
    assert edited.receipt.warning is None


def test_an_edit_that_comes_lossy_is_noted_and_warned_of() -> None:
    def jpeg(*_: object) -> bytes:
        return picture().encoded("jpeg")

    with serving(draw=jpeg) as server:
        (edited,) = ask(OpenAIEditor(config("editor", server)), "edit", EditRequest(picture(), "red", 3))
        (painted,) = ask(OpenAIPainter(config("painter", server)), "paint", PaintRequest("a jug", 7, 64, 48))
    assert json.loads(edited.receipt.raw)["format"] == "image/jpeg"
    assert "PNG" in edited.receipt.warning
    assert painted.receipt.warning is None


def test_gemini_judges_writes_and_edits() -> None:
    with serving(key=KEY) as server:
        (verdict,) = ask(
            GeminiJudge(gemini("validator", server, price_in=1, price_out=1)), "judge", judge_request()
        )
        (scene,) = ask(GeminiWriter(gemini("writer", server)), "write", SceneRequest(1, 2, 3))
        (edited,) = ask(GeminiEditor(gemini("editor", server)), "edit", EditRequest(picture(), "red", 3))
        asked = server.asked
    assert len(verdict.answer) == 2
    assert verdict.receipt.tokens_out == 7  # thoughts are paid too
    assert verdict.receipt.price == pytest.approx(18e-6)
    assert isinstance(scene.answer, SceneDraft)
    assert (edited.answer.width, edited.answer.height) == (64, 48)
    assert {request.path.split("/models")[0] for request in asked} == {"/v1beta"}
    assert asked[0].body["generationConfig"]["responseJsonSchema"]["additionalProperties"] is False


def test_gemini_on_vertex_asks_for_a_token_and_uses_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    private = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with serving(key="a-token-of-vertex") as server:
        account = {
            "type": "service_account",
            "client_email": "me@example.org",
            "private_key": private.decode(),
            "private_key_id": "1",
            "token_uri": f"{server.root}/token",
        }
        (tmp_path / "account.json").write_text(json.dumps(account))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))
        vertex = {"vertex": True, "project": "p", "location": "l", "key_env": "KEY"}
        (answer,) = ask(GeminiJudge(gemini("validator", server, **vertex)), "judge", judge_request())
        paths = [asked.path for asked in server.asked]
    assert len(answer.answer) == 2
    assert paths == ["/token", "/v1/projects/p/locations/l/publishers/google/models/m:generateContent"]


def test_without_its_client_gemini_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.genai", None)
    for backend in (GeminiJudge, GeminiWriter, GeminiEditor):
        with pytest.raises(RecipeError, match=r"pip install 'triptych\[gemini\]'"):
            backend(RoleConfig("editor", "x:Y", {"model": "m", "key_env": "KEY"})).ready()


def test_an_address_without_a_scheme_is_told() -> None:
    with pytest.raises(ValueError, match="begins with http://"):
        OpenAIJudge(config("validator", "localhost:8000/v1"))


def test_vertex_without_a_project_or_credentials_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with serving() as server:
        with pytest.raises(RecipeError, match=r"settings\.project and settings\.location"):
            GeminiJudge(gemini("validator", server, vertex=True)).ready()
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nowhere.json"))
        backend = GeminiJudge(gemini("validator", server, vertex=True, project="p", location="l"))
        (answer,) = ask(backend, "judge", judge_request())
    assert (type(answer.answer), answer.answer.reason) == (InfrastructureError, "wrong_key")


# ---- bad input -------------------------------------------------------------------------------------------


def test_no_key_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KEY")
    for backend in (
        OpenAIJudge(config("validator", "http://x/v1", key_env="KEY")),
        GeminiJudge(RoleConfig("validator", "x", {"model": "m", "key_env": "KEY"})),
    ):
        with pytest.raises(RecipeError, match=r"no key: set the environment variable KEY"):
            backend.ready()


@pytest.mark.parametrize(
    ("status", "body", "kind", "reason"),
    [
        (404, {"error": {"message": "no such model"}}, InfrastructureError, "unknown_model"),
        (402, {"error": {"message": "pay first"}}, InfrastructureError, "out_of_quota"),
        (
            429,
            {"error": {"message": "no quota", "code": "insufficient_quota"}},
            InfrastructureError,
            "out_of_quota",
        ),
        (429, {"error": {"message": "slow down"}}, InfrastructureError, "rate_limited"),
        (503, {"error": {"message": "overloaded"}}, InfrastructureError, "http_503"),
        (500, b"<html>oops</html>", InfrastructureError, "http_500"),
        (400, {"error": {"message": "unknown parameter"}}, ModelError, "bad_request"),
        (200, completion("{", finish_reason="length"), ModelError, "cut_short"),
        (200, {"choices": []}, ModelError, "bad_answer"),
        (200, b"[]", ModelError, "bad_answer"),
        (200, b"<html>hello</html>", ModelError, "bad_answer"),
        (400, POLICY, Refused, "content_policy"),
        (403, POLICY, Refused, "content_policy"),
        (200, completion(None, refusal="I won't"), Refused, "declined"),
        (200, completion("", finish_reason="content_filter"), Refused, "content_filter"),
        (200, completion(json.dumps("I'm sorry, I can't assist with that")), Refused, "declined"),
    ],
)
def test_each_failure_has_its_kind_and_its_line(
    status: int, body: Any, kind: type[CallFailed], reason: str
) -> None:
    with serving() as server:
        server.faults = [lambda _: Answer(status, body)]
        failure = judged(server, retries=0).answer
    assert type(failure) is kind
    assert failure.reason == reason
    assert "\n" not in str(failure)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (completion('{"adherence": 5}'), "wrong_schema"),
        (completion("{" * 50), "not_json"),
        (completion(""), "empty_reply"),
    ],
)
def test_what_cant_be_read_leaves_the_pair_unscored_by_name(body: Any, reason: str) -> None:
    with serving() as server:
        server.faults = [lambda _: Answer(200, body)]
        answer = judged(server).answer
    assert {(type(item), item.reason) for item in answer} == {(Unscored, reason)}


def test_a_wrong_key_is_told_without_the_key() -> None:
    with serving(key="another") as server:
        for backend in (
            OpenAIJudge(config("validator", server, key_env="KEY")),
            GeminiJudge(gemini("validator", server)),
        ):
            (answer,) = ask(backend, "judge", judge_request())
            failure = answer.answer
            assert (type(failure), failure.reason) == (InfrastructureError, "wrong_key")
            assert KEY not in repr(failure) + str(failure) + failure.detail
            assert "KEY" in failure.detail
        assert len(server.asked) == 2  # the same key again would be refused again


def test_a_server_that_repeats_the_key_doesnt_get_it_into_the_books() -> None:
    with serving(key=KEY, chat=lambda *_: f"your key is {KEY}") as server:
        (answer,) = ask(OpenAIJudge(config("validator", server, key_env="KEY")), "judge", judge_request())
    assert KEY not in repr(answer)
    assert "[KEY]" in repr(answer)


def test_a_placeholder_for_a_key_changes_no_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "e")
    with serving(chat=lambda *_: FINE) as server:
        (answer,) = ask(OpenAIJudge(config("validator", server, key_env="KEY")), "judge", judge_request())
    assert [item.value for item in answer.answer] == [4, 5]


def test_an_address_with_a_password_is_refused() -> None:
    with pytest.raises(ValueError, match="a key comes from the environment"):
        OpenAIJudge(config("validator", f"http://me:{KEY}@host/v1"))


def test_a_server_that_is_down_is_an_infrastructure_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    failure = judged(f"http://127.0.0.1:{port}/v1", retries=0).answer
    assert (type(failure), failure.reason) == (InfrastructureError, "connection")
    assert "is the server up?" in failure.detail


def test_a_server_that_hangs_is_left_after_the_timeout() -> None:
    with serving() as server:
        server.latency = 1.0
        failure = judged(server, retries=0, timeout=0.2).answer
    assert (type(failure), failure.reason) == (InfrastructureError, "timeout")


@pytest.mark.parametrize(
    ("size", "handling", "reason"),
    [
        ((80, 48), "refuse", "wrong_size"),
        ((80, 48), "scale", "wrong_shape"),
        ((80, 48), "crop", "wrong_shape"),
    ],
)
def test_an_edit_of_another_size_is_never_laid_over_its_source(
    size: tuple[int, int], handling: str, reason: str
) -> None:
    with serving(draw=lambda *_: picture(*size).encoded("png")) as server:
        backend = OpenAIEditor(config("editor", server, other_size=handling, price_image=0.04))
        (answer,) = ask(backend, "edit", EditRequest(picture(), "red", 3))
    assert (type(answer.answer), answer.answer.reason) == (ModelError, reason)
    assert answer.receipt.price == 0.04  # it was paid for all the same


def test_a_picture_of_another_size_is_brought_to_size_where_the_recipe_says_so() -> None:
    with serving(draw=lambda *_: picture(128, 96).encoded("png")) as server:
        (edited,) = ask(
            OpenAIEditor(config("editor", server, other_size="scale")),
            "edit",
            EditRequest(picture(), "red", 3),
        )
        painter = OpenAIPainter(config("painter", server, other_size="crop", sizes=("128x96", "96x128")))
        (painted,) = ask(painter, "paint", PaintRequest("a jug", 1, 64, 64))
        assert server.asked[1].body["size"] in ("128x96", "96x128")
    assert (edited.answer.width, edited.answer.height) == (64, 48)
    assert (painted.answer.width, painted.answer.height) == (64, 64)
    assert json.loads(edited.receipt.raw)["width"] == 128


@pytest.mark.parametrize("data", [b"no picture", b""])
def test_what_is_no_picture_is_a_model_error(data: bytes) -> None:
    with serving(draw=lambda *_: data) as server:
        (answer,) = ask(OpenAIPainter(config("painter", server)), "paint", PaintRequest("a jug", 1, 64, 48))
    assert isinstance(answer.answer, ModelError)
    assert answer.answer.reason in ("unreadable_picture", "no_picture")


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (Answer(200, {"promptFeedback": {"blockReason": "SAFETY"}}), Refused, "content_policy"),
        (Answer(200, gemini_answer({}, "IMAGE_SAFETY")), Refused, "content_policy"),
        (Answer(200, gemini_answer({"text": "here you are"})), ModelError, "no_picture"),
        (
            Answer(400, gemini_error(400, "API key not valid", {"reason": "API_KEY_INVALID"})),
            InfrastructureError,
            "wrong_key",
        ),
        (Answer(404, gemini_error(404, "no such model")), InfrastructureError, "unknown_model"),
        (
            Answer(429, gemini_error(429, "slow down", {"retryDelay": "0.1s"})),
            InfrastructureError,
            "rate_limited",
        ),
        (Answer(500, gemini_error(500, "oops")), InfrastructureError, "http_500"),
        (Answer(400, gemini_error(400, "no such field")), ModelError, "bad_request"),
    ],
)
def test_geminis_failures_have_their_kind(answer: Answer, kind: type[CallFailed], reason: str) -> None:
    with serving(key=KEY) as server:
        server.faults = [lambda _: answer]
        (edited,) = ask(
            GeminiEditor(gemini("editor", server, retries=0)), "edit", EditRequest(picture(), "red", 3)
        )
    assert (type(edited.answer), edited.answer.reason) == (kind, reason)


# ---- load ------------------------------------------------------------------------------------------------


def test_a_busy_server_is_asked_again_no_sooner_than_it_says() -> None:
    busy = Answer(429, {"error": {"message": "slow down"}}, {"Retry-After": "0.6"})
    with serving(chat=lambda *_: FINE) as server:
        server.faults = [once(busy)]
        began = time.monotonic()
        answer = judged(server)
        waited = time.monotonic() - began
    assert not isinstance(answer.answer, CallFailed)
    assert len(server.asked) == 2
    assert waited >= 0.6


def test_a_server_that_asks_for_an_hour_isnt_waited_for() -> None:
    with serving() as server:
        server.faults = [lambda _: Answer(429, {"error": {"message": "slow down"}}, {"Retry-After": "3600"})]
        backend = OpenAIJudge(config("validator", server, retries=5))
        answers = ask(backend, "judge", *[judge_request()] * 20)
        asked = len(server.asked)
    assert {item.answer.reason for item in answers} == {"rate_limited", "resting"}
    assert asked <= 8  # what was under way; then the endpoint is left alone


def test_calls_at_once_shrink_under_429_and_grow_back() -> None:
    busy = Answer(429, {"error": {"message": "slow down"}}, {"Retry-After": "0.05"})
    with serving(chat=lambda *_: FINE) as server:
        server.latency = 0.01
        server.faults = [once(*[busy] * 8)]

        async def rounds() -> list[int]:
            backend = OpenAIJudge(config("validator", server, retries=8, at_once=16))
            most = []
            for count in (8, 12, 60, 24):
                server.most_at_once = 0
                await backend.judge([judge_request()] * count)
                most.append(server.most_at_once)
            await backend.close()
            return most

        most = asyncio.run(rounds())
    assert most[0] == 8  # what an endpoint is given that nothing is known of
    assert most[1] < 8
    assert most[3] > most[1]
    assert max(most) <= 16


def test_several_endpoints_share_by_load_and_one_that_is_down_costs_nothing() -> None:
    with serving(chat=lambda *_: FINE) as slow, serving(chat=lambda *_: FINE) as fast:
        slow.latency, fast.latency = 0.5, 0.01
        with socket.create_server(("127.0.0.1", 0)) as taken:
            down = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        backend = OpenAIJudge(config("validator", "x", url=(slow.url, fast.url, down), retries=3, at_once=4))
        answers = ask(backend, "judge", *[judge_request()] * 60)
        counts = len(slow.asked), len(fast.asked)
    assert not [item for item in answers if isinstance(item.answer, CallFailed)]
    assert sum(counts) == 60
    assert counts[1] > counts[0]


def test_an_endpoint_that_is_down_is_tried_ever_more_rarely() -> None:
    with serving(chat=lambda *_: FINE) as server:
        server.faults = [lambda _: Answer(503, {"error": {"message": "down"}})]
        backend = OpenAIJudge(config("validator", server, retries=3))

        async def asked() -> float:
            began = time.monotonic()
            await backend.judge([judge_request()])
            await backend.close()
            return time.monotonic() - began

        took = asyncio.run(asked())
    assert len(server.asked) == 4
    assert took > (0.5 + 1 + 2) / 2  # jitter takes at most half


def test_fifty_scenes_are_one_call_and_share_its_tokens() -> None:
    with serving() as server:
        backend = OpenAIWriter(config("writer", server, price_in=1.0, price_out=1.0))
        answers = ask(backend, "write", *[SceneRequest(n, 1 + n % 5, 3) for n in range(50)])
        assert len(server.asked) == 1
    assert all(isinstance(item.answer, SceneDraft) for item in answers)
    assert len({item.answer.prompt for item in answers}) == 50
    total = sum(item.receipt.tokens_in + item.receipt.tokens_out for item in answers)
    assert sum(item.receipt.price for item in answers) == pytest.approx(total / 1e6)


def test_urls_prices_and_keys_are_no_part_of_a_spec() -> None:
    one = OpenAIJudge(config("validator", "http://a/v1")).spec
    other = OpenAIJudge(
        config("validator", "http://b/v1", timeout=5, price_in=1, key_env="K", at_once=2, terms="t")
    ).spec
    assert one.id == other.id
    assert "prompts" in one.settings
    assert one.id != OpenAIJudge(config("validator", "http://a/v1", look={"asks": 2})).spec.id
    assert one.id != OpenAIJudge(config("validator", "http://a/v1", model="n")).spec.id
