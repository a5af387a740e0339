"""Scenes that say nearly what an earlier one says are asked for again, in later commands too."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.backends.obliging import briefs
from tests.backends.server import obliging_chat, serving
from tests.backends.test_http_mining import facts, recipe
from triptych.mining.distinct import NEAR, DistinctScenes
from triptych.records import Call, Scene
from triptych.runs import mine, open_run

SENTENCE = (
    "a red boat lies on the sand by an old pier under grey clouds while two gulls wait for bread at noon"
)
WORDS = SENTENCE.split()


@given(st.lists(st.sampled_from(WORDS), min_size=10, max_size=30), st.integers(0, 10**6))
def test_a_text_is_near_its_own_variation_and_never_itself(words: list[str], seed: int) -> None:
    text = " ".join(words)
    known = DistinctScenes([text])
    assert known.near(text) is None
    changed = [*words]
    changed[random.Random(seed).randrange(len(words))] = "zebra"
    varied = " ".join(changed)
    mine_, theirs = ({*pairwise(w)} for w in (changed, words))
    expected = len(mine_) >= 8 and len(mine_ & theirs) >= NEAR * len(mine_ | theirs)
    assert (known.near(varied) == text) == expected


def test_a_writer_that_repeats_itself_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_KEY", "a-key-that-is-long-enough")
    said = {"turn": 0}

    def repeating(words: str, pictures: list[bytes], schema: dict[str, Any], seed: int) -> str:
        reply = json.loads(obliging_chat(words, pictures, schema, seed))
        if "scenes" in reply:
            for scene, brief in zip(reply["scenes"], briefs(words), strict=True):
                said["turn"] += 1
                own = f"{SENTENCE} {said['turn']}" if said["turn"] in (1, 2, 5) else f"another scene {said}"
                scene["prompt"] = own + f" {brief['number']}"
        return json.dumps(reply)

    with serving(chat=repeating) as server:
        small = recipe(server, scenes=2, attempts=1, multiply={"inverse": False})
        mine(small, tmp_path / "run")  # the second scene repeats the first
        larger = small.model_copy(update={"scenes": 3})
        said["turn"] = 4
        mine(larger, tmp_path / "run")  # the third repeats what an earlier command wrote
    failed = [call.reason for call in facts(tmp_path / "run", Call) if call.role == "writer" and call.reason]
    assert failed == ["near_duplicate_scene"] * 2
    assert len(facts(tmp_path / "run", Scene)) == 3
    with open_run(tmp_path / "run") as run:
        assert run.view().funnel["scenes"] == 3
