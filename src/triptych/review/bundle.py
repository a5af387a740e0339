"""The page as a folder of files: read-only, relative links, for any static host."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from triptych.datasets.staging import appearing_whole
from triptych.errors import MissingImage, PictureError
from triptych.records import Json, identify
from triptych.review.detail import details
from triptych.review.index import Table, plain
from triptych.review.live import LiveRun
from triptych.review.overview import overview, reason_words
from triptych.review.pictures import Pictures, pictures_of
from triptych.review.rows import STAGES
from triptych.review.server import ASSETS, asset

MOST_TRIPLETS = 1000  # of a larger run so many are shown, drawn without regard to scores
_EXAMPLES = 12  # of what was stopped, for each kind and reason
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'"
)


def write_bundle(runs: Sequence[LiveRun], folder: Path, most: int = MOST_TRIPLETS) -> int:
    """Write the page over runs as they are now; how many rows it shows. UserError: the folder is taken."""
    count = 0
    with appearing_whole(folder) as part:
        shutil.rmtree(part)  # what an earlier try left
        for name in ("look.css", *ASSETS):
            _write(part / "static" / name, asset(name))
        page = asset("index.html").decode()
        head = f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n<title>'
        page = page.replace("<html ", "<html data-static ", 1).replace("<title>", head, 1)
        _write(part / "index.html", page.encode())
        told: list[Json] = []
        for number, run in enumerate(runs):
            shown = _write_run(run, part, number, most)
            count += shown
            told.append(
                {
                    "name": run.name,
                    "sequence": 1,
                    "rows": shown,
                    "of": len(run.table.rows),
                    "read": 0,
                    "to_read": 0,
                    "ready": True,
                    "trouble": None,
                    "writable": False,
                    "threshold": run.plan.recipe.rule.threshold.model_dump(),
                }
            )
        _write(part / "data" / "runs.json", orjson.dumps({"runs": told, "static": True}))
    return count


def _write_run(run: LiveRun, folder: Path, number: int, most: int) -> int:
    table = run.table
    places = _shown(table, most)
    chosen = {table.rows[place].id for place in places}
    data = folder / "data" / str(number)
    items = [
        item
        | {
            "prompt": table.rows[place].prompt,
            "lane": table.rows[place].lane,
            "scene": table.rows[place].scene,
        }
        for place, item in zip(places, plain(table, places), strict=True)
    ]
    reasons = {word: reason_words(word) for word in table.words["reason"] if word}
    _write(data / "items.json", orjson.dumps({"items": items, "reasons": reasons, "stages": STAGES}))
    _write(data / "overview.json", orjson.dumps(overview(run)))
    for told in details(run, sorted(chosen)):
        for field in ("attempts", "lineage"):  # a link leads to what is here
            linked: Any = told[field]
            told[field] = [one for one in linked if one["id"] in chosen]
        _write(data / "item" / f"{told['id']}.json", orjson.dumps(told))
    pictures = pictures_of(run.images, run.folder)
    rows = [table.rows[place] for place in places]
    for image in sorted({name for row in rows for name in (row.source_image, row.edited_image) if name}):
        with suppress(MissingImage, PictureError):  # the page shows an empty frame
            _copy(pictures, image, folder, number)
    return len(places)


def _shown(table: Table, most: int) -> list[int]:
    """All of a small run; of a larger one some triplets with the attempts beside them, and stopped ones."""
    if len(table.rows) <= 2 * most:
        return list(range(len(table.rows)))
    kept = [place for place, row in enumerate(table.rows) if row.stage == STAGES.index("kept")]
    kept.sort(key=lambda place: identify("bundle", table.rows[place].id))
    chosen = set(kept[:most])
    parents = {parent for place in chosen for parent in table.rows[place].parents}
    chosen |= {table.by_id[parent] for parent in parents if parent in table.by_id}
    lanes = {table.rows[place].lane for place in chosen} - {""}
    images = {
        image
        for place in chosen
        for image in (table.rows[place].source_image, table.rows[place].edited_image)
    }
    examples: dict[tuple[str, str], int] = defaultdict(int)
    for place, row in enumerate(table.rows):
        if row.lane in lanes or (row.kind == "source" and row.source_image in images):
            chosen.add(place)
        elif row.reason and examples[row.kind, row.reason] < _EXAMPLES:
            examples[row.kind, row.reason] += 1
            chosen.add(place)
    return sorted(chosen)


def _copy(pictures: Pictures, image: str, folder: Path, number: int) -> None:
    _write(folder / "full" / str(number) / f"{image}.jpg", pictures.full(image))
    _write(folder / "small" / str(number) / f"{image}.jpg", pictures.small(image))


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
