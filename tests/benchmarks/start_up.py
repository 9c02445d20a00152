"""W8: what an operator waits for before a command does anything, against importing everything at once."""

import subprocess
import sys
from functools import partial
from pathlib import Path

from tests.benchmarks.timing import Candidate, Goal, Row, duel

ROOT = Path(__file__).resolve().parents[2]
EAGER = "eager stack"
_COMMANDS = {
    EAGER: ["-c", "import web3, pandas, scipy.optimize, sqlmodel, pydantic"],
    "python": ["-c", "pass"],
    "hedge --help": ["-m", "scripts.hedge", "--help"],
    "hedge chain status": ["-m", "scripts.hedge", "chain", "status", "-C", "build"],
}


def run(*, quick: bool = False) -> list[Row]:
    """Cold start of the light commands."""
    (ROOT / "build").mkdir(exist_ok=True)
    candidates = {name: Candidate(partial(_process, arguments)) for name, arguments in _COMMANDS.items()}
    goals = [Goal("hedge --help", EAGER, 0.05), Goal("hedge chain status", EAGER, 0.2)]
    return duel("W8 cold start", candidates, goals, items=1, rounds=3 if quick else 9, yardstick=EAGER)


def _process(arguments: list[str]) -> None:
    subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, check=True)
