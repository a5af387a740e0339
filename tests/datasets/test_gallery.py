from __future__ import annotations

import base64
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.datasets.made import RECIPE, SPECS, picture, rejected, triplet, triplets
from triptych.datasets.gallery import GalleryData, gallery_data, write_gallery
from triptych.datasets.gallery.funnel import funnel_svg
from triptych.datasets.gallery.thumbnails import LONGEST_SIDE, thumbnail
from triptych.errors import PictureError
from triptych.ledger.images import ImageStore
from triptych.ledger.queries import RoleCost
from triptych.mining.select import FUNNEL_STAGES, RunView, Triplet
from triptych.mining.state import Plan
from triptych.pixels.picture import Picture


class Page(HTMLParser):
    """Elements of a page, and the text of its scripts, as a browser's parser would part them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self.addresses: list[str] = []
        self.tags: Counter[str] = Counter()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.lasttag == "script":
            self.scripts[-1] += data

    @property
    def payload(self) -> dict[str, Any]:
        return orjson.loads(self.scripts[0])  # type: ignore[no-any-return]


def page_of(folder: Path) -> Page:
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def gallery_of(images: ImageStore, made: list[Triplet], **options: int) -> GalleryData:
    view = RunView(
        funnel=dict(zip(FUNNEL_STAGES, (4, 8, 6, 90, 40, 36, 14, len(made)), strict=True)),
        rejections=Counter(adherence=9, dust=4, soft_adherence=30),
        triplets=made,
    )
    stopped = [rejected(500 + n, ("dust", "soft_adherence")[n % 2], images) for n in range(20)]
    costs = {"editor": RoleCost(90, 81.0, 1.8), "writer": RoleCost(4, 0.5)}
    return gallery_data(
        "made",
        Plan(RECIPE, SPECS),
        view,
        stopped,
        costs,  # type: ignore[arg-type]  # a literal's keys
        {"timeout": 3},
        images=images,
        command="triptych mine made.yaml",
        **options,
    )


@pytest.fixture
def images(tmp_path: Path) -> ImageStore:
    return ImageStore(tmp_path / "images")


def test_the_page_holds_every_triplet_and_each_picture_once(tmp_path: Path, images: ImageStore) -> None:
    made = triplets(9, images)
    write_gallery(tmp_path / "report.html", gallery_of(images, made))
    payload = page_of(tmp_path).payload
    assert [row["id"] for row in payload["triplets"]] == [one.id for one in made]
    row, one = payload["triplets"][4], made[4]
    assert (row["instruction"], row["category"]) == (one.edit.instruction, one.edit.category)
    assert (row["adherence"], row["aesthetics"]) == (one.scores.adherence, one.scores.aesthetics)
    assert row["geometric_mean"] == one.scores.geometric_mean
    named = {row[side] for row in payload["triplets"] for side in ("source_image", "edited_image")}
    assert len(named) == 12  # three triplets share each source
    assert named <= payload["images"].keys()
    for image, stored in payload["images"].items():
        assert (tmp_path / stored["file"]).read_bytes() == images.get(image)  # relative to the page
        small = cv2.imdecode(np.frombuffer(base64.b64decode(stored["thumbnail"]), np.uint8), cv2.IMREAD_COLOR)
        assert small is not None
        assert small.shape == (32, 48, 3)


def test_rejections_come_with_examples_of_their_reason(tmp_path: Path, images: ImageStore) -> None:
    write_gallery(tmp_path / "report.html", gallery_of(images, triplets(3, images), examples=4))
    reasons = {one["reason"]: one for one in page_of(tmp_path).payload["rejections"]}
    assert {reason: one["count"] for reason, one in reasons.items()} == {
        "soft_adherence": 30,
        "adherence": 9,
        "dust": 4,
    }
    assert [len(reasons[reason]["pairs"]) for reason in ("soft_adherence", "dust", "adherence")] == [4, 4, 0]
    assert all("(dust)" in pair["instruction"] for pair in reasons["dust"]["pairs"])
    assert {pair["judge"] for pair in reasons["dust"]["pairs"]} == {"soft_filter"}


def test_a_run_without_a_triplet_says_why(tmp_path: Path, images: ImageStore) -> None:
    write_gallery(tmp_path / "report.html", gallery_of(images, []))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "nothing came as far as “selected triplets”, most was stopped by “doesn't do what was asked”" in (
        text.replace("&#x27;", "'")
    )


def test_a_limit_cuts_and_says_so_and_repeats(tmp_path: Path, images: ImageStore) -> None:
    made = triplets(12, images)
    for name in ("report.html", "again.html"):
        write_gallery(tmp_path / name, gallery_of(images, made, limit=5))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == text
    assert "This page shows 5 of 12" in text
    shown = [row["id"] for row in page_of(tmp_path).payload["triplets"]]
    assert len(shown) == 5
    assert shown == [one.id for one in made if one.id in shown]  # in the order of the run


def test_it_is_one_file_that_asks_nobody(tmp_path: Path, images: ImageStore) -> None:
    write_gallery(tmp_path / "report.html", gallery_of(images, triplets(3, images)))
    page = page_of(tmp_path)
    assert all(address.startswith(("#", "data:")) for address in page.addresses)
    assert page.tags["link"] == 1  # the empty icon
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|@import|url\(", text)


def test_missing_and_damaged_pictures_leave_a_page(tmp_path: Path, images: ImageStore) -> None:
    made = triplets(3, images)
    images.path(made[0].attempt.image).unlink()
    images.path(made[1].attempt.image).write_bytes(b"no picture")
    write_gallery(tmp_path / "report.html", gallery_of(images, made))
    payload = page_of(tmp_path).payload
    assert len(payload["triplets"]) == 3
    assert made[0].attempt.image not in payload["images"]
    assert made[1].attempt.image not in payload["images"]
    assert made[2].attempt.image in payload["images"]


def test_an_empty_run_has_a_page_too(tmp_path: Path, images: ImageStore) -> None:
    write_gallery(tmp_path / "report.html", gallery_of(images, []))
    assert page_of(tmp_path).payload["triplets"] == []


@settings(max_examples=30, deadline=None)
@given(
    instruction=st.one_of(
        st.text(max_size=60), st.sampled_from(["</script><script>x()</script>", "<!--", "]]>", '"&\u2028'])
    )
)
def test_no_instruction_breaks_out_of_its_place(
    tmp_path_factory: pytest.TempPathFactory, instruction: str
) -> None:
    folder = tmp_path_factory.mktemp("escape")
    images = ImageStore(folder / "images")
    made = [triplet(0, images, instruction=instruction, prompt=instruction or "none", style=instruction)]
    write_gallery(folder / "report.html", gallery_of(images, made))
    page = page_of(folder)
    assert page.tags["script"] == 2
    assert page.payload["triplets"][0]["instruction"] == instruction


def test_names_and_commands_are_escaped(tmp_path: Path, images: ImageStore) -> None:
    made = gallery_of(images, [])
    hostile = "<img src=x onerror=y()>$title"
    fields = {name: getattr(made, name) for name in made.__dataclass_fields__}
    fields |= {"run_name": hostile, "command": hostile, "failures": {hostile: 1}}
    write_gallery(tmp_path / "report.html", GalleryData(**fields))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<img src=x" not in text
    assert "&lt;img src=x onerror=y()&gt;$title" in text


def test_the_funnel_shows_counts_and_rates_to_scale() -> None:
    counts = (63_292, 1_171_773, 515_584, 3_072_385, 1_321_126, 1_281_492, 471_523, 325_287)
    svg = funnel_svg(dict(zip(FUNNEL_STAGES, counts, strict=True)))
    for said in ("3,072,385", "44.0 % kept", "43.0 % kept", "97.0 % kept", "36.8 % kept", "5.96 per source"):
        assert said in svg
    bars = dict(re.findall(r'data-stage="(\w+)".*?class="(?:kept|last)" width="([\d.]+)%"', svg))
    assert float(bars["attempts"]) == 100
    for stage, count in zip(FUNNEL_STAGES, counts, strict=True):
        assert float(bars[stage]) == pytest.approx(100 * count / max(counts), abs=0.01)


def test_an_empty_funnel_divides_by_nothing() -> None:
    assert "0" in funnel_svg(dict.fromkeys(FUNNEL_STAGES, 0))


@pytest.mark.parametrize(("width", "height"), [(640, 1600), (1600, 640), (1024, 1024), (200, 100), (4000, 3)])
def test_thumbnails_keep_the_aspect_and_the_colours(width: int, height: int) -> None:
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2] = (200, 30, 60)
    pixels[:, width // 2 :] = (20, 120, 220)
    small = Picture.from_encoded(thumbnail(Picture.from_pixels(pixels).encoded("jpeg"))).pixels
    assert max(small.shape[:2]) == min(LONGEST_SIDE, max(width, height))
    shrink = max(small.shape[:2]) / max(width, height)
    assert small.shape[0] == pytest.approx(height * shrink, abs=1)
    assert small.shape[1] == pytest.approx(width * shrink, abs=1)
    quarter = small.shape[1] // 4
    assert np.abs(small[:, quarter].mean(0) - (200, 30, 60)).max() < 6
    assert np.abs(small[:, 3 * quarter].mean(0) - (20, 120, 220)).max() < 6


def test_thumbnails_of_png_and_of_what_is_no_picture() -> None:
    assert Picture.from_encoded(thumbnail(picture(1, image_format="png"))).width == 48
    for broken in (b"", b"text", picture(1)[:40]):
        with pytest.raises(PictureError):
            thumbnail(broken)
