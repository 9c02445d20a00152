"""What the engine would decide on a stage: evidence judged, then the target under that judgement."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.cycle import Decision
    from engine.policy.judgement import Judgement
    from scripts.inputs import Stage


def decided(chain: str, data: str, book: str, folder: str, policy: str) -> "tuple[Stage, Decision, Judgement]":
    """
    The decision on a market, book and policy, with the judgement it stands on.

    Parameters as in `scripts.inputs.stage`; `data` is a folder of observations that joins what the snapshot
    itself carries. An empty book stands for the policy's risk capital in dollars at the broker, and says so.
    """
    from adapters.paper.fees import FeeTable
    from engine.cycle import decide
    from scripts.inputs import stage

    given = funded(stage(chain, book, folder, policy))
    judged = judged_on(given, data)
    fee = FeeTable().index_option
    return given, decide(given.snapshot, given.book, given.policy, judged, fee_per_contract=fee), judged


def judged_on(given: "Stage", data: str) -> "Judgement":
    """What the stage's policy makes of its snapshot and of the observations in a folder."""
    from engine.policy.evidence import observed, session_closes
    from engine.policy.judgement import judgement

    asset, axis = given.policy.loop.asset, session_closes(given.snapshot)
    if not data:
        return judgement(observed(given.snapshot, asset=asset), axis, given.policy)
    from adapters.files.observations import read_meetings, read_observations
    from scripts.evidence import calendar

    day = axis.days[-1].item()
    supplied = read_observations(Path(data))
    sessions, remembered = calendar(day)
    return judgement(
        observed(given.snapshot, supplied, asset=asset),
        remembered,
        given.policy,
        meetings=read_meetings(Path(data)),
        sessions=sessions,
    )


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
