"""What a simulation on a fork showed, as one JSON document or as text."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

from engine.entries import Entry
from engine.positions import Position
from engine.risk.limits import LimitReading
from scripts.fork_base import Base
from scripts.fork_findings import Look, Run, Step
from scripts.output import say, table

SCHEMA = "hedge.simulate/2"
LIMITS_BROKEN = 31
NOT_APPLIED = 78


def outcome(runs: Sequence[Run]) -> int:
    """Exit code: a hard limit breaks in some scenario, else one could not be brought about or seen, else done."""
    if any(found.broken for found in runs):
        return LIMITS_BROKEN
    return 0 if all(found.shock.applied and not found.unseen for found in runs) else NOT_APPLIED


def document(base: Base, runs: Sequence[Run]) -> dict[str, Any]:
    """Everything, as plain values. `gas` and `changes` are those of the first scenario's plan."""
    code, first = outcome(runs), runs[0]
    words = {0: "done", LIMITS_BROKEN: "limits broken", NOT_APPLIED: "not every scenario could be run"}
    return {
        "schema": SCHEMA,
        "status": words[code],
        "chain": {"of": base.origin, "id": base.fork.chain.chain_id, "block": base.block},
        "plan_digest": base.plan.digest if base.plan else None,
        "breaks": list(base.breaks),
        "gas": sum(step.gas for step in first.steps),
        "changes": _changes(first.before, first.after or first.before),
        "broken": [f"{found.scenario}, {each}" for found in runs for each in found.broken],
        "scenarios": [_scenario(found) for found in runs],
        "next": [],
    }


def print_text(base: Base, runs: Sequence[Run]) -> None:
    """Each scenario with its numbers, then all of them in one table."""
    what = f"plan {base.plan.digest[:8]}" if base.plan else "the standing book"
    say(f"{what} on a throw-away copy of {base.origin} at block {base.block:,}; the original is only read")
    for each in base.breaks:
        say(f"before anything: books and chain disagree: {each}")
    for found in runs:
        _print_run(found)
    rows = [
        [
            found.scenario,
            _usd(found.before.nav_usd),
            _usd(found.after.nav_usd if found.after else None),
            _usd(found.settled.nav_usd if found.settled else None),
            f"{min(found.after.health.values()):.2f}" if found.after and found.after.health else "-",
            found.summary(),
        ]
        for found in runs
    ]
    say()
    table(
        "net asset value, USD",
        ["scenario", "before", "after", "after expiry", "health", "outcome"],
        rows,
        numeric=(1, 2, 3, 4),
    )


def _print_run(found: Run) -> None:
    say()
    say(f"{found.scenario}: {found.scenario.words}")
    if not found.shock.applied:
        say(f"  cannot be applied here: {found.shock.why_not}")
        return
    for effect in found.effects:
        say(f"  {effect.what}: {_shown(effect.before)} -> {_shown(effect.after)} {effect.unit}")
    for verdict in found.verdicts:
        say(f"  {'refuses' if verdict.refuses else 'passes'}: {verdict.guard}: {verdict.says}")
    for step in found.steps:
        say(f"  {_step_words(step)}")
    assert found.after is not None
    assert found.settled is not None
    table(
        "positions",
        ["sleeve", "venue", "instrument", "before", "USD", "after", "USD", "after expiry", "USD"],
        [_cells(row) for row in _positions(found.before, found.after, found.settled)],
        numeric=range(3, 9),
    )
    table(
        "limits",
        ["limit", "level", "before", "after", "headroom", "after expiry", "headroom", "state"],
        [_limit_cells(row) for row in _limits(found.before, found.after, found.settled)],
        numeric=range(1, 7),
    )
    for name, factors in _health(found).items():
        say(f"  health factor of {name}: {' -> '.join('-' if f is None else f'{f:.4f}' for f in factors)}")
    for note in (*found.unseen, *found.notes):
        say(f"  {note}")
    say(f"  settlement would post {len(found.settlement)} entries:")
    for entry in found.settlement:
        say(f"    {entry.at:%Y-%m-%d} {entry.memo}: {_held_words(entry)}")


def _scenario(found: Run) -> dict[str, Any]:
    looks = [found.before, *(seen for seen in (found.after, found.settled) if seen)]
    return {
        "name": found.scenario.value,
        "words": found.scenario.words,
        "applied": found.shock.applied,
        "why_not": found.shock.why_not or None,
        "effects": [{"what": e.what, "before": e.before, "after": e.after, "unit": e.unit} for e in found.effects],
        "guards": [{"guard": v.guard, "refuses": v.refuses, "says": v.says} for v in found.verdicts],
        "steps": [_step(step) for step in found.steps],
        "nav_usd": [seen.nav_usd for seen in looks],
        "positions": [_position_row(row) for row in _positions(*looks)],
        "health": _health(found),
        "limits": [_limit_row(row) for row in _limits(*looks)],
        "broken": list(found.broken),
        "unseen": list(found.unseen),
        "notes": list(found.notes),
        "posted": [_entry(entry) for entry in found.posted],
        "settlement": [_entry(entry) for entry in found.settlement],
        "seconds": round(found.seconds, 3),
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "what": step.what,
        "done": step.done,
        "refused_by": step.guard or None,
        "why": step.why or None,
        "call": step.call or None,
        "on_chain": step.on_chain or None,
        "gas": step.gas,
        "gas_usd": round(step.gas_usd, 6),
    }


def _step_words(step: Step) -> str:
    if step.done:
        return f"done: {step.what}" + (f", {step.gas:,} gas, {step.gas_usd:,.2f} USD" if step.gas else "")
    at = f" at `{step.call}`" if step.call else ""
    alone = f"; on chain {step.on_chain}" if step.on_chain else ""
    return f"refused by {step.guard}: {step.what}{at}: {step.why}{alone}"


_Row = tuple[Position, list[tuple[Position, float | None] | None]]


def _positions(*looks: Look) -> list[_Row]:
    """Each position held at any of the moments, with what is held and its worth at each."""
    held = [{_name(each.position): each for each in seen.held} for seen in looks]
    first: dict[tuple[str, str, str], Position] = {}
    for seen in held:
        for name, each in seen.items():
            first.setdefault(name, each.position)
    return [
        (first[name], [(seen[name].position, seen[name].usd) if name in seen else None for seen in held])
        for name in sorted(first)
    ]


def _name(position: Position) -> tuple[str, str, str]:
    return position.sleeve.value, position.venue, position.instrument.id


def _cells(row: _Row) -> list[str]:
    position, moments = row
    cells = [*_name(position)]
    for seen in moments:
        cells += ["-", "-"] if seen is None else [f"{seen[0].quantity.normalize():,f}", _usd(seen[1])]
    return cells


def _position_row(row: _Row) -> dict[str, Any]:
    position, moments = row
    names = ("before", "after", "after_expiry")
    return {
        "sleeve": position.sleeve.value,
        "venue": position.venue,
        "instrument": position.instrument.id,
        **{
            name: None
            if seen is None
            else {"units": str(seen[0].held.units), "quantity": f"{seen[0].quantity:f}", "usd": seen[1]}
            for name, seen in zip(names, moments, strict=False)
        },
    }


def _limits(*looks: Look) -> list[list[LimitReading | None]]:
    """Each limit as read at each moment; health factors are told apart by their market."""
    read = [{_limit_key(reading): reading for reading in seen.limits} for seen in looks]
    keys = dict.fromkeys(key for seen in read for key in seen)
    return [[seen.get(key) for seen in read] for key in keys]


def _limit_key(reading: LimitReading) -> tuple[str, str]:
    return reading.limit, reading.detail.split(" ")[0] if reading.limit == "health_factor" else ""


def _limit_cells(moments: Sequence[LimitReading | None]) -> list[str]:
    known = next(reading for reading in moments if reading)
    cells = [" ".join(filter(None, _limit_key(known))), f"{known.level:.4g}"]
    for at, reading in enumerate(moments):
        cells.append("-" if reading is None else f"{reading.reading:.4g}")
        if at:
            cells.append("-" if reading is None else f"{reading.headroom:+.4g}")
    broken = any(reading and reading.breach() for reading in moments[1:])
    return [*cells, "BROKEN" if broken else "holds" if known.binding else "not binding"]


def _limit_row(moments: Sequence[LimitReading | None]) -> dict[str, Any]:
    known = next(reading for reading in moments if reading)
    names = ("before", "after", "after_expiry")
    return {
        "limit": known.limit,
        "of": _limit_key(known)[1] or None,
        "source": known.source,
        "level": known.level,
        "at_most": known.most,
        "binding": known.binding,
        **{
            name: None
            if reading is None
            else {
                "reading": _finite(reading.reading),
                "headroom": _finite(reading.headroom),
                "broken": reading.breach() is not None,
                "detail": reading.detail,
            }
            for name, reading in zip(names, moments, strict=False)
        },
    }


def _health(found: Run) -> dict[str, list[float | None]]:
    looks = [found.before, *(seen for seen in (found.after, found.settled) if seen)]
    names = sorted({name for seen in looks for name in seen.health})
    return {name: [seen.health.get(name) for seen in looks] for name in names}


def _entry(entry: Entry) -> dict[str, Any]:
    legs = [
        {"account": leg.account, "amount": f"{leg.amount.amount:f}", "instrument": leg.instrument.id}
        for leg in entry.legs
    ]
    return {"key": entry.key, "at": entry.at.isoformat(), "memo": entry.memo, "legs": legs}


def _held_words(entry: Entry) -> str:
    """What an entry changes in what is held."""
    held = (leg for leg in entry.legs if leg.account.startswith("assets:"))
    return ", ".join(f"{leg.amount.amount.normalize():+,f} {leg.instrument.id}" for leg in held)


def _changes(before: Look, after: Look) -> dict[str, dict[str, str]]:
    """Smallest units of what the plan changed in the vault's book, by instrument."""
    moved = {}
    for position, (was, now) in _positions(before, after):
        units = [str(seen[0].held.units) if seen else "0" for seen in (was, now)]
        if units[0] != units[1] and position.venue == "vault":
            moved[position.instrument.id] = {"before": units[0], "after": units[1]}
    return moved


def _shown(number: float) -> str:
    return f"{number:,.2f}" if abs(number) >= 1_000 else f"{number:,.6g}"


def _usd(amount: float | None) -> str:
    return "-" if amount is None else f"{amount:,.2f}"


def _finite(number: float) -> float | str:
    return number if isfinite(number) else "infinite"
