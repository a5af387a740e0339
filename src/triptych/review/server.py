"""The review page's server: a thin face over the index, the ledger's queries and the stored pictures."""

from __future__ import annotations

import mimetypes
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any, Final

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from triptych.errors import MissingImage, PictureError, UserError
from triptych.pixels.picture import media_type
from triptych.records import Json
from triptych.review import said
from triptych.review.detail import detail
from triptych.review.filters import parse_filter
from triptych.review.index import plain
from triptych.review.live import LiveRun, Watcher
from triptych.review.overview import overview, reason_words
from triptych.review.security import Access, Guard
from triptych.review.served import Served, answer, bound

_IMMUTABLE: Final = {"cache-control": "private, max-age=31536000, immutable"}  # named by their own hash
_MOST_ITEMS: Final = 500
PAGE: Final = files("triptych.review").joinpath("page")
LOOK: Final = files("triptych.datasets.gallery").joinpath(
    "look.css"
)  # the gallery's, so that both look alike
ASSETS: Final = (
    "app.js",
    "parts.js",
    "served.js",
    "grid.js",
    "triplet.js",
    "compare_pictures.js",
    "overview.js",
    "rate.js",
    "compare.js",
    "audit.js",
    "bundled.js",
    "page.css",
    "vendor/preact-htm.module.js",
)


def asset(name: str) -> bytes:
    """One of the page's own files."""
    return LOOK.read_bytes() if name == "look.css" else PAGE.joinpath(name).read_bytes()


def application(runs: Sequence[LiveRun], access: Access, *, audit: int | None = None) -> Starlette:
    """The application over open runs; it follows them while it is up. `audit`: pairs of a spot check."""
    served = Served(runs, audit)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        watcher = Watcher(runs)
        watcher.start()
        try:
            yield
        finally:
            watcher.stop()

    routes = [
        Route("/", _page),
        Route("/static/{name:path}", _asset),
        Route("/api/runs", bound(served, _runs)),
        Route("/api/{run:int}/overview", bound(served, _overview)),
        Route("/api/{run:int}/items", bound(served, _items)),
        Route("/api/{run:int}/item/{id}", bound(served, _item)),
        *said.routes(served),
        Route("/small/{run:int}/{image}", bound(served, _small)),
        Route("/full/{run:int}/{image}", bound(served, _full)),
    ]
    middleware = [Middleware(Guard, access=access), Middleware(GZipMiddleware, minimum_size=2048)]
    handlers: dict[Any, Any] = {UserError: _told(400), MissingImage: _told(404), PictureError: _told(415)}
    return Starlette(routes=routes, middleware=middleware, lifespan=lifespan, exception_handlers=handlers)


def _told(code: int) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def tell(_: Request, error: Exception) -> Response:
        body = orjson.dumps({"error": str(error)})
        return Response(body, code, media_type="application/json")

    return tell


def _page(_: Request) -> Response:
    return Response(asset("index.html"), media_type="text/html", headers={"cache-control": "no-cache"})


def _asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name != "look.css" and name not in ASSETS:
        raise HTTPException(404)
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Response(asset(name), media_type=kind, headers={"cache-control": "no-cache"})


def runs_told(served: Served) -> list[Json]:
    """The runs, how far each is read, and what is wrong with it."""
    return [
        {
            "name": run.name,
            "sequence": run.sequence,
            "rows": len(run.table.rows),
            "read": run.read,
            "to_read": run.to_read,
            "ready": run.sequence > 0,
            "trouble": run.trouble,
            "writable": run.writable,
            "said": run.people.turn,
            "audit": served.audit,
            "threshold": run.plan.recipe.rule.threshold.model_dump(),
        }
        for run in served.runs
    ]


def _runs(served: Served, request: Request) -> Response:
    state = tuple((run.sequence, run.read, run.trouble, run.people.turn) for run in served.runs)
    tag = f'"{abs(hash(state)):x}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"etag": tag})
    body = orjson.dumps({"runs": runs_told(served), "static": False})
    return Response(body, media_type="application/json", headers={"etag": tag, "cache-control": "no-cache"})


def _overview(served: Served, request: Request) -> Response:
    run = served.run(request)
    return answer(overview(run), run.sequence)


def _items(served: Served, request: Request) -> Response:
    run = served.run(request)
    table, sequence = run.table, run.sequence
    query = request.query_params
    wanted = parse_filter(query)
    try:
        first = max(0, int(query.get("offset", 0)))
        count = min(_MOST_ITEMS, max(0, int(query.get("limit", 60))))
    except ValueError:
        raise UserError("offset and limit are numbers") from None
    places = table.find(wanted)
    told: dict[str, Json] = {
        "total": len(places),
        "offset": first,
        "sequence": sequence,
        "items": [*plain(table, places[first : first + count])],
    }
    if query.get("facets"):
        told["facets"] = table.facets(wanted)
        told["reasons"] = {word: reason_words(word) for word in table.words["reason"] if word}
    if query.get("around"):  # where an item is in this order, so that the next one can be walked to
        place = table.by_id.get(query["around"], -1)
        found = (places == place).nonzero()[0]
        told["at"] = int(found[0]) if len(found) else None
    return answer(told, sequence)


def _item(served: Served, request: Request) -> Response:
    run = served.run(request)
    told = detail(run, request.path_params["id"])
    if told is None:
        raise HTTPException(404, "there is no such picture in this run")
    return answer(told, run.sequence)


def _small(served: Served, request: Request) -> Response:
    data = served.pictures[served.number(request)].small(request.path_params["image"].removesuffix(".jpg"))
    return Response(data, media_type="image/jpeg", headers=_IMMUTABLE)


def _full(served: Served, request: Request) -> Response:
    data = served.pictures[served.number(request)].full(request.path_params["image"].removesuffix(".jpg"))
    return Response(data, media_type=media_type(data), headers=_IMMUTABLE)
