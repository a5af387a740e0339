"""What `triptych train` is given."""

from __future__ import annotations

import argparse
from pathlib import Path

from triptych.cli.arguments.command import Commands, add_command, add_group


def add_train(commands: Commands) -> None:
    """Declare `triptych train`."""
    what = "Tune models on what runs and people made."
    example = "triptych train judge --run runs/mine --model Qwen/Qwen2.5-VL-7B-Instruct --to my-judge"
    group = add_group(commands, "train", "WHAT", what, example)
    _add_judge(group, example)


def _add_judge(group: Commands, example: str) -> None:
    def command(parsed: argparse.Namespace) -> int:
        from triptych.cli.train_judge import train_judge

        return train_judge(parsed)

    what = "Tune a vision language model on people's ratings: LoRA here, or supervised tuning of Gemini."
    parser = add_command(group, "judge", command, what, example)
    add = parser.add_argument
    add("ratings", type=Path, nargs="?", metavar="RATINGS", help="CSV or JSONL (default: the run's own)")
    add("--run", type=Path, required=True, metavar="RUN", help="run folder of the rated pairs")
    add("--to", type=Path, required=True, metavar="DIR", help="a new folder for the adapter, or for the rows")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--model", metavar="MODEL", help="a folder or a name on the Hub: LoRA on this machine")
    which.add_argument("--gemini", metavar="MODEL", help="e.g. gemini-2.5-flash: rows for Vertex AI")
    add("--epochs", type=int, default=3, metavar="N")
    add("--batch", type=int, default=8, metavar="N", help="pairs a step (with --model)")
    add("--learning-rate", type=float, default=1e-4, metavar="R", help="with --model")
    add("--rank", type=int, default=16, metavar="N", help="of the LoRA (with --model)")
    add("--dtype", default="bfloat16", choices=("bfloat16", "float16", "float32"), help="with --model")
    add("--device", default="auto", metavar="D", help="with --model: auto, cpu, cuda or cuda:1")
    add("--bucket", metavar="GS", help="with --gemini: gs://… where pictures and rows will lie")
    add("--submit", action="store_true", help="with --gemini: begin the job on rows already in the bucket")
    add("--project", metavar="P", help="with --submit")
    add("--location", default="us-central1", metavar="L", help="with --submit (default: us-central1)")
    add("--hold-out", type=float, default=0.5, metavar="SHARE", help="share of sources left for the report")
