"""Writes the gallery: template, style, script and data, all in one file that needs no network."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

import orjson

from triptych.datasets.gallery.content import GalleryData, GalleryPair
from triptych.datasets.gallery.funnel import funnel_svg, stage_in_words
from triptych.datasets.gallery.thumbnails import thumbnail
from triptych.errors import MissingImage, PictureError, WorkFailed
from triptych.ledger.images import ImageStore
from triptych.ledger.queries import RoleCost
from triptych.mining.select import KINDS
from triptych.records import Json

_REASONS = {
    "screen_shows_prompt": "The source doesn't show its prompt",
    "screen_looks_right": "The source has visible flaws",
    "soft_adherence": "Doesn't do what was asked",
    "soft_aesthetics": "Doesn't look good",
    "soft_unasked_change": "Changes more than was asked",
    "soft_pleasing": "Not pleasing, or not clearly doable",
    "nothing_changed": "Nothing changed",
    "dust": "Scattered specks instead of an edit",
    "shifted": "The rest of the picture moved",
    "zoomed": "The rest of the picture was scaled",
    "adherence": "Adherence below the threshold",
    "aesthetics": "Aesthetics below the threshold",
    "parent_dropped": "What it was made from was dropped",
    "backward_inconsistent": "Its inverse doesn't lead to the source",
}


def write_gallery(path: Path, data: GalleryData) -> None:
    """Write the page to `path`. Links to full pictures are relative to its folder.

    A picture that is missing or damaged leaves an empty frame. WorkFailed where the page can't be written.
    """
    page = _template("page.html").substitute(
        title=escape(data.run_name),
        command=escape(data.command),
        summary=_summary(data),
        funnel=funnel_svg(data.funnel),
        thresholds=_table(data.thresholds.items()),
        costs=_table((role.replace("_", " "), _cost(cost)) for role, cost in data.costs.items()),
        failures=_table((reason.replace("_", " "), f"{count:,}") for reason, count in data.failures.items()),
        style=_text("look.css") + _text("page.css"),
        script=_text("page.js"),
        payload=_payload(path.parent, data),
    )
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(page, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise WorkFailed(f"{path} can't be written ({error.strerror}): mend that and run again") from error


def reason_in_words(reason: str) -> str:
    """A reason as the page words it."""
    for kind in KINDS[1:]:
        stem = reason.removeprefix(f"{kind}_")
        if stem != reason:
            return f"{kind.capitalize()}: {_lowered(reason_in_words(stem))}"
    if "unscored_" in reason:
        judge, _, why = reason.partition("unscored_")
        return f"{judge.replace('_', ' ') or 'validator '}gave no score: {why.replace('_', ' ')}".capitalize()
    return _REASONS.get(reason, reason.replace("_", " ").capitalize())


def _lowered(words: str) -> str:
    return words[:1].lower() + words[1:]


def _summary(data: GalleryData) -> str:
    selected, attempts = data.funnel.get("selected", 0), data.funnel.get("attempts", 0)
    if data.triplets_total == selected:
        sentence = f"<strong>{selected:,}</strong> triplets"
    else:  # inverses and composites joined, and some were dropped for what their inverse showed
        sentence = (
            f"<strong>{data.triplets_total:,}</strong> triplets from <strong>{selected:,}</strong> selected"
        )
    if selected and attempts:
        sentence += f", the best of <strong>{attempts:,}</strong> attempts"
        sentence += f": one for every {attempts / selected:.1f}"
    if len(data.triplets) < data.triplets_total:
        shown = f"{len(data.triplets):,} of {data.triplets_total:,}"
        sentence += f". This page shows {shown}, drawn without regard to their scores"
    if not selected:
        sentence += f": {_why_none(data)}"
    return sentence + "."


def _why_none(data: GalleryData) -> str:
    """Where the funnel ran dry, and what stopped most."""
    dry = next((stage for stage, count in data.funnel.items() if not count), "selected")
    most = max(data.rejections, key=lambda reason: data.rejections[reason], default=None)
    told = f"nothing came as far as “{stage_in_words(dry).lower()}”"
    if most is not None:
        words = reason_in_words(most)
        told += f", most was stopped by “{escape(words[0].lower() + words[1:])}”"
    return told


def _cost(cost: RoleCost) -> str:
    price = "" if cost.price is None else f" · price {cost.price:,.2f}"
    return f"{cost.calls:,} calls · {_duration(cost.seconds)}{price}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def _table(rows: Iterable[tuple[str, str]]) -> str:
    lines = [f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows]
    return f"<table>{''.join(lines)}</table>" if lines else "<p>None.</p>"


def _payload(folder: Path, data: GalleryData) -> str:
    """The data as JSON that can stand in a script element: nothing in it can end the element."""
    reasons: list[Json] = [
        {
            "reason": reason,
            "words": reason_in_words(reason),
            "count": count,
            "pairs": [_plain(pair) for pair in data.rejected.get(reason, ())],
        }
        for reason, count in data.rejections.items()
    ]
    pairs = [*data.triplets, *(pair for some in data.rejected.values() for pair in some)]
    content = {
        "run": data.run_name,
        "triplets": [_plain(pair) for pair in data.triplets],
        "total": data.triplets_total,
        "rejections": reasons,
        "images": _images(folder, data.images, pairs),
    }
    text = orjson.dumps(content).decode()
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _plain(pair: GalleryPair) -> dict[str, Json]:
    return asdict(pair)


def _images(folder: Path, store: ImageStore, pairs: Iterable[GalleryPair]) -> Mapping[str, Json]:
    """Thumbnail and file of every picture, each once however many pairs show it."""
    images: dict[str, Json] = {}
    for image in dict.fromkeys(name for pair in pairs for name in (pair.source_image, pair.edited_image)):
        with suppress(MissingImage, PictureError, OSError):
            file = store.path(image)
            small = b64encode(thumbnail(file.read_bytes())).decode("ascii")
            images[image] = {"file": Path(os.path.relpath(file, folder)).as_posix(), "thumbnail": small}
    return images


def _text(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _template(name: str) -> Template:
    return Template(_text(name))
