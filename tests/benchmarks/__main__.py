"""`python -m tests.benchmarks [name ...] [--quick]`: each goal in one run on one machine, as ratios and medians."""

import inspect
import json
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from tests.benchmarks.timing import NOT_RUN, Row

ROOT = Path(__file__).resolve().parents[2]
WORKLOADS = tuple(
    name
    for name in (
        "start_up",
        "black76",
        "implied_vol",
        "book_paths",
        "book_revaluation",
        "xirr",
        "mean_cvar",
        "onchain_reads",
        "ledger_store",
    )
    if find_spec(f"tests.benchmarks.{name}")
)


def main(arguments: Sequence[str]) -> int:
    """Run the named workloads, or all; print the table and write it as JSON."""
    quick = "--quick" in arguments
    names = [argument for argument in arguments if argument != "--quick"] or list(WORKLOADS)
    if unknown := set(names) - set(WORKLOADS):
        print(f"no workload {', '.join(sorted(unknown))}; there are {', '.join(WORKLOADS)}", file=sys.stderr)
        return 2
    rows = [row for name in names for row in _run(name, quick)]
    target = ROOT / "build" / "bench.json"
    target.parent.mkdir(exist_ok=True)
    document = {"quick": quick, "rows": [row.as_json() for row in rows]}
    target.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"written to {target.relative_to(ROOT)}")
    return 0


def _run(name: str, quick: bool) -> list[Row]:
    run = import_module(f"tests.benchmarks.{name}").run
    takes_quick = "quick" in inspect.signature(run).parameters
    rows: list[Row] = run(quick=quick) if takes_quick else run()
    print(rows[0].workload)
    for row in rows:
        print(line(row))
    print(flush=True)
    return rows


def line(row: Row) -> str:
    """One row of the table."""
    if row.seconds is None:
        return f"  {row.candidate:<40} {NOT_RUN:>12}"
    each = "" if row.per_item_ns is None else f"{row.per_item_ns:>12,.1f} ns"
    ratio = "" if row.ratio is None else f"{row.ratio:>9.4f} x {row.yardstick}"
    goal = "" if row.goal is None else f"   goal {row.goal:.4g}: {_verdict(row)}"
    return f"  {row.candidate:<40} {row.seconds:>10.4f} s {each:>15} {ratio}{goal}"


def _verdict(row: Row) -> str:
    return NOT_RUN if row.met is None else "met" if row.met else "missed"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
