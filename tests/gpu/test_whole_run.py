"""The whole loop with real model classes in every role, tiny: facts are right, failures are named."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from triptych.ledger.run import RunFolder
from triptych.ledger.verify import verify
from triptych.recipe import Recipe
from triptych.records import Attempt, Call, Source, Verdict
from triptych.runs import Stopper, mine, mine_open, open_for_mining, open_run

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # the libraries warn about each other

SCENES = 20


def recipe(model: Callable[[str], str], **changes: Any) -> Recipe:
    """One language model writes and judges, one pipeline paints and edits: two processes."""
    here = {"dtype": "float32", "device": "cpu"}
    language = {"model": model("writing"), **here}
    pipeline = {"model": model("klein"), "steps": 1, **here}
    judge = {"backend": "tests.gpu.local:Judge", "settings": language}
    # Models that know nothing score anything: the rule takes whatever was scored at all.
    lenient = {"threshold": 1.0, "soft_adherence": 1.0, "soft_aesthetics": 1.0, "soft_unasked_change": 1.0}
    lenient |= {"soft_pleasing": 0.0, "shows_prompt": 0.0, "looks_right": 0.0, "largest_component": 0.0}
    values: dict[str, Any] = {
        "name": "tiny",
        "scenes": SCENES,
        "sources_per_scene": 1,
        "edits_per_scene": 1,
        "attempts": 1,
        "megapixels": 0.02,
        "categories": ["remove_object"],
        "image_format": "png",
        "writer": {
            "backend": "tests.gpu.local:Writer",
            "settings": language | {"max_tokens": 200, "temperature": 0.7},
        },
        "painter": {"backend": "diffusers", "settings": pipeline | {"batch": 2}},
        "screen": judge,
        "editor": {"backend": "diffusers", "settings": pipeline},
        "soft_filter": judge,
        "validator": judge,
        "rule": lenient,
    }
    return Recipe.model_validate(values | changes)


def _killed_midway(plan: Recipe, path: Path, events: int) -> None:
    stoppers: list[Stopper] = []
    seen = 0

    def watch(_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == events:
            stoppers[0].kill()

    with open_for_mining(plan, path) as run:
        asyncio.run(mine_open(run, watch, stoppers.append))


def test_a_run_of_real_models_is_killed_goes_on_and_its_facts_are_right(
    tmp_path: Path, model: Callable[[str], str]
) -> None:
    plan, path = recipe(model), tmp_path / "run"
    _killed_midway(plan, path, 2 * SCENES)
    mine(plan, path)
    folder = RunFolder.existing(path)
    with folder.open_ledger(read_only=True) as ledger:
        calls = list(ledger.facts(Call))
        sources, attempts = list(ledger.facts(Source)), list(ledger.facts(Attempt))
        verdicts = list(ledger.facts(Verdict))
    assert verify(folder) == []
    written = Counter((call.outcome, call.reason) for call in calls if call.role == "writer")
    assert written["made", None] >= SCENES // 2
    assert all(reason for outcome, reason in written if outcome != "made")
    assert set(Counter(call.job_id for call in calls if call.outcome == "made").values()) == {1}
    assert len(sources) >= SCENES // 2
    assert len({(source.width, source.height) for source in sources}) > 3
    assert attempts
    assert all(verdict.value is not None for verdict in verdicts)
    scores = [v.value for v in verdicts if v.question in ("adherence", "aesthetics")]
    assert all(value is not None and 1 < value < 5 for value in scores)
    assert all(call.tokens_in and call.tokens_out for call in calls if call.role == "validator")
    with open_run(path) as run:
        triplets = list(run.view().triplets)
        assert triplets
        assert not run.owed()
        for triplet in triplets:
            assert triplet.source.image != triplet.attempt.image
