"""`hedge signals`: every reading with its age and source, every vote, every rule that stands."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from engine.policy.judgement import Judgement

_SCHEMA = "hedge.signals/1"


def signals(
    data: str = typer.Option(..., "--data", help="Folder of observations (docs/observations.md)."),
    asof: str = typer.Option(..., "--asof", help="Session that is decided on, 2023-02-07."),
    policy_file: str = typer.Option("", "--policy", help="Policy file; the default policy without it."),
    as_json: bool = typer.Option(False, "--json", help="One JSON document."),
) -> None:
    """What can be seen at a close, how it votes, and which rules stand."""
    from pathlib import Path

    from adapters.files.config import load_policy
    from scripts.evidence import day_of, judged

    policy = load_policy(Path(policy_file) if policy_file else None)
    found = judged(Path(data), day_of(asof), policy)
    if as_json:
        _emit(found)
    else:
        _print(found)


def _emit(found: "Judgement") -> None:
    from scripts.evidence import readings, rules, votes
    from scripts.output import emit_json

    emit_json(
        {
            "schema": _SCHEMA,
            "status": found.verdict.decision.value,
            "next": ["hedge explain"],
            "asof": found.table.axis.last().isoformat(),
            "regime": {
                "zone": found.regime.zone.value,
                "vix": found.regime.vix,
                "leverage": found.leverage,
                "term_structure": found.regime.term_structure.value,
                "high_vol": found.regime.high_vol,
                "frozen": sorted(found.frozen),
            },
            "hedge_ratio": found.hedge_ratio,
            "armed": sorted(found.armed),
            "readings": readings(found),
            "votes": votes(found),
            "rules": rules(found),
        }
    )


def _print(found: "Judgement") -> None:
    from engine.report.wording import meaning_text, reading_text
    from scripts.evidence import rules, votes
    from scripts.output import say, table

    panel = found.table.panel()
    say(f"as of {panel.at:%Y-%m-%d %H:%M} UTC")
    for reason in found.regime.reasons:
        say(f"  {reason}")
    table(
        "Readings",
        ("signal", "family", "value", "age, days", "source", "meaning, or why unseen"),
        [
            (
                name,
                reading.family.value,
                reading_text(reading.value, reading.unit),
                f"{reading.age_days(panel.at) or 0:.1f}" if reading.seen else "-",
                reading.source,
                meaning_text(reading, found.table.signals[name]),
            )
            for name, reading in panel.items()
        ],
        numeric=(2, 3),
    )
    table(
        f"Votes: {found.verdict.decision} ({found.verdict.quorum} families for more risk)",
        ("member", "family", "stance", "why"),
        [(vote["member"], vote["family"], vote["stance"] or "not cast", vote["why"]) for vote in votes(found)],
    )
    table(
        "Rules that stand, or cannot be told",
        ("rule", "stands", "since, sessions", "then", "source", "meaning"),
        [
            (
                rule["rule"],
                "yes" if rule["fires"] else "unknown",
                str(rule["since_sessions"]),
                ", ".join(rule["then"]),
                rule["source"],
                rule["says"],
            )
            for rule in rules(found)
            if rule["fires"] is not False
        ],
        numeric=(2,),
    )
    say(f"next: hedge explain --data ... (hedge ratio {found.hedge_ratio:.2f}, leverage {found.leverage:.2f})")
