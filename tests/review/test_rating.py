"""People rate, compare and spot-check on the page; what they say is in the ledger."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.review.conftest import serving, shot, when
from tests.review.test_server import Client
from triptych.ledger import queries
from triptych.ledger.run import RunFolder
from triptych.records import Finding, Rating
from triptych.review.people import WITHDRAWN, People

Open = Callable[..., Any]


def facts(run: Path, record: type) -> list[Any]:
    with RunFolder(run).open_ledger(read_only=True) as ledger:
        return list(ledger.facts(record))


def standing(run: Path) -> dict[tuple[str, str, str], float]:
    with RunFolder(run).open_ledger(read_only=True) as ledger:
        return {(said.pair_id, said.rater, said.axis): said.score for said in queries.ratings(ledger)}


def shown(page: Any) -> str:
    page.wait_for_selector(".judge")
    return str(page.get_attribute(".judge", "data-id"))


def rate(page: Any, keys: str) -> str:
    """Press keys, the last of which stores and goes on; which pair it was."""
    pair = shown(page)
    for key in keys:
        page.keyboard.press(key)
    when(page, f"document.querySelector('.judge')?.dataset.id !== '{pair}'")
    return pair


def test_twenty_pairs_rated_by_keyboard_are_in_the_ledger_after_a_reload(opened: Open, run: Path) -> None:
    with serving([run]) as url:
        page = opened(url + "?view=rate")
        page.fill("[name=rater]", "Ann")
        page.keyboard.press("Enter")
        wanted: dict[tuple[str, str, str], float] = {}
        for number in range(20):
            adherence, aesthetics, accept = 1 + number % 5, 1 + (number * 3) % 5, number % 3 > 0
            pair = rate(page, f"{adherence}{aesthetics}{'a' if accept else 'r'}")
            wanted[pair, "Ann", "adherence"] = adherence
            wanted[pair, "Ann", "aesthetics"] = aesthetics
            wanted[pair, "Ann", "accept"] = accept
        assert len({pair for pair, _, _ in wanted}) == 20
        assert "20 of" in page.inner_text(".progress [role=status]")
        shot(page, "rate")
        here = shown(page)
        page.reload()
        assert shown(page) == here  # it goes on where it was left, under the same name
        assert "20 of" in page.inner_text(".progress [role=status]")
        when(page, "document.querySelector('.agreement')")
        assert standing(run) == wanted


def test_blind_means_that_no_score_reaches_the_page(opened: Open, run: Path) -> None:
    with serving([run]) as url:
        client = Client(url)
        item = client.json("/api/0/next?rater=ann")["item"]
        assert not {"score", "adherence", "margin", "stage", "reason", "soft_adherence"} & set(item)
        assert "margin" in client.json("/api/0/next?rater=ann&blind=0")["item"]
        page = opened(url + "?view=rate&rater=ann")
        shown(page)
        assert "validator" not in page.inner_text(".judge").lower()
        page.goto(url + "?view=rate&rater=ann&blind=0")
        shown(page)
        assert "validator" in page.inner_text(".judge").lower()


def test_undo_and_skip_are_facts_too(opened: Open, run: Path) -> None:
    with serving([run]) as url:
        page = opened(url + "?view=rate&rater=ann&order=random")
        first = rate(page, "45a")
        page.keyboard.press("u")
        when(page, f"document.querySelector('.judge')?.dataset.id === '{first}'")
        assert standing(run) == {}
        assert rate(page, "22r") == first
        skipped = shown(page)
        page.keyboard.press("s")
        page.wait_for_selector(".skips")
        page.keyboard.press("3")
        when(page, f"document.querySelector('.judge')?.dataset.id !== '{skipped}'")
        page.reload()
        assert shown(page) not in (first, skipped)
    said = facts(run, Rating)
    assert {(r.pair_id, r.axis, r.sitting, r.score) for r in said if r.axis == "accept"} == {
        (first, "accept", 0, 1.0),
        (first, "accept", 1, None),
        (first, "accept", 2, 0.0),
        (skipped, "accept", 0, None),
    }
    assert {r.reason for r in said if r.score is None} == {WITHDRAWN, "skipped: instruction unclear"}
    assert all(r.rated_at for r in said)


def test_two_raters_at_once_share_some_pairs_and_part_the_others(opened: Open, run: Path) -> None:
    with serving([run]) as url:
        pages = [opened(f"{url}?view=rate&rater={name}&overlap=0.5&order=random") for name in ("ann", "bob")]
        rated: list[list[str]] = [[], []]
        for number in range(12):
            for mine, page in zip(rated, pages, strict=True):
                mine.append(rate(page, f"{1 + number % 5}{1 + number % 4}a"))
        page = pages[0]
        page.reload()
        when(page, "document.querySelector('[data-between=adherence]')")
        shared = set(rated[0]) & set(rated[1])
        assert 0 < len(shared) < 12
        assert page.inner_text("[data-between=adherence] td:nth-child(2)") == str(len(shared))
        shot(page, "agreement")
    kept = standing(run)
    assert {(pair, rater) for pair, rater, _ in kept} == {
        (pair, rater) for rater, mine in zip(("ann", "bob"), rated, strict=True) for pair in mine
    }
    assert len(kept) == 3 * 24


def test_of_two_attempts_the_better_one_is_kept_whichever_side_it_stood_on(opened: Open, run: Path) -> None:
    with serving([run]) as url:
        page = opened(url + "?view=rate&rater=ann&what=two")
        said = []
        for key, worth in (("a", 1.0), ("b", 0.0), ("t", 0.5)):
            page.wait_for_selector(".two")
            left, right = page.get_attribute(".two", "data-ids").split()
            page.keyboard.press(key)
            when(page, f"document.querySelector('.two')?.dataset.ids !== '{left} {right}'")
            said.append((left, right, worth) if left < right else (right, left, 1 - worth))
        shot(page, "two")
    with RunFolder(run).open_ledger(read_only=True) as ledger:
        kept = {(one.pair_id, one.other_id, one.preferred) for one in queries.comparisons(ledger)}
    assert kept == set(said)


def test_the_spot_check_is_blind_counts_flaws_and_bounds_the_precision(opened: Open, run: Path) -> None:
    with serving([run], audit=8) as url:
        told = Client(url).json("/api/0/audit?rater=ann")
        assert set(told["item"]) == {"id", "source", "edited", "instruction", "width", "height"}
        page = opened(url + "?view=audit&rater=ann")
        seen = [rate(page, key) for key in "aaa1aaa"]
        shot(page, "audit")
        shown(page)
        page.keyboard.press("a")
        page.wait_for_selector("text=All looked at")
        assert "7 of 8" in page.inner_text(".summary")
        bound = page.inner_text("[data-bound]")
        assert re.match(r"5[0-9] %", bound)  # 7 of 8 good: no lower than 53 %
        assert len(set(seen)) == 7
    found = facts(run, Finding)
    assert sorted(one.flaw for one in found) == ["none"] * 7 + ["source"]
    assert {one.planned for one in found} == {8}


def test_the_most_informative_come_first_and_random_is_another_order(run: Path) -> None:
    with serving([run]) as url:
        client = Client(url)
        first = client.json("/api/0/next?rater=ann&blind=0&order=informative")["item"]
        pool = client.json(
            "/api/0/items?passed=low_level&kind=forward,inverse,composite,chain,stack&limit=500"
        )
        nearest = min(abs(item["margin"]) for item in pool["items"] if item["margin"] is not None)
        assert abs(first["margin"]) <= nearest + 0.3
        other = client.json("/api/0/next?rater=bob&blind=0&order=random")["item"]
        assert other["id"] != first["id"]
        assert client.get("/api/0/next?rater=ann&order=best")[0] == 400


def say(client: Client, path: str, told: dict[str, Any], **headers: str) -> int:
    own = {"Origin": f"http://127.0.0.1:{client.port}", "Content-Type": "application/json"}
    return client.get(path, "POST", body=json.dumps(told), **(own | headers))[0]


def test_writes_come_from_the_page_itself_and_are_checked(run: Path) -> None:
    with serving([run]) as url:
        client = Client(url)
        pair = client.json("/api/0/next?rater=ann")["item"]["id"]
        good = {"rater": "ann", "pair": pair, "scores": {"adherence": 4}}
        assert say(client, "/api/0/rate", good, Origin="http://evil.example") == 403
        assert say(client, "/api/0/rate", good, Origin="null") == 403
        assert (
            client.get("/api/0/rate", "POST", body=json.dumps(good), Content_Type="application/json")[0]
            == 403
        )
        assert say(client, "/api/0/rate", good, **{"Content-Type": "text/plain"}) == 415
        assert say(client, "/api/0/rate", good | {"reason": "x" * 70_000}) == 413
        assert say(client, "/api/0/rate", good, Host="evil.example") == 421
        wrong: list[dict[str, Any]] = [
            good | {"rater": ""},
            good | {"rater": "x" * 61},
            good | {"pair": "0" * 32},
            good | {"scores": {"adherence": 6}},
            good | {"scores": {"adherence": True}},
            good | {"scores": {"adherence": "4"}},
            good | {"scores": {"beauty": 4}},
            good | {"scores": {"accept": None}},
            good | {"scores": {}},
            {"rater": "ann"},
        ]
        assert [say(client, "/api/0/rate", told) for told in wrong] == [400] * len(wrong)
        assert say(client, "/api/0/find", {"rater": "ann", "pair": pair, "flaw": "none"}) == 400  # no audit
        assert facts(run, Rating) == []
        assert say(client, "/api/0/rate", good) == 200
        assert len(facts(run, Rating)) == 1


def test_what_another_process_wrote_is_seen_and_not_overwritten(run: Path) -> None:
    with RunFolder(run).open_ledger() as ledger:
        here, there = People(ledger), People(ledger)
        here.rate("ann", "p" * 32, {"adherence": 3})
        there.rate("ann", "p" * 32, {"adherence": 5})
        assert [said.sitting for said in ledger.facts(Rating)] == [0, 1]
        assert here.standing_ratings()[0].score == 3
        here.read()
        assert here.standing_ratings()[0].score == 5


@pytest.mark.parametrize("name", ["", "   ", "a\nb\x00", "<b>"])
def test_a_rater_has_a_name(run: Path, name: str) -> None:
    with serving([run]) as url:
        client = Client(url)
        told = {
            "rater": name,
            "pair": client.json("/api/0/next?rater=x")["item"]["id"],
            "scores": {"accept": 1},
        }
        assert say(client, "/api/0/rate", told) == 400
