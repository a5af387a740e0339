"""`triptych status` and `triptych verify`: what a run has come to, and whether it is whole."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from triptych.cli.counters import Counters
from triptych.cli.progress import align_numbers, funnel_table, terminal
from triptych.errors import UserError
from triptych.ledger.queries import RoleCost, costs, failures
from triptych.ledger.run import RunFolder
from triptych.ledger.verify import Problem, verify
from triptych.mining.claim import claim_of
from triptych.mining.select import RunView
from triptych.runs import Run, open_run, plan_for


def status(
    path: Path,
    overrides: Sequence[str],
    *,
    json: bool = False,
    truth: bool = False,
    rows: Path | None = None,
    requests: Path | None = None,
) -> int:
    """Print the funnel, cost and failures of a run under its own rule, or under another."""
    if rows is not None and not truth:
        raise UserError("--rows lists truth for every Pair: give --truth with it")
    folder, plan = plan_for(path, overrides)
    counters = Counters(folder, plan)
    told = None if truth or requests is not None else counters.read()
    if told is None:
        stamp = counters.stamp()
        with open_run(path, overrides) as run:
            view = run.view()
            told = counted(run, view)
            counters.keep(told, stamp)
            if truth:
                _add_truth(told, run, view, rows)
            if requests is not None:
                from triptych.benchmarks.imitation import compare
                from triptych.brief import read_requests

                texts = (edit.instruction for slot in run.slots if slot.state for edit in slot.state.edits)
                told["requests"] = compare([*texts], read_requests(requests)).told()
    if json:
        sys.stdout.write(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        _print(terminal(), told)
    return 0


def counted(run: Run, view: RunView) -> dict[str, Any]:
    """What programs read of a run, counted from its facts."""
    return {
        "funnel": view.funnel,
        "cost": {role: _cost(cost) for role, cost in costs(run.ledger).items()},
        "failures": dict((view.rejections + Counter(failures(run.ledger))).most_common()),
        "owed": dict(run.owed()),
        "kinds": {kind: {"made": n.made, "kept": n.kept} for kind, n in view.kinds.items()},
        "multiplier": view.multiplier,
        "backward_filter": {"dropped": len(view.dropped)},
        "paraphrases": dict(view.reworded),
        "claim": None if (claim := claim_of(run.plan)) is None else asdict(claim),
    }


def verify_run(path: Path, *, json: bool = False) -> int:
    """Print what is wrong with a run; 1 if anything is."""
    folder = RunFolder.existing(path)
    problems = [*verify(folder), *_wrong_counters(folder)]
    if json:
        listed = [{"kind": p.kind, "subject": p.subject, "detail": p.detail} for p in problems]
        sys.stdout.write(orjson.dumps({"problems": listed}, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        for problem in problems:
            print(f"{problem.kind}: {problem.detail}")
        lost = sum(problem.kind in ("missing_image", "damaged_image") for problem in problems)
        if lost:
            print(f"{lost} images are lost: `triptych mine` with the run's recipe makes them again")
        if not problems:
            print(f"{path}: whole")
    return 1 if problems else 0


def _wrong_counters(folder: RunFolder) -> Iterator[Problem]:
    """Kept counters that aren't what the facts give; they are removed."""
    if not folder.recipe.exists():
        return
    _, plan = plan_for(folder.path)
    counters = Counters(folder, plan)
    kept = counters.read()
    if kept is None:
        return
    with open_run(folder.path) as run:
        fresh = orjson.loads(orjson.dumps(counted(run, run.view())))
    if kept != fresh:
        counters.forget()
        wrong = ", ".join(name for name in fresh if kept.get(name) != fresh[name])
        yield Problem(
            "wrong_counters", wrong, f"kept counters weren't what the facts give ({wrong}): removed"
        )


def _add_truth(told: dict[str, Any], run: Run, view: RunView, rows: Path | None) -> None:
    from triptych.cli.truth import measured_run, truth_told

    measured = measured_run(run, view)
    told["truth"] = truth_told(run, measured, rows)
    for kind, rates in measured.kinds().items():
        told["kinds"][kind] |= rates
    told["backward_filter"] |= measured.backward()


def _cost(cost: RoleCost) -> dict[str, object]:
    return {
        "calls": cost.calls,
        "seconds": round(cost.seconds, 3),
        "price": cost.price,
        "tokens_in": cost.tokens_in,
        "tokens_out": cost.tokens_out,
    }


def _print(console: Console, told: dict[str, Any]) -> None:
    console.print(funnel_table(told["funnel"], console))
    console.print(_cost_table(told["cost"]))
    if reasons := told["failures"]:
        console.print(
            "stopped by: " + " · ".join(f"{name.replace('_', ' ')} {n:,}" for name, n in reasons.items())
        )
    if told["multiplier"] not in (None, 1):
        kinds = " · ".join(
            f"{kind} {n['kept']:,} of {n['made']:,}" for kind, n in told["kinds"].items() if n["made"]
        )
        console.print(f"kept: {kinds}; {told['multiplier']:.2f} triplets for each selected one")
    if claim := told["claim"]:
        console.print(
            claim["uncalibrated"]
            or f"precision ≥ {claim['precision']:g} at {claim['confidence']:.0%} confidence, forward triplets"
        )
    if owed := told["owed"]:
        console.print("owed: " + ", ".join(f"{n:,} {name}" for name, n in owed.items()))
    if "requests" in told:
        _print_requests(console, told["requests"])
    if "truth" in told:
        from triptych.cli.truth import print_truth

        print_truth(console, told["truth"])


def _cost_table(costs: dict[str, Any]) -> Table:
    """What each role's calls cost; tokens where a model behind any role told them."""
    tokens = [key for key in ("tokens_in", "tokens_out") if any(cost[key] for cost in costs.values())]
    heads = ["role", "calls", "model-seconds", "price", *(key.replace("_", " ") for key in tokens)]
    table = Table(*heads, box=None, header_style="dim")
    align_numbers(table)
    for role, cost in costs.items():
        price = "–" if cost["price"] is None else f"{cost['price']:,.2f}"
        counted = ["–" if cost[key] is None else f"{cost[key]:,}" for key in tokens]
        table.add_row(
            role.replace("_", " "), f"{cost['calls']:,}", f"{cost['seconds']:,.1f}", price, *counted
        )
    return table


def _print_requests(console: Console, told: dict[str, Any]) -> None:
    """How the instructions compare with requests of real users."""
    n = f"{told['mined']:,} instructions, {told['requests']:,} requests"
    if told["auc"] is None:
        console.print(f"against requests: {n}: too few to tell if they can be told apart")
    else:
        folds = f"{min(told['auc_by_fold']):.2f}–{max(told['auc_by_fold']):.2f} by fold"
        console.print(
            f"against requests: told apart with AUC {told['auc']:.2f} ({folds}; 0.5: not at all; {n})"
        )
    for name in ("words", "first_words", "slips"):
        table = Table(name.replace("_", " "), "mined", "requests", box=None, header_style="dim")
        align_numbers(table)
        for value, shares in told[name].items():
            table.add_row(value, f"{shares['mined']:.0%}", f"{shares['requests']:.0%}")
        console.print(table)
    console.print(f"requests of kinds that nothing mined comes near: {told['uncovered_share']:.0%}")
    for cluster in told["uncovered"]:
        console.print(f"  {cluster['requests']:,}: {' · '.join(cluster['examples'])}", markup=False)
