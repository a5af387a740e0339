"""Train the studio's judges and write the file they ship with, its card and its figures.

    python scripts/train_studio_judge.py --scenes 420 --held-out 80 --data work/studio_judge

Makes attempts at reserved seeds (kept in --data, so that a second run goes on where the first stopped),
measures them, fits the judges out of fold by scene, judges held-out scenes with the finished model, and
writes judge.npz, card.json and CARD.md. The same data give the same files.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from studio_judge.attempts import HELD_OUT_SEEDS, RESERVED_SEEDS, Plan, make_attempts
from studio_judge.card import write_card
from studio_judge.fit import fit, predict
from studio_judge.measured import load, measure_all

from triptych.backends.studio.judge.model import FILE_NAME


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
    chosen = parser.parse_args()

    learning, held_out = chosen.data / "learning", chosen.data / "held_out"
    make_attempts(Plan(learning, chosen.scenes, RESERVED_SEEDS), chosen.processes)
    make_attempts(
        Plan(held_out, chosen.held_out, HELD_OUT_SEEDS, attempts=5, unseen_settings=1.0), chosen.processes
    )
    for folder in (learning, held_out):
        measure_all(folder, chosen.processes)
    data, test = load(learning, chosen.scenes), load(held_out, chosen.held_out)
    fitted = fit(data)
    packed = fitted.model.packed()
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / FILE_NAME).write_bytes(packed)
    write_card(chosen.out, data, fitted, test, predict(fitted.model, test), packed)
    print(f"{chosen.out / FILE_NAME}: {len(packed) / 1e6:.2f} MB; figures in {chosen.out / 'CARD.md'}")


if __name__ == "__main__":
    main()
