"""What every endpoint answers from: the open runs, their pictures, and the people who rate them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from triptych.errors import UserError
from triptych.records import Json
from triptych.review.live import LiveRun
from triptych.review.people import People
from triptych.review.pictures import pictures_of
from triptych.review.queue import Leases


class Served:
    """What the endpoints answer from."""

    def __init__(self, runs: Sequence[LiveRun], audit: int | None = None) -> None:
        self.runs = runs
        self.audit = audit  # pairs of a spot check; None: as earlier findings planned
        self.leases = [Leases() for _ in runs]
        self.pictures = [pictures_of(run.images, run.folder) for run in runs]

    def run(self, request: Request) -> LiveRun:
        """The run that the path names."""
        return self.runs[self.number(request)]

    def people_of(self, request: Request, *, writing: bool = False) -> People:
        """Who rated this run; `writing`: UserError where nothing can be stored."""
        run = self.run(request)
        if writing and not run.writable:
            raise UserError("this run's folder can't be written: ratings can't be kept")
        return run.people

    def number(self, request: Request) -> int:
        """Its number."""
        number = int(request.path_params["run"])
        if number >= len(self.runs):
            raise HTTPException(404, "there is no such run")
        return number


def answer(told: Json, sequence: int | None = None) -> Response:
    """JSON; with a sequence, what a later request can be told apart by."""
    headers = {"cache-control": "no-cache"}
    if sequence is not None:
        headers["etag"] = f'"{sequence}"'
    return Response(orjson.dumps(told), media_type="application/json", headers=headers)


def bound(served: Served, endpoint: Callable[[Served, Request], Response]) -> Callable[[Request], Response]:
    """A plain function runs in a thread of the pool: reading SQLite or a picture holds nobody up."""

    def ask(request: Request) -> Response:
        return endpoint(served, request)

    return ask
