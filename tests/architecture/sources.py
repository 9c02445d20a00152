"""docs/sources.md: from each id of the method to the rules, modules and tests that make it true."""

import ast
import re
import tomllib
from collections import defaultdict
from pathlib import Path

from engine.policy.rule_table import MEMBERS, RULES
from engine.signals.catalogue import names

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "docs" / "requirements.toml"
PAGE = ROOT / "docs" / "sources.md"
_ID = re.compile(r"\b([SXD])(\d{2})(?:\s*-\s*\1?(\d{2}))?[a-e]?\b")
_PACKAGES = ("engine", "adapters", "scripts")


def listed() -> tuple[dict[str, str], dict[str, str]]:
    """Every id with what it says, and the pending ones with what is missing."""
    written = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return written["says"], written["pending"]


def ids(text: str) -> set[str]:
    """
    The ids a text names, ranges spelt out.

    >>> sorted(ids("S73-S75, D13e and X07"))
    ['D13', 'S73', 'S74', 'S75', 'X07']
    """
    found = set()
    for letter, first, last in _ID.findall(text):
        found |= {f"{letter}{number:02d}" for number in range(int(first), int(last or first) + 1)}
    return found


def marked() -> dict[str, set[str]]:
    """Test files by the id their marks carry."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "requirement":
                for argument in node.args:
                    if isinstance(argument, ast.Constant):
                        found[str(argument.value)[:3]].add(path.relative_to(ROOT).as_posix())
    return found


def naming() -> dict[str, set[str]]:
    """Modules by the id that their text names."""
    found: dict[str, set[str]] = defaultdict(set)
    for package in _PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for id in ids(path.read_text(encoding="utf-8")):
                found[id].add(path.relative_to(ROOT).as_posix())
    return found


def ruled() -> dict[str, set[str]]:
    """Rules, seats and signals by the id of their source."""
    found: dict[str, set[str]] = defaultdict(set)
    for kind, name, source in (
        *(("rule", rule.id, rule.source) for rule in RULES),
        *(("seat", member.name, member.source) for member in MEMBERS),
        *(("signal", signal.name, signal.source) for signal in names().values()),
    ):
        for id in ids(source):
            found[id].add(f"{kind} {name}")
    return found


def page() -> str:
    """The whole page."""
    says, pending = listed()
    tests, modules, rules = marked(), naming(), ruled()
    done = [id for id in says if id in tests and id not in pending]
    lines = [
        "# From the method to the code",
        "",
        "Made from `docs/requirements.toml`, the policy's rules, the modules that name an id and the tests that carry",
        "its mark: `python -m tests.architecture.sources`. An id is done when a test asserts what its text names.",
        "",
        f"{len(done)} of {len(says)} ids are done.",
        "",
        "| id | says | state | rules, seats, signals | modules | tests |",
        "|---|---|---|---|---|---|",
    ]
    for id, text in says.items():
        state = f"pending: {pending[id]}" if id in pending else "done"
        lines.append(f"| {id} | {text} | {state} | {_cell(rules[id])} | {_cell(modules[id])} | {_cell(tests[id])} |")
    return "\n".join(lines) + "\n"


def _cell(entries: set[str]) -> str:
    return "<br>".join(sorted(entries))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
