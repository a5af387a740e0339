"""Supervised tuning of Gemini on Vertex AI: its JSON lines with pictures, and the job."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from triptych.backends.prompts.judging import Look, judge_prompts
from triptych.errors import UserError, WorkFailed
from triptych.pixels.picture import Picture
from triptych.roles import VALIDATOR_QUESTIONS, JudgeRequest, PairSubject
from triptych.training.rated_pairs import RatedPair
from triptych.validator.ratings import AXES

ROWS = "train.jsonl"
_MOST_BYTES = 20_000_000  # of one picture, as Vertex takes them
_MIME = "image/png"


@dataclass(frozen=True, slots=True)
class Job:
    """Where and what to tune."""

    base_model: str
    project: str
    location: str
    epochs: int | None = None
    url: str | None = None  # of another server than Google's


def write_rows(
    examples: Sequence[RatedPair], picture: Callable[[str], Picture], bucket: str, to: Path
) -> Path:
    """`train.jsonl` and `pictures/` in a new folder, whose rows name pictures below `bucket` (gs://…)."""
    if not bucket.startswith("gs://") or len(bucket) < 6:
        raise UserError(f"--bucket {bucket}: give a place like gs://my-bucket/judge; Vertex reads from there")
    if to.exists() and any(to.iterdir()):
        raise UserError(f"{to} isn't empty; name another folder with --to")
    folder = to / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for example in examples:
        pair = example.pair
        subject = PairSubject(picture(pair.source_image), pair.instruction, picture(pair.edited_image))
        (prompt, *_) = judge_prompts(JudgeRequest(subject, VALIDATOR_QUESTIONS), Look())
        parts: list[dict[str, Any]] = []
        for number, part in enumerate(prompt.parts):
            if isinstance(part, Picture):
                name = f"{pair.id}-{number}.png"
                data = part.encoded("png")
                if len(data) > _MOST_BYTES:
                    raise WorkFailed(f"picture {name} is larger than Vertex takes ({_MOST_BYTES:,} bytes)")
                (folder / name).write_bytes(data)
                uri = f"{bucket.rstrip('/')}/pictures/{name}"
                parts.append({"fileData": {"mimeType": _MIME, "fileUri": uri}})
            else:
                parts.append({"text": part})
        reply = {axis: round(example.scores[axis]) for axis in AXES}
        row = {
            "systemInstruction": {"role": "system", "parts": [{"text": prompt.system}]},
            "contents": [
                {"role": "user", "parts": parts},
                {"role": "model", "parts": [{"text": orjson.dumps(reply).decode()}]},
            ],
        }
        lines.append(orjson.dumps(row) + b"\n")
    rows = to / ROWS
    rows.write_bytes(b"".join(lines))
    return rows


def submit(job: Job, bucket: str, name: str, credentials: Any = None) -> str:
    """Begin the tuning on rows that were copied to the bucket; the name of the job.

    WorkFailed, with Google's words, where it isn't taken.
    """
    genai = need_gemini()
    from google.genai import errors, types

    options = types.HttpOptions(api_version="v1beta1", base_url=job.url)
    client = genai.Client(
        vertexai=True,
        project=job.project,
        location=job.location,
        credentials=credentials,
        http_options=options,
    )
    dataset = types.TuningDataset(gcs_uri=f"{bucket.rstrip('/')}/{ROWS}")
    config = types.CreateTuningJobConfig(tuned_model_display_name=name, epoch_count=job.epochs)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the client calls its tuning experimental
            begun = client.tunings.tune(base_model=job.base_model, training_dataset=dataset, config=config)
    except errors.APIError as error:
        told = " ".join(str(error).split())[:300]
        raise WorkFailed(f"the tuning of {job.base_model} was not taken: {told}") from None
    return str(begun.name)


def need_gemini() -> Any:
    """Google's client; UserError says how to install it."""
    try:
        from google import genai
    except ImportError:
        raise UserError("tuning Gemini needs its client: pip install 'triptych[gemini]'") from None
    return genai
