"""What formats write about a triplet, and about the whole export."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import orjson

from triptych import __version__
from triptych.datasets.dataset import DataSet, ExportReport, Origin, counts, paraphrases_of, style_of
from triptych.mining.select import Triplet
from triptych.records import Json


def described(triplet: Triplet) -> dict[str, Json]:
    """What a triplet says of itself, in the words of NHR-Edit."""
    return {
        "sample_id": triplet.id,
        "edit_instruction": triplet.instruction,
        "augmented_instructions": list(paraphrases_of(triplet)),
        "category": triplet.category,
        "style": style_of(triplet.scene),
        "kind": triplet.kind,
    }


def lineage(triplet: Triplet, data: DataSet) -> dict[str, Json]:
    """Scores and lineage of a triplet, by `sample_id`."""
    row: dict[str, Json] = {
        "sample_id": triplet.id,
        "kind": triplet.kind,
        "adherence": triplet.scores.adherence,
        "aesthetics": triplet.scores.aesthetics,
        "geometric_mean": triplet.scores.geometric_mean,
        "origin": triplet.scene.origin,
        "prompt": triplet.scene.prompt,
        "scene": triplet.scene.id,
        "edit": triplet.edit.id,
        "parents": list(triplet.parents),
        "source": triplet.source.id,
        "source_seed": triplet.source.seed,
        "source_spec": triplet.source.spec_id,
        "source_image": triplet.source_image,
        "attempt": triplet.attempt.id,
        "attempt_seed": triplet.attempt.seed,
        "attempt_spec": triplet.attempt.spec_id,
        "edited_image": triplet.edited_image,
    }
    if data.splits:
        row["split"] = data.splits[triplet.id]
    return row


def manifest(data: DataSet, layout: str, report: ExportReport) -> bytes:
    """Everything that made the export, as JSON."""
    by: Json = {name: dict(tally) for name, tally in counts(data.triplets).items()}
    values = {
        "format": layout,
        "name": data.name,
        "dataset_hash": report.dataset_hash,
        "triplets": report.triplets,
        "images": report.images,
        "image_bytes": report.bytes,
        "counts": by,
        "chosen": dict(data.chosen),
        "runs": [_origin(origin) for origin in data.origins],
        "triptych": __version__,
    }
    return orjson.dumps(values, option=orjson.OPT_INDENT_2) + b"\n"


def _origin(origin: Origin) -> dict[str, Json]:
    """Of files and folders the name alone: where they lay on somebody's machine is nobody's business."""
    recipe = origin.recipe.model_dump(mode="json", exclude={"rule"})
    if origin.recipe.photographs is not None:
        recipe["photographs"]["folder"] = origin.recipe.photographs.folder.name
    if origin.recipe.brief.requests is not None:
        recipe["brief"]["requests"]["file"] = origin.recipe.brief.requests.file.name
    rule = origin.recipe.rule.model_dump(mode="json")
    if origin.recipe.rule.calibration is not None:
        rule["calibration"] = origin.recipe.rule.calibration.name
    return {
        "funnel": dict(origin.funnel),
        "rule": rule,
        "recipe": recipe,
        "specs": {
            role: {
                "id": spec.id,
                "backend": spec.backend,
                "revision": spec.revision,
                "settings": dict(spec.settings),
            }
            for role, spec in sorted(origin.specs.items())
        },
    }


def json_lines(rows: Iterable[Mapping[str, Json]]) -> Iterator[bytes]:
    """Rows as JSON, a line each."""
    return (orjson.dumps(row) + b"\n" for row in rows)
