"""The user's brief: what it draws, what it refuses, and how mined instructions compare with requests."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.backends.obliging import briefs
from tests.backends.server import serving
from tests.backends.test_http_mining import recipe as http_recipe
from triptych.benchmarks.imitation import compare
from triptych.brief import BriefRecipe, draw_categories, read_requests
from triptych.cli.main import main
from triptych.errors import RecipeError
from triptych.mining.opening import write_job
from triptych.recipe import Recipe, load_recipe, parse_recipe
from triptych.runs import mine, open_run

ROLES = dict.fromkeys(("writer", "painter", "screen", "editor", "soft_filter", "validator"), "studio")
REQUESTS = [
    '{"request": "pls remove teh dog"}',
    '{"instruction": "make it  red"}',
    "add a hat",
    '"add a hat"',
]


def parsed(**brief: Any) -> Recipe:
    return Recipe.model_validate({"name": "b", "scenes": 100, "edits_per_scene": 4, "brief": brief} | ROLES)


def test_without_a_brief_a_scene_is_asked_for_as_ever() -> None:
    job = write_job(parsed(), 3)
    assert set(job.asked) == {"seed", "objects", "edits", "categories", "topic"}


def test_topics_styles_and_languages_all_meet() -> None:
    recipe = parsed(topics=["a", "b"], styles=["x", "y"], languages=["en", "de", "fr"])
    jobs = [write_job(recipe, n) for n in range(24)]
    assert len({(j.request.topic, j.request.style, j.request.guide.language) for j in jobs}) == 12
    assert jobs[0].id != write_job(parsed(topics=["a", "b"]), 0).id


def test_categories_are_drawn_by_weight_and_composites_come_last() -> None:
    recipe = parsed(categories={"add": 8, "remove": 1, "color": 1, "weather": 1, "style": 1, "composite": 1})
    jobs = [write_job(recipe, n) for n in range(500)]
    counts = Counter(name for job in jobs for name in job.request.categories)
    assert counts["add"] > 1.5 * counts["weather"]
    for job in jobs:
        assert len(job.request.categories) == 4
        assert ("composite" in job.request.categories) == (job.request.objects > 1)
        assert "composite" not in job.request.categories[:-1]


@given(
    st.dictionaries(st.sampled_from("abcdefg"), st.floats(0.1, 5), min_size=1),
    st.integers(1, 9),
    st.integers(1, 5),
    st.integers(0, 10**6),
)
def test_as_many_categories_are_drawn_as_wanted(
    weights: dict[str, float], count: int, objects: int, seed: int
) -> None:
    drawn = draw_categories(weights, count, objects, seed)
    assert len(drawn) == count
    assert set(drawn) <= set(weights)
    assert len(set(drawn)) == min(count, len(weights))


def test_requests_are_read_and_shown_to_the_writer(tmp_path: Path) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text("\n".join(REQUESTS))
    assert read_requests(file) == ("pls remove teh dog", "make it red", "add a hat")
    text = json.dumps({"name": "b", "scenes": 1, "brief": {"requests": "requests.jsonl"}} | ROLES)
    (tmp_path / "recipe.yaml").write_text(text)
    recipe = load_recipe(tmp_path / "recipe.yaml")
    job = write_job(recipe, 0)
    assert set(job.request.guide.examples) == set(read_requests(file))
    file.unlink()  # a run that is looked at later needs it no more
    again = parse_recipe(json.dumps(recipe.model_dump(mode="json")), origin="run", base=tmp_path)
    assert write_job(again, 0).id == job.id


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"request": "a"}\n{"wish": "b"}', "line 2: no request"),
        (b'{"request": "a"', "line 1: neither JSON nor text"),
        (b"\xff\xfe", "line 1: neither JSON nor text"),
        (b"\n\n", "holds no request"),
    ],
)
def test_a_file_of_requests_that_isnt_one_is_told(tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_bytes(content)
    text = json.dumps({"name": "b", "scenes": 1, "brief": {"requests": str(file)}} | ROLES)
    with pytest.raises(RecipeError, match=told) as refusal:
        parse_recipe(text, origin="recipe", base=tmp_path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("brief", "told"),
    [
        ({"topic": ["a"]}, "did you mean 'topics'"),
        ({"requests": "nowhere.jsonl"}, "can't be read"),
        ({"categories": {"add": 0}}, "greater than 0"),
        ({"categories": {"add": 1}, "taxonomy": {"sparkle": "adds glitter"}}, "isn't in the taxonomy"),
        ({"taxonomy": {"Not A Name": "x"}}, "pattern"),
    ],
)
def test_a_brief_that_cant_be_followed_is_told(brief: dict[str, Any], told: str) -> None:
    text = json.dumps({"name": "b", "scenes": 1, "brief": brief} | ROLES)
    with pytest.raises(RecipeError, match=told):
        parse_recipe(text, origin="recipe", base=Path())


def test_ones_own_taxonomy_reaches_writer_and_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_KEY", "k")
    brief = BriefRecipe(
        topics=("markets",), languages=("German",), taxonomy={"sparkle": "adds glitter"}, banned=("guns",)
    )
    with serving() as server:
        small = http_recipe(server, scenes=2, multiply={"inverse": False}).model_copy(update={"brief": brief})
        mine(small, tmp_path / "run")
        words = server.asked[0].body["messages"][1]["content"][0]["text"]
    assert "sparkle: adds glitter" in words
    assert {(b["topic"], b["language"]) for b in briefs(words)} == {("markets", "German")}
    with open_run(tmp_path / "run") as run:
        edits = [edit for slot in run.slots if slot.state for edit in slot.state.edits]
    assert {edit.category for edit in edits} == {"sparkle"}


# ---- the comparison --------------------------------------------------------------------------------------

THINGS = ["dog", "lamp", "car", "red chair", "tall tree", "old sign", "cup", "blue door", "boat", "cat"]
PLACES = ["on the left", "by the window", "in front", "near the wall", "at the gate", "under the bridge"]


def stiff(count: int) -> list[str]:
    rng = random.Random(1)
    return [f"Please remove the {rng.choice(THINGS)} {rng.choice(PLACES)}, part {n}." for n in range(count)]


def casual(count: int, seed: int = 2) -> list[str]:
    rng = random.Random(seed)
    return [f"get rid of teh {rng.choice(THINGS)} {rng.choice(PLACES)} no {n + seed}" for n in range(count)]


def test_texts_of_one_kind_cant_be_told_apart_and_of_two_kinds_can() -> None:
    texts = casual(400)
    random.Random(0).shuffle(texts)
    alike, apart = compare(texts[:200], texts[200:]), compare(stiff(200), casual(200))
    assert alike.auc is not None
    assert 0.3 < alike.auc < 0.7
    assert apart.auc is not None
    assert apart.auc > 0.99
    assert apart.first_words["get"] == {"mined": 0.0, "requests": 1.0}
    assert sum(share["mined"] for share in apart.words.values()) == pytest.approx(1)


def test_slips_and_what_is_missing_are_seen() -> None:
    usual = [f"take the {thing} away {n}" for n, thing in enumerate(THINGS * 3)]
    slipping = [f"take tha {thing} away {n}" for n, thing in enumerate(THINGS[:2])]
    missing = [f"turn this photo into a watercolour painting {n}" for n in "abcdef"]
    found = compare(usual, [*usual[:20], *slipping, *missing])
    assert found.slips["1"]["requests"] > found.slips.get("1", {}).get("mined", 0)
    assert [cluster.requests for cluster in found.uncovered] == [6]
    assert "watercolour" in found.uncovered[0].examples[0]
    assert found.uncovered_share == pytest.approx(6 / 28)


@given(st.lists(st.text(max_size=30), max_size=12), st.lists(st.text(max_size=30), max_size=12))
def test_any_texts_can_be_compared(mined: list[str], requests: list[str]) -> None:
    found = compare(mined, requests)
    json.dumps(found.told())
    assert found.auc is None or 0 <= found.auc <= 1


def test_status_tells_of_requests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = {"name": "b", "scenes": 2, "sources_per_scene": 1, "attempts": 1, "megapixels": 0.02} | ROLES
    mine(Recipe.model_validate(recipe), tmp_path / "run")
    (tmp_path / "requests.jsonl").write_text("\n".join(casual(30)))
    arguments = ["status", str(tmp_path / "run"), "--requests", str(tmp_path / "requests.jsonl")]
    assert main([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["requests"]
    assert told["mined"] == 10
    assert told["auc"] > 0.8
    assert main(arguments) == 0
    assert "told apart with AUC" in capsys.readouterr().out
