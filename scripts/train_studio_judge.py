"""Train the studio's judges and write the file they ship with, its card and its figures.

    python scripts/train_studio_judge.py --scenes 420 --held-out 80 --data work/studio_judge

Makes attempts at reserved seeds (kept in --data, so that a second run goes on where the first stopped),
measures them, fits the judges out of fold by scene, judges held-out scenes with the finished model, and
writes judge.npz, card.json and CARD.md. The same data give the same files.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from studio_judge.attempts import HELD_OUT_SEEDS, LATER_SEEDS, RESERVED_SEEDS, Plan, make_attempts
from studio_judge.card import write_card
from studio_judge.fit import fit, predict
from studio_judge.measured import load, measure_all

from triptych.backends.studio.judge.model import Model
from triptych.backends.studio.judge.shipped import FILE_NAME


def main() -> None:
    """Data, features, fit, evaluation, files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=420, help="scenes to learn from")
    parser.add_argument("--held-out", type=int, default=80, help="scenes to judge with the finished model")
    parser.add_argument("--data", type=Path, default=Path("work/studio_judge"), help="attempts and features")
    parser.add_argument("--out", type=Path, default=Path("src/triptych/backends/studio/judge"))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--looks",
        type=Path,
        help="a judge.npz with its card.json beside it: its heads and screen are kept, its scores are"
        " features, and the rest is learned from scenes that it never saw, two sources each",
    )
    parser.add_argument(
        "--derived",
        type=int,
        default=0,
        help="scenes that --looks learned from, for their derived pairs alone",
    )
    chosen = parser.parse_args()

    learning, held_out = chosen.data / "learning", chosen.data / "held_out"
    looks = None if chosen.looks is None else Model.unpacked(chosen.looks.read_bytes())
    sources, seeds = (8, RESERVED_SEEDS) if looks is None else (2, LATER_SEEDS)
    make_attempts(Plan(learning, chosen.scenes, seeds, sources), chosen.processes)
    if looks is not None:
        others = Plan(learning, chosen.derived, RESERVED_SEEDS, derived_only=True)
        make_attempts(others, chosen.processes)
    make_attempts(
        Plan(held_out, chosen.held_out, HELD_OUT_SEEDS, sources=4, attempts=5, unseen_settings=1.0),
        chosen.processes,
    )
    for folder in (learning, held_out):
        measure_all(folder, chosen.processes)
    data, test = load(learning, chosen.scenes + chosen.derived), load(held_out, chosen.held_out)
    fitted = fit(data, looks)
    packed = fitted.model.packed()
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / FILE_NAME).write_bytes(packed)
    write_card(chosen.out, data, fitted, test, predict(fitted.model, test), packed, chosen.looks)
    print(f"{chosen.out / FILE_NAME}: {len(packed) / 1e6:.2f} MB; figures in {chosen.out / 'CARD.md'}")


if __name__ == "__main__":
    main()
