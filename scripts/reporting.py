"""One report of one desk: every number from the journal, the chain and the day's market."""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.market import MarketSnapshot
from engine.orders import PlanApproval
from engine.plan.saga import Outcome
from scripts.flow import Proposal
from scripts.walk import Journey

VERSION = "0.1.0"
_WEDGES = ("commission", "exchange", "regulatory", "clearing", "gas", "slippage", "ramp", "pool")


@dataclass(frozen=True, slots=True, eq=False)
class Story:
    """What happened on a desk: the first plan and its outcome, later rebalances, and the market it opened on."""

    proposal: Proposal
    outcome: Outcome
    approvals: Sequence[PlanApproval]
    journey: Journey
    opened: MarketSnapshot
    settled: bool
