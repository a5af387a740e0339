"""What the server gives to whom: pictures of the run alone, nothing to strangers, nothing that is markup."""

from __future__ import annotations

import http.client
import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.review.conftest import serving
from triptych.ledger.images import ImageStore
from triptych.records import hash_bytes
from triptych.review.live import LiveRun
from triptych.review.security import Access


class Client:
    def __init__(self, url: str) -> None:
        self.url = url
        self.port = urlsplit(url).port

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        body = headers.pop("body", None)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=body, headers=named)
        answer = connection.getresponse()
        told = answer.status, answer.read(), {k.lower(): v for k, v in answer.getheaders()}
        connection.close()
        return told

    def json(self, path: str) -> dict:  # type: ignore[type-arg]
        status, body, _ = self.get(path)
        assert status == 200, body
        return json.loads(body)


@pytest.fixture
def client(run: Path) -> Iterator[Client]:
    with serving([run]) as url:
        yield Client(url)


def a_pair(client: Client) -> dict:  # type: ignore[type-arg]
    return client.json("/api/0/items?stage=kept&kind=forward&limit=1")["items"][0]


def test_a_pair_is_told_in_full(client: Client) -> None:
    pair = a_pair(client)
    told = client.json(f"/api/0/item/{pair['id']}")
    assert {answer["judge"] for answer in told["verdicts"]} == {"soft_filter", "validator"}
    assert {call["role"] for call in told["cost"]} >= {"editor", "soft_filter", "validator"}
    assert [one["what"] for one in told["made_by"]] == ["source picture", "edited picture"]
    assert pair["id"] in {one["id"] for one in told["attempts"]}
    assert told["wordings"][0]["kind"] == "inverse"
    inverse = next(
        one for one in told["lineage"] if one["kind"] == "inverse" and pair["id"] in one["parents"]
    )
    assert (inverse["source"], inverse["edited"]) == (pair["edited"], pair["source"])
    assert client.get("/api/0/item/" + "0" * 32)[0] == 404
    assert client.get("/api/7/item/" + pair["id"])[0] == 404


def test_pictures_and_their_small_ones_are_kept_for_good(client: Client, run: Path) -> None:
    pair = a_pair(client)
    status, full, headers = client.get(f"/full/0/{pair['source']}.jpg")
    assert (status, headers["content-type"]) == (200, "image/jpeg")
    assert hash_bytes(full) == pair["source"]
    assert "immutable" in headers["cache-control"]
    status, small, _ = client.get(f"/small/0/{pair['source']}.jpg")
    assert (status, small[:3]) == (200, b"\xff\xd8\xff")
    kept = run / ".cache" / "thumbnails" / pair["source"][:2] / f"{pair['source']}.jpg"
    assert kept.read_bytes() == small
    written = kept.stat().st_mtime_ns
    client.get(f"/small/0/{pair['source']}.jpg")
    assert kept.stat().st_mtime_ns == written


OUTSIDE = [
    "/full/0/../../ledger.sqlite",
    "/full/0/..%2f..%2fledger.sqlite",
    "/full/0/%2e%2e%2frecipe.yaml",
    "/small/0/..%2f..%2f..%2fetc%2fpasswd",
    "/full/0//etc/passwd",
    "/static/../server.py",
    "/static/..%2fserver.py",
    "/static/vendor/..%2f..%2fsecurity.py",
    "/static/%00",
    "/full/0/" + "a" * 31 + "%0a",
    "/full/-1/" + "a" * 32,
]


@pytest.mark.parametrize("path", OUTSIDE)
def test_no_path_leads_out_of_the_run(client: Client, path: str) -> None:
    status, body, _ = client.get(path)
    assert status in (400, 404, 421), (path, status)
    assert b"SQLite" not in body
    assert b"import" not in body


def test_a_link_out_of_the_run_is_not_followed(client: Client, run: Path, tmp_path: Path) -> None:
    secret = b"\xff\xd8\xff not a picture of this run"
    name = hash_bytes(secret)
    (tmp_path / "secret").write_bytes(secret)
    link = run / "images" / name[:2] / f"{name}.jpg"
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(tmp_path / "secret")
    assert client.get(f"/full/0/{name}")[0] == 404
    cached = run / ".cache" / "thumbnails" / name[:2] / f"{name}.jpg"
    cached.parent.mkdir(parents=True, exist_ok=True)
    cached.symlink_to(tmp_path / "secret")
    assert client.get(f"/small/0/{name}")[0] == 404


def test_a_damaged_picture_and_a_bomb_are_errors_not_pictures(client: Client, run: Path) -> None:
    pair = a_pair(client)
    ImageStore(run / "images").path(pair["edited"]).write_bytes(b"\xff\xd8\xff damaged")
    assert client.get(f"/full/0/{pair['edited']}")[0] == 404

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    status, body, _ = client.get(f"/small/0/{ImageStore(run / 'images').put(bomb)}")
    assert status == 415
    assert b"megapixels" in body


def test_the_page_is_bound_by_headers_and_asks_for_nothing_outside(client: Client) -> None:
    status, page, headers = client.get("/")
    assert status == 200
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert b"http://" not in page
    assert b"https://" not in page
    assert b"<script>" not in page


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "127.0.0.1:1", ""]
)
def test_a_foreign_name_for_this_machine_is_refused(client: Client, host: str) -> None:
    assert client.get("/api/runs", Host=host)[0] == 421
    assert client.get("/api/runs", Host=f"localhost:{client.port}")[0] == 200


def test_bound_elsewhere_the_token_in_the_address_opens_and_then_a_cookie_does(run: Path) -> None:
    with serving([run], host="0.0.0.0") as url:
        client = Client(url)
        assert client.get("/api/runs")[0] == 403
        assert client.get("/")[0] == 403
        assert client.get("/?token=wrong")[0] == 403
        assert client.get("/small/0/" + "a" * 32)[0] == 403
        parts = urlsplit(url)
        status, _, headers = client.get(f"{parts.path}?{parts.query}&view=grid")
        assert (status, headers["location"]) == (303, "/?view=grid")  # it doesn't stay in the address
        cookie = headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert client.get("/api/runs", Cookie=cookie.partition(";")[0])[0] == 200


def test_on_this_machine_there_is_no_token() -> None:
    assert Access.to("127.0.0.1", 80).token is None
    assert Access.to("0.0.0.0", 80).token != Access.to("0.0.0.0", 80).token


def test_bad_questions_are_one_line(client: Client) -> None:
    for query in ("sort=none", "score=1", "offset=x"):
        status, body, _ = client.get(f"/api/0/items?{query}")
        assert status == 400
        assert "\n" not in json.loads(body)["error"]


def test_a_run_of_an_older_recipe_is_read_again_when_that_changes(run: Path) -> None:
    live = LiveRun(run)
    assert live.refresh()
    assert not live.refresh()
    before = live.table.find.__self__.columns["stage"].max()
    recipe = run / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("adherence: 4.7", "adherence: 5.0"))
    assert live.refresh()
    live.close()
    assert live.table.columns["stage"].max() < before == 5
