"""The evidence of one session from a folder of observations, judged by a policy."""

from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import InputError

if TYPE_CHECKING:
    from engine.policy.judgement import Judgement
    from engine.policy.settings import Policy
    from engine.signals.columns import Axis
    from engine.signals.meetings import Days

_REMEMBERED = timedelta(days=400)
"""How far back latches and hysteresis look."""

_AHEAD = timedelta(days=60)


def judged(data: Path, day: date, policy: "Policy") -> "Judgement":
    """
    What the policy makes of the observations in `data` at the close of `day`.

    Raises `InputError` where `day` is no session, `MarketDataError` for a file that breaks its format or a
    day without a VIX.
    """
    from adapters.files.observations import read_meetings, read_observations
    from engine.policy.judgement import judgement

    sessions, axis = calendar(day)
    return judgement(read_observations(data), axis, policy, meetings=read_meetings(data), sessions=sessions)


def calendar(day: date) -> "tuple[Days, Axis]":
    """
    Session days around `day`, and the closes that latches remember, up to its own.

    Raises `InputError` where `day` is no session.
    """
    from adapters.files.observations import session_axis

    axis = session_axis(day - _REMEMBERED, day)
    if axis.days[-1] != day:
        raise InputError(f"{day} refused", why="the exchange is shut that day", todo=f"ask about {axis.days[-1]}")
    return session_axis(day - _REMEMBERED, day + _AHEAD).days, axis


def day_of(text: str) -> date:
    """A date as an operator writes it; raises `InputError`."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InputError(f"day {text!r} refused", why="it is no date", todo="write it as 2023-02-07") from None


def readings(judged: "Judgement") -> list[dict[str, Any]]:
    """Every reading as plain values, unseen ones with their reason."""
    panel = judged.table.panel()
    return [
        {
            "signal": name,
            "family": reading.family.value,
            "value": reading.value,
            "unit": reading.unit,
            "as_of": reading.as_of.isoformat() if reading.as_of else None,
            "released": reading.released.isoformat() if reading.released else None,
            "age_days": _rounded(reading.age_days(panel.at)),
            "inputs": list(reading.inputs),
            "source": reading.source,
            "why": reading.why,
        }
        for name, reading in panel.items()
    ]


def votes(judged: "Judgement") -> list[dict[str, Any]]:
    """Every vote as plain values."""
    return [
        {
            "member": ballot.member,
            "family": ballot.family.value,
            "stance": ballot.stance.value if ballot.stance else None,
            "why": ballot.why,
        }
        for ballot in judged.ballots
    ]


def rules(judged: "Judgement") -> list[dict[str, Any]]:
    """Every rule as plain values: whether it stands and by which conditions."""
    return [
        {
            "rule": found.rule.id,
            "fires": found.fires,
            "since_sessions": found.since,
            "then": [f"{effect.act} {effect.what}" for effect in found.rule.then],
            "met": list(found.met),
            "unmet": list(found.unmet),
            "unseen": list(found.unseen),
            "source": found.rule.source,
            "says": found.rule.says,
        }
        for found in judged.findings
    ]


def _rounded(days: float | None) -> float | None:
    return None if days is None else round(days, 2)
