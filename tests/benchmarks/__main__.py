"""`make bench`: what an operator waits for, as ratios to the eager stack in one run, with medians."""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 5
EAGER = "import web3, pandas, scipy.optimize, sqlmodel, pydantic"
COMMANDS = {
    "eager stack": [sys.executable, "-c", EAGER],
    "python": [sys.executable, "-c", "pass"],
    "hedge --help": [sys.executable, "-m", "scripts.hedge", "--help"],
    "hedge chain status": [sys.executable, "-m", "scripts.hedge", "chain", "status", "-C", "build"],
}
GOALS = {"hedge --help": 0.05, "hedge chain status": 0.2}


def seconds(command: list[str]) -> float:
    """Wall clock of one run."""
    began = time.perf_counter()
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return time.perf_counter() - began


def main() -> None:
    """Interleave the candidates, take medians, print the table and write it as JSON."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, command in COMMANDS.items():
            taken[name].append(seconds(command))
    medians = {name: statistics.median(times) for name, times in taken.items()}
    rows = [
        {
            "workload": name,
            "seconds": round(median, 4),
            "ratio_to_eager_stack": round(median / medians["eager stack"], 4),
            "goal": GOALS.get(name),
        }
        for name, median in medians.items()
    ]
    for row in rows:
        goal = f"goal {row['goal']}" if row["goal"] else ""
        print(f"{row['workload']:<22} {row['seconds']:>8.3f} s   {row['ratio_to_eager_stack']:>7.3f} x eager   {goal}")
    target = ROOT / "build" / "bench.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps({"rounds": ROUNDS, "rows": rows}, indent=1) + "\n", encoding="utf-8")
    print(f"written to {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
