"""Croissant metadata (JSON-LD): what a data set's tables hold, for search engines and loaders.

Written for formats whose tables a Croissant loader can read: Parquet and JSON lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from triptych.datasets.dataset import DataSet, ExportReport
from triptych.records import Json

CONFORMS_TO = "http://mlcommons.org/croissant/1.0"

_CONTEXT: dict[str, Json] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_TYPES = {"image": "sc:ImageObject", "int": "sc:Integer", "double": "sc:Float"}


@dataclass(frozen=True, slots=True)
class Table:
    """The files of one table, within a split's folder, and its columns by kind as in `parquet.schema_of`."""

    pattern: str
    encoding: str  # MIME type
    columns: Mapping[str, str]


def croissant(data: DataSet, report: ExportReport, table: Table, splits: Sequence[str]) -> bytes:
    """The metadata; the same data set gives the same bytes."""
    patterns: list[Json] = [f"{split}/{table.pattern}" if split else table.pattern for split in splits]
    fields: list[Json] = [
        {
            "@type": "cr:Field",
            "@id": f"triplets/{name}",
            "name": name,
            "dataType": _TYPES.get(kind, "sc:Text"),
            **({"repeated": True} if kind == "strings" else {}),
            "source": {
                "fileSet": {"@id": "files"},
                "extract": {"column": name},
                **({"transform": {"jsonPath": "bytes"}} if kind == "image" else {}),
            },
        }
        for name, kind in table.columns.items()
    ]
    document: dict[str, Json] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": data.name,
        "description": f"{report.triplets:,} triplets (source, instruction, edited image) for image editing.",
        "license": data.licence or "unknown",
        "identifier": report.dataset_hash,
        "distribution": [
            {
                "@type": "cr:FileSet",
                "@id": "files",
                "name": "files",
                "encodingFormat": table.encoding,
                "includes": patterns if len(patterns) > 1 else patterns[0],
            }
        ],
        "recordSet": [{"@type": "cr:RecordSet", "@id": "triplets", "name": "triplets", "field": fields}],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"
