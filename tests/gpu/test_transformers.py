"""Local judges and writers, on tiny models of the real classes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.gpu import tiny
from triptych.backends.transformers import TransformersJudge, TransformersWriter
from triptych.errors import CallFailed, ModelError, UserError, WorkFailed
from triptych.pixels.picture import Picture
from triptych.records import RoleName
from triptych.roles import (
    SCREEN_QUESTIONS,
    SOFT_FILTER_QUESTIONS,
    JudgeRequest,
    Metered,
    PairSubject,
    RoleConfig,
    SceneRequest,
    Scored,
    SourceSubject,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own, about each other

Model = Callable[[str], str]


def config(role: RoleName, model: str, **settings: Any) -> RoleConfig:
    name = "TransformersWriter" if role == "writer" else "TransformersJudge"
    defaults = {"model": model, "dtype": "float32", "device": "cpu"}
    return RoleConfig(role, f"triptych.backends.transformers:{name}", defaults | settings)


def noise(seed: int = 0) -> Picture:
    chance = np.random.default_rng(seed)
    return Picture.from_pixels(chance.integers(0, 255, (64, 96, 3), dtype=np.uint8))


def pair(seed: int = 0) -> JudgeRequest:
    subject = PairSubject(noise(seed), "make the sky red", noise(seed + 1))
    return JudgeRequest(subject, SOFT_FILTER_QUESTIONS)


def judged(judge: TransformersJudge, *requests: JudgeRequest) -> list[tuple[Scored, ...]]:
    answers = asyncio.run(judge.judge(requests))
    assert all(isinstance(one, Metered) and isinstance(one.answer, tuple) for one in answers)
    return [one.answer for one in answers]  # type: ignore[union-attr, misc]


@pytest.mark.parametrize("name", tiny.LANGUAGE_MODELS)
def test_an_expectation_is_finer_than_an_integer_and_keeps_to_the_scale(name: str, model: Model) -> None:
    judge = TransformersJudge(config("soft_filter", model(name)))
    first, again, other = judged(judge, pair(), pair(), pair(5))
    assert first == again
    assert [one.value for one in first] != [one.value for one in other]
    adherence, aesthetics, unasked, pleasing = first
    for score in (adherence, aesthetics):
        chances = json.loads(str(score.raw))
        assert sorted(chances) == ["1", "2", "3", "4", "5"]
        assert sum(chances.values()) == pytest.approx(1, abs=1e-3)
        told = sum(int(answer) * chance for answer, chance in chances.items())
        assert score.value == pytest.approx(told, abs=1e-3)
        assert score.value != round(score.value)
    for answer in (unasked, pleasing):
        assert answer.value == pytest.approx(json.loads(str(answer.raw))["yes"], abs=1e-4)
    (source,) = judged(judge, JudgeRequest(SourceSubject(noise(), "a red house"), SCREEN_QUESTIONS))
    assert all(0 <= one.value <= 1 for one in source)


@pytest.mark.parametrize("name", tiny.LANGUAGE_MODELS)
def test_probabilities_are_the_models_own(name: str, model: Model) -> None:
    """The first answer's, computed here by one plain pass over prompt and dictated beginning."""
    import torch

    from triptych.backends.prompts.judging import judge_prompts

    judge = TransformersJudge(config("soft_filter", model(name)))
    ((adherence, *_),) = judged(judge, pair())
    talking = judge.chat.loaded().model
    (prompt,) = judge_prompts(pair(), judge.look)
    inputs = talking.encoded(prompt)
    start = talking.tokenizer.encode('{"adherence": ', add_special_tokens=False)
    inputs["input_ids"] = torch.cat([inputs["input_ids"], torch.tensor([start])], dim=1)
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    if "mm_token_type_ids" in inputs:
        ids = torch.zeros((1, len(start)), dtype=inputs["mm_token_type_ids"].dtype)
        inputs["mm_token_type_ids"] = torch.cat([inputs["mm_token_type_ids"], ids], dim=1)
    with torch.inference_mode():
        logits = talking.model(**inputs).logits[0, -1]
    ids = [talking.tokenizer.encode(str(score), add_special_tokens=False)[0] for score in range(1, 6)]
    chances = torch.softmax(logits[ids], dim=0)
    expected = float((chances * torch.arange(1.0, 6.0)).sum())
    assert adherence.value == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("name", tiny.LANGUAGE_MODELS)
def test_a_model_that_knows_nothing_still_answers_within_the_schema(name: str, model: Model) -> None:
    judge = TransformersJudge(config("soft_filter", model(name), scores="text"))
    ((adherence, aesthetics, unasked, pleasing),) = judged(judge, pair())
    assert {adherence.value, aesthetics.value} <= {1.0, 2.0, 3.0, 4.0, 5.0}
    assert {unasked.value, pleasing.value} <= {0.0, 1.0}
    assert set(json.loads(str(adherence.raw))) == {one.name for one in SOFT_FILTER_QUESTIONS}
    looking = TransformersJudge(
        config("soft_filter", model(name), scores="text", max_tokens=8, look={"variant": "difference_first"})
    )
    (answer,) = asyncio.run(looking.judge([pair()]))
    assert isinstance(answer, Metered)
    assert isinstance(answer.answer, ModelError)
    assert answer.answer.reason == "cut_short"
    assert answer.receipt.tokens_out


def test_an_adapter_is_worn_by_its_role_alone(tmp_path: Path, model: Model) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForImageTextToText

    torch.manual_seed(1)
    base = AutoModelForImageTextToText.from_pretrained(model("qwen25_vl"))
    lora = LoraConfig(r=4, lora_alpha=64, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    get_peft_model(base, lora).save_pretrained(tmp_path)
    plain = TransformersJudge(config("soft_filter", model("qwen25_vl")))
    before = judged(plain, pair())
    tuned = TransformersJudge(config("validator", model("qwen25_vl"), lora={"path": str(tmp_path)}))
    assert tuned.weights == plain.weights  # one copy in memory
    assert judged(tuned, pair()) != before
    assert judged(plain, pair()) == before
    assert tuned.spec.settings["adapter"] != plain.spec.settings["adapter"]


def test_a_writer_that_knows_nothing_fails_by_name(model: Model) -> None:
    writer = TransformersWriter(config("writer", model("qwen3_vl"), max_tokens=24))
    (answer,) = asyncio.run(writer.write([SceneRequest(seed=0, objects=1, edits=2)]))
    assert isinstance(answer, Metered)
    assert isinstance(answer.answer, ModelError)
    assert answer.answer.reason in ("cut_short", "not_json", "left_out", "wrong_schema")


def test_a_folder_without_a_model_is_told_in_a_line(tmp_path: Path, model: Model) -> None:
    with pytest.raises(UserError, match=r"has no config.json, so it holds no such model"):
        TransformersJudge(config("screen", str(tmp_path))).ready()
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises((WorkFailed, UserError)) as told:
        asyncio.run(TransformersJudge(config("screen", str(tmp_path))).judge([pair()]))
    assert "\n" not in str(told.value)
    assert not isinstance(told.value, CallFailed)
