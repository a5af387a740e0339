"""The page's writing side: what is asked next, what people say, and what it comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from triptych.errors import UserError
from triptych.records import Json
from triptych.review.agreement import agreement, verdicts
from triptych.review.audit import SpotCheckView
from triptych.review.compare import at_threshold, difference, kept, selected_at
from triptych.review.filters import parse_filter
from triptych.review.index import Table, plain
from triptych.review.people import AXES, People, checked_name
from triptych.review.queue import Asked, next_pair, next_two
from triptych.review.served import Served, answer, bound
from triptych.validator.rule import AxisThresholds

_BLIND = ("id", "source", "edited", "instruction", "width", "height", "category", "kind", "style")
_EXAMPLES = 24


def routes(served: Served) -> list[Route]:
    """Everything about people."""

    def ask(path: str, endpoint: Callable[[Served, Request], Response]) -> Route:
        return Route(path, bound(served, endpoint))

    def say(path: str, endpoint: Callable[[Served, Request, Mapping[str, Any]], Response]) -> Route:
        async def said(request: Request) -> Response:
            return await run_in_threadpool(endpoint, served, request, _object(await request.body()))

        return Route(path, said, methods=["POST"])

    return [
        ask("/api/{run:int}/next", _next),
        ask("/api/{run:int}/two", _two),
        ask("/api/{run:int}/agreement", _agreement),
        ask("/api/{run:int}/audit", _audit),
        ask("/api/{run:int}/threshold", _threshold),
        ask("/api/compare", _compare),
        say("/api/{run:int}/rate", _rate),
        say("/api/{run:int}/prefer", _prefer),
        say("/api/{run:int}/find", _find),
        say("/api/{run:int}/undo", _undo),
    ]


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        told = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise UserError("what is sent is one JSON object") from None
    if not isinstance(told, dict):
        raise UserError("what is sent is one JSON object")
    return told


# ---- rating ----------------------------------------------------------------------------------------------


def _asked(request: Request) -> Asked:
    query = request.query_params
    try:
        overlap = float(query.get("overlap", 0.2))
    except ValueError:
        overlap = -1
    if not 0 <= overlap <= 1:
        raise UserError("overlap is a share, from 0 to 1")
    order = query.get("order", "informative")
    if order not in ("informative", "random"):
        raise UserError(f"order={order}: it is informative or random")
    return Asked(checked_name(query.get("rater", "")), order, overlap, parse_filter(query))  # type: ignore[arg-type]


def _next(served: Served, request: Request) -> Response:
    run = served.run(request)
    people = served.people_of(request)
    asked = _asked(request)
    with people.lock:  # two raters who ask at once are given different pairs
        found = next_pair(run.table, people, served.leases[served.number(request)], asked)
    told: dict[str, Json] = {"done": found.done, "total": found.total, "item": None}
    if found.place is not None:
        told["item"] = shown(run.table, found.place, blind=request.query_params.get("blind") != "0")
    return answer(told)


def shown(table: Table, place: int, *, blind: bool) -> Json:
    """A row for a rater; blind: without any score, stage or reason."""
    item = plain(table, [place])[0]
    return {name: item[name] for name in _BLIND} if blind else item


def _rate(served: Served, request: Request, told: Mapping[str, Any]) -> Response:
    people, pair = served.people_of(request, writing=True), _pair(served, request, told, "pair")
    scores = told.get("scores")
    if not isinstance(scores, dict) or not scores or not all(_is_score(one) for one in scores.values()):
        raise UserError("scores is an object: axis to number")
    if unknown := set(scores) - set(AXES):
        raise UserError(f"axis {sorted(unknown)[0]!r}: it is one of {', '.join(AXES)}")
    people.rate(told.get("rater", ""), pair, scores, told.get("reason"))
    return answer({"stored": True})


def _two(served: Served, request: Request) -> Response:
    run, people = served.run(request), served.people_of(request)
    found = next_two(run.table, people, _asked(request))
    told: dict[str, Json] = {"done": found.done, "total": found.total, "items": None}
    if found.places is not None:
        told["items"] = [shown(run.table, place, blind=True) for place in found.places]
    return answer(told)


def _prefer(served: Served, request: Request, told: Mapping[str, Any]) -> Response:
    people = served.people_of(request, writing=True)
    pair, other = (_pair(served, request, told, name) for name in ("pair", "other"))
    preferred = told.get("preferred")
    if not _is_score(preferred) or pair == other:
        raise UserError("preferred is 1, 0, 0.5 or null, of two different pairs")
    people.prefer(told.get("rater", ""), pair, other, preferred, told.get("reason"))
    return answer({"stored": True})


def _undo(served: Served, request: Request, told: Mapping[str, Any]) -> Response:
    people = served.people_of(request, writing=True)
    pair = people.undo(told.get("rater", ""), str(told.get("what", "rate")))
    item: Json = None
    table = served.run(request).table
    if pair is not None and pair in table.by_id:
        item = shown(table, table.by_id[pair], blind=True)
    return answer({"pair": pair, "item": item})


def _agreement(served: Served, request: Request) -> Response:
    run, people = served.run(request), served.people_of(request)
    with people.lock:
        return answer(agreement(run.table, people.standing_ratings(), list(people.findings.values())))


# ---- spot check ------------------------------------------------------------------------------------------


def _audit(served: Served, request: Request) -> Response:
    run, people = served.run(request), served.people_of(request)
    view = SpotCheckView(run.table, people, served.audit)
    return answer(view.told(request.query_params.get("rater", "")))


def _find(served: Served, request: Request, told: Mapping[str, Any]) -> Response:
    people, pair = served.people_of(request, writing=True), _pair(served, request, told, "pair")
    view = SpotCheckView(served.run(request).table, people, served.audit)
    if pair not in view.sample:
        raise UserError("this pair isn't in the sample of the spot check")
    note = told.get("note")
    people.find(told.get("rater", ""), pair, told.get("flaw"), view.planned, str(note) if note else None)
    return answer({"stored": True})


# ---- comparing -------------------------------------------------------------------------------------------


def _threshold(served: Served, request: Request) -> Response:
    run, people = served.run(request), served.people_of(request)
    at = _thresholds(request, "", run.plan.recipe.rule.threshold)
    return answer(at_threshold(run.table, at, _good(people)), run.sequence)


def _compare(served: Served, request: Request) -> Response:
    query = request.query_params
    sides = []
    for name in ("a", "b"):
        try:
            run = served.runs[int(query.get(name, 0))]
        except (ValueError, IndexError):
            raise HTTPException(404, "there is no such run") from None
        if query.get(f"at_{name}"):
            at = _thresholds(request, f"at_{name}", run.plan.recipe.rule.threshold)
            sides.append((run.table, selected_at(run.table, at)))
        else:
            sides.append((run.table, kept(run.table)))
    return answer(difference(*sides[0], *sides[1], _EXAMPLES))


def _thresholds(request: Request, name: str, own: AxisThresholds) -> AxisThresholds:
    query = request.query_params
    try:
        if name:
            values = [float(query[name])] * 2
        else:
            values = [float(query.get(axis, getattr(own, axis))) for axis in ("adherence", "aesthetics")]
    except ValueError:
        values = [0]
    if not all(1 <= value <= 5 for value in values):
        raise UserError("a threshold is a number from 1 to 5")
    return AxisThresholds(adherence=values[0], aesthetics=values[1])


def _good(people: People) -> dict[str, bool]:
    with people.lock:
        return verdicts(people.standing_ratings(), list(people.findings.values()))


def _pair(served: Served, request: Request, told: Mapping[str, Any], name: str) -> str:
    pair = told.get(name)
    if not isinstance(pair, str) or pair not in served.run(request).table.by_id:
        raise UserError(f"{name}: no pair of this run")
    return pair


def _is_score(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
