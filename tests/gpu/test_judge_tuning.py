"""A local judge tuned on ratings, on tiny models of the real classes with random weights."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson
import pytest

from tests.gpu import tiny
from triptych.backends.transformers import JudgeSettings, TransformersJudge
from triptych.errors import UserError
from triptych.pixels.picture import Picture
from triptych.records import Pair, Rating
from triptych.roles import VALIDATOR_QUESTIONS, JudgeRequest, Metered, PairSubject, RoleConfig
from triptych.training.local_judge import Schedule, tune
from triptych.training.rated_pairs import RatedPair, rated_pairs
from triptych.validator.evidence import is_held_out

pytestmark = pytest.mark.filterwarnings("ignore")  # the libraries' own, about each other
Model = Callable[[str], str]


def picture(name: str) -> Picture:
    """A source, or an edit that is bright where people like it."""
    level = {"good": 230, "bad": 20}.get(name.split("-")[0], 120)
    pixels = np.random.default_rng(abs(hash(name)) % 1000).integers(-15, 15, (48, 48, 3)) + level
    return Picture.from_pixels(np.clip(pixels, 0, 255).astype(np.uint8))


def examples(count: int) -> list[RatedPair]:
    made = []
    for number in range(count):
        liked = number % 2 == 0
        edited = f"{'good' if liked else 'bad'}-{number}"
        pair = Pair(f"{number:032x}", f"source-{number}", "make the sky red", edited)
        score = 4.6 if liked else 4.1  # a random model hardly sees; that people like most of it, it can learn
        made.append(RatedPair(pair, {"adherence": score, "aesthetics": score}))
    return made


def judged(model: str, lora: Path | None, edited: str) -> list[float]:
    settings = {"model": model, "dtype": "float32", "device": "cpu"}
    if lora is not None:
        settings["lora"] = {"path": str(lora)}  # type: ignore[assignment]
    judge = TransformersJudge(
        RoleConfig("validator", "triptych.backends.transformers:TransformersJudge", settings)
    )
    subject = PairSubject(picture("source-0"), "make the sky red", picture(edited))
    (answer,) = asyncio.run(judge.judge([JudgeRequest(subject, VALIDATOR_QUESTIONS)]))
    assert isinstance(answer, Metered)
    assert isinstance(answer.answer, tuple)
    return [one.value for one in answer.answer]  # type: ignore[union-attr]


@pytest.mark.parametrize("name", tiny.LANGUAGE_MODELS)
def test_the_loss_falls_and_the_adapter_reloads_and_changes_the_scores(
    name: str, model: Model, tmp_path: Path
) -> None:
    folder = model(name)
    before = judged(folder, None, "good-0")
    settings = JudgeSettings(model=folder, dtype="float32", device="cpu")
    schedule = Schedule(epochs=5, batch=4, learning_rate=1e-2, rank=8)
    found = tune(settings, examples(16), picture, tmp_path / "judge", schedule)
    assert len(found.losses) == 20
    assert np.mean(found.losses[-6:]) < 0.8 * np.mean(found.losses[:3])
    assert (tmp_path / "judge" / "adapter_model.safetensors").exists()
    card = orjson.loads((tmp_path / "judge" / "tuning.json").read_bytes())
    assert (card["pairs"], card["rank"], card["last_loss"]) == (16, 8, found.losses[-1])
    tuned = judged(folder, tmp_path / "judge", "good-0")
    assert np.mean(tuned) > np.mean(before) + 0.3
    assert judged(folder, None, "good-0") == before  # the plain model is untouched
    with pytest.raises(UserError, match="isn't empty"):
        tune(settings, examples(16), picture, tmp_path / "judge", schedule)


def test_held_out_sources_are_left_for_the_report() -> None:
    pairs = [Pair(f"p{n}", f"s{n % 60}", "do it", f"e{n}") for n in range(120)]
    ratings = [
        Rating(pair.id, rater, axis, 0, 3.0 + (rater == "ann"))
        for pair in pairs
        for rater in ("ann", "bob")
        for axis in ("adherence", "aesthetics")
    ]
    found = rated_pairs(pairs, ratings, 0.5, {})
    assert 20 <= len(found) < 100
    assert {example.scores["adherence"] for example in found} == {3.5}  # each rater's bias taken off
    assert len(rated_pairs(pairs, ratings, 0.0, {})) == 120
    fitted = next(pair.source_image for pair in pairs if not is_held_out(pair.source_image, 0.5))
    of_one_picture = dict.fromkeys((pair.id for pair in pairs), fitted)
    assert len(rated_pairs(pairs, ratings, 0.5, of_one_picture)) == 120  # what they come of decides
    with pytest.raises(UserError, match="too few to tune"):
        rated_pairs(pairs[:10], ratings, 0.0, {})
