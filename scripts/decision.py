"""What the engine would decide on a stage: evidence judged, then the target under that judgement."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from datetime import date

    from engine.cycle import Decision
    from engine.policy.judgement import Judgement
    from engine.signals.observations import Observations
    from scripts.inputs import Stage

_MEASURE = "real-world measure"


def decided(chain: str, data: str, book: str, folder: str, policy: str) -> "tuple[Stage, Decision, Judgement]":
    """
    The decision on a market, book and policy, with the judgement it stands on.

    Parameters as in `scripts.inputs.stage`; `data` is a folder of observations that joins what the snapshot
    itself carries. An empty book stands for the policy's risk capital in dollars at the broker, and says so.
    """
    from adapters.paper.fees import FeeTable
    from engine.cycle import decide
    from scripts.inputs import stage

    given, judged = evident(funded(stage(chain, book, folder, policy)), data)
    decision = decide(
        given.snapshot,
        given.book,
        given.policy,
        judged,
        fee_per_contract=FeeTable().index_option,
        session_outer=given.session_outer,
        earned=given.earned,
    )
    return given, decision, judged


def evident(given: "Stage", data: str) -> "tuple[Stage, Judgement]":
    """
    The stage with the recorded closes of a folder of observations, and what its policy makes of them all.

    Closes of the folder replace the installed ones where they reach further, so that expectations rest on them
    too. Without a folder the snapshot is judged alone.
    """
    from engine.policy.evidence import observed, session_closes
    from engine.policy.judgement import judgement

    asset, axis = given.policy.loop.asset, session_closes(given.snapshot)
    if not data:
        return given, judgement(observed(given.snapshot, asset=asset), axis, given.policy)
    from adapters.files.observations import read_meetings, read_observations
    from scripts.evidence import calendar

    day = axis.days[-1].item()
    supplied = read_observations(Path(data))
    sessions, remembered = calendar(day)
    given = _on_closes(given, supplied, day)
    return given, judgement(
        observed(given.snapshot, supplied, asset=asset),
        remembered,
        given.policy,
        meetings=read_meetings(Path(data)),
        sessions=sessions,
    )


def _on_closes(given: "Stage", supplied: "Observations", day: "date") -> "Stage":
    """The stage on the supplied closes up to `day`, where both reach further than its own."""
    from engine.market import DailySeries

    own, found = given.snapshot.histories, {}
    for name in ("SPX", "VIX"):
        series = supplied.get(name.lower())
        if series is None:
            return given
        days, first = np.unique(series.as_of.astype("datetime64[D]"), return_index=True)
        found[name] = DailySeries(name, days, series.values[first], series.source).upto(day)
        if not len(found[name].days) or (name in own and found[name].days[-1] <= own[name].days[-1]):
            return given
    days = found["SPX"].days
    said = f"{_MEASURE}: {found['SPX'].source}, closes {days[0]} to {days[-1]}"
    assumed = tuple(said if line.startswith(_MEASURE) else line for line in given.assumptions)
    return replace(given, snapshot=replace(given.snapshot, histories={**own, **found}), assumptions=assumed)


def funded(given: "Stage") -> "Stage":
    """The stage, its empty book standing for the policy's risk capital in dollars."""
    from engine.instruments import Cash
    from engine.money import USD, Money
    from engine.positions import Book, Position, Sleeve

    if given.book.positions:
        return given
    capital = Money.of(given.policy.book.risk_capital, USD)
    cash = Book((Position(Cash(USD), capital, Sleeve.CONDOR, "broker"),))
    assumed = (*given.assumptions, f"no book given: {capital} at the broker stands for one")
    return replace(given, book=cash, assumptions=assumed)
