"""The same contract against a server that none of us wrote: `make contract` (see tests/README.md)."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from tests.backends.test_endpoints import ask, judge_request
from triptych.backends.openai import OpenAIJudge, OpenAIWriter
from triptych.engines.contract import breaches
from triptych.errors import CallFailed, InfrastructureError, ModelError
from triptych.records import RoleName
from triptych.roles import Metered, RoleConfig, SceneRequest, Scored, Unscored
from triptych.wiring import SHIPPED

SERVER = os.environ.get("TRIPTYCH_SERVER", "")
MODEL = os.environ.get("TRIPTYCH_MODEL", "")
pytestmark = pytest.mark.skipif(not SERVER, reason="set TRIPTYCH_SERVER and TRIPTYCH_MODEL: make contract")


def config(role: RoleName, **settings: Any) -> RoleConfig:
    asked = {"model": MODEL, "url": SERVER, "key_env": None, "extra": {"max_tokens": 120}, "timeout": 120}
    return RoleConfig(role, SHIPPED[role]["openai"], asked | settings)


@pytest.mark.parametrize("role", ["writer", "screen", "soft_filter", "validator"])
def test_the_contract_is_kept(role: RoleName) -> None:
    assert asyncio.run(breaches(config(role))) == []


def test_a_judge_scores_or_says_by_name_why_not_and_knows_its_tokens() -> None:
    (item,) = ask(OpenAIJudge(config("validator")), "judge", judge_request())
    assert isinstance(item, Metered)
    if isinstance(item.answer, CallFailed):
        assert isinstance(item.answer, ModelError), item.answer  # not: it wasn't reached
        assert item.answer.reason == "cut_short"
    else:
        assert all(isinstance(answer, Scored | Unscored) for answer in item.answer)
    assert (item.receipt.tokens_in or 0) > 20
    print(f"a judge's answer: {item.answer}")


def test_a_writer_writes_or_says_by_name_why_not() -> None:
    (item,) = ask(OpenAIWriter(config("writer", temperature=1.0)), "write", SceneRequest(1, 2, 2))
    assert not isinstance(item.answer, InfrastructureError)
    assert (item.receipt.tokens_out or 0) > 0
    print(f"a writer's answer: {item.answer}")


def test_a_model_that_it_doesnt_have_spends_nothing() -> None:
    (item,) = ask(
        OpenAIJudge(config("validator", model="nobody/nothing", retries=0)), "judge", judge_request()
    )
    if isinstance(item.answer, CallFailed):  # some servers answer with the one model that they have
        assert isinstance(item.answer, InfrastructureError), item.answer
