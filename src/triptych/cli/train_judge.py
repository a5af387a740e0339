"""`triptych train judge`: a judge from people's ratings, on this machine or on Vertex AI."""

from __future__ import annotations

import argparse
from pathlib import Path

from triptych.cli.rated import ratings_of
from triptych.errors import UserError
from triptych.ledger.run import RunFolder
from triptych.mining.lanes import painted_sources
from triptych.pixels.picture import Picture
from triptych.records import Pair
from triptych.runs import open_run
from triptych.training.gemini_judge import Job, submit, write_rows
from triptych.training.rated_pairs import RatedPair, rated_pairs

_EVERY = 10  # steps between two lines of progress


def train_judge(asked: argparse.Namespace) -> int:
    """Tune, or write what Vertex tunes on and, if asked, begin it."""
    if asked.gemini and asked.submit:
        return _submit(asked)
    with open_run(asked.run) as run:
        said = ratings_of(run, asked.ratings, "refuse")
        painted = painted_sources(run.plan, run.slots)
        examples = rated_pairs(run.ledger.facts(Pair), said, asked.hold_out, painted)
    if asked.gemini:
        return _write_rows(asked, examples)
    return _tune(asked, examples)


def _tune(asked: argparse.Namespace, examples: list[RatedPair]) -> int:
    from triptych.backends.transformers import JudgeSettings
    from triptych.training.local_judge import Schedule, tune

    images = RunFolder(asked.run).image_store()
    settings = JudgeSettings(model=asked.model, dtype=asked.dtype, device=asked.device)
    schedule = Schedule(asked.epochs, asked.batch, asked.learning_rate, asked.rank)

    def told(step: int, steps: int, loss: float) -> None:
        if step % _EVERY == 0 or step in (1, steps):
            print(f"step {step} of {steps}: loss {loss:.4f}", flush=True)

    found = tune(
        settings, examples, lambda image: Picture.from_encoded(images.get(image)), asked.to, schedule, told
    )
    print(
        f"{asked.to}: {found.parameters:,} weights tuned on {len(examples):,} pairs; use it as"
        f" validator: {{backend: transformers, settings: {{model: {asked.model},"
        f" lora: {{path: {asked.to}}}}}}}"
    )
    return 0


def _write_rows(asked: argparse.Namespace, examples: list[RatedPair]) -> int:
    images = RunFolder(asked.run).image_store()
    rows = write_rows(
        examples, lambda image: Picture.from_encoded(images.get(image)), _bucket(asked), asked.to
    )
    print(
        f"{rows}: {len(examples):,} rows. Copy the folder (gcloud storage cp -r {asked.to}/*"
        f" {asked.bucket}/), then run the same command with --submit --project P"
    )
    return 0


def _submit(asked: argparse.Namespace) -> int:
    if not asked.project:
        raise UserError("--submit needs --project, the Google Cloud project that pays for the tuning")
    job = Job(asked.gemini, asked.project, asked.location, asked.epochs)
    name = submit(job, _bucket(asked), Path(asked.to).name)
    print(f"{name} has begun; Vertex tells when it is done, and the tuned model's name goes into a recipe")
    return 0


def _bucket(asked: argparse.Namespace) -> str:
    if not asked.bucket:
        raise UserError("--gemini needs --bucket gs://…: Vertex reads pictures and rows from there")
    return str(asked.bucket)
