"""The layout of NHR-Edit: JPEG files and `metadata.jsonl`; `load_dataset` reads it as an image folder too.

README.md         the card                      images/ab/abcd….jpg   both sides, named by their hash
metadata.jsonl    one triplet a line            export.json           counts, recipe, rule, specs, hash
scores.jsonl      scores and lineage, by `sample_id`: judging anew rewrites no image and no metadata

Every row names its pictures twice: `source_file_name`, as NHR-Edit does, and `source_image_file_name`, which
`datasets` turns into a column `source_image`; the same for `edited`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import orjson

from triptych import __version__
from triptych.datasets.card import card
from triptych.datasets.dataset import DataSet, ExportReport, counts, dataset_hash, in_order, style_of
from triptych.datasets.staging import appearing_whole, keep_only
from triptych.ledger.images import ImageStore
from triptych.mining.select import Triplet
from triptych.records import Json


def export_nhr(data: DataSet, folder: Path, images: ImageStore) -> ExportReport:
    """Write the data set to `folder`. The same data set gives the same bytes; pictures are copied.

    An export that was interrupted goes on where it stopped. UserError where the folder isn't empty,
    MissingImage where a picture is missing or damaged.
    """
    triplets = in_order(data.triplets)
    with appearing_whole(folder) as part:
        files, size = _copy(triplets, images, part)
        report = ExportReport(folder, len(triplets), len(files), size, dataset_hash(triplets))
        texts = {
            "metadata.jsonl": _lines(_row(triplet, files) for triplet in triplets),
            "scores.jsonl": _lines(_lineage(triplet) for triplet in triplets),
            "export.json": orjson.dumps(_manifest(data, triplets, report), option=orjson.OPT_INDENT_2)
            + b"\n",
            "README.md": card(data, triplets, report).encode(),
        }
        for name, text in texts.items():
            (part / name).write_bytes(text)
        keep_only(part, {part / name for name in [*texts, *files.values()]})
    return report


def _copy(triplets: Sequence[Triplet], images: ImageStore, part: Path) -> tuple[Mapping[str, str], int]:
    """Copy every picture once. The file of each, relative to the export, and the bytes of all."""
    copies = ImageStore(part / "images")
    copies.sweep()
    files: dict[str, str] = {}
    size = 0
    wanted = {name for triplet in triplets for name in (triplet.source.image, triplet.attempt.image)}
    for image in sorted(wanted):
        encoded = images.get(image)
        copies.put(encoded)
        files[image] = copies.path(image).relative_to(part).as_posix()
        size += len(encoded)
    return files, size


def _row(triplet: Triplet, files: Mapping[str, str]) -> dict[str, Json]:
    source, edited = files[triplet.source.image], files[triplet.attempt.image]
    return {
        "sample_id": triplet.id,
        "source_file_name": source,
        "edited_file_name": edited,
        "source_image_file_name": source,
        "edited_image_file_name": edited,
        "edit_instruction": triplet.edit.instruction,
        "augmented_instructions": [],
        "category": triplet.edit.category,
        "style": style_of(triplet.scene),
        "kind": triplet.kind,
        "img_width": triplet.source.width,
        "img_height": triplet.source.height,
    }


def _lineage(triplet: Triplet) -> dict[str, Json]:
    return {
        "sample_id": triplet.id,
        "adherence": triplet.scores.adherence,
        "aesthetics": triplet.scores.aesthetics,
        "geometric_mean": triplet.scores.geometric_mean,
        "origin": triplet.scene.origin,
        "prompt": triplet.scene.prompt,
        "scene": triplet.scene.id,
        "edit": triplet.edit.id,
        "source": triplet.source.id,
        "source_seed": triplet.source.seed,
        "source_spec": triplet.source.spec_id,
        "attempt": triplet.attempt.id,
        "attempt_seed": triplet.attempt.seed,
        "attempt_spec": triplet.attempt.spec_id,
    }


def _manifest(data: DataSet, triplets: Sequence[Triplet], report: ExportReport) -> dict[str, Json]:
    recipe = data.recipe.model_dump(mode="json", exclude={"rule"})
    if data.recipe.photographs is not None:  # where a folder lay on somebody's machine is nobody's business
        recipe["photographs"]["folder"] = data.recipe.photographs.folder.name
    by: Json = {name: dict(tally) for name, tally in counts(triplets).items()}
    specs: Json = {
        role: {
            "id": spec.id,
            "backend": spec.backend,
            "revision": spec.revision,
            "settings": dict(spec.settings),
        }
        for role, spec in sorted(data.specs.items())
    }
    return {
        "format": "nhr",
        "name": data.name,
        "dataset_hash": report.dataset_hash,
        "triplets": report.triplets,
        "images": report.images,
        "image_bytes": report.bytes,
        "counts": by,
        "funnel": dict(data.funnel),
        "rule": data.recipe.rule.model_dump(mode="json"),
        "recipe": recipe,
        "specs": specs,
        "triptych": __version__,
    }


def _lines(rows: Iterable[Mapping[str, Json]]) -> bytes:
    return b"".join(orjson.dumps(row) + b"\n" for row in rows)
