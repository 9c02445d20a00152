"""The condors of a book that are due to be rolled, and the combo that would do it (S13, S92, D25)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from engine.market import ExpiryQuotes, MarketSnapshot
from engine.orders import OrderLeg
from engine.policy.condors import CondorOffer
from engine.policy.menu import tradable_slices
from engine.policy.roll import RollDecision, RollState, decide_roll, roll_triggers
from engine.policy.roll_combo import HeldCondor, RollMarket, RollRules
from engine.policy.settings import Policy
from engine.risk.pricing_view import PricingView
from engine.risk.smile import Smile

_NOWHERE = "no later expiry of the core's days is listed"


@dataclass(frozen=True, slots=True)
class RollDue:
    """One condor held, its lots, and what is to be done with it."""

    offer: CondorOffer
    lots: int
    decision: RollDecision

    @property
    def combo(self) -> str:
        """The combo in words, or what stands against one."""
        return self.decision.proposal.log if self.decision.proposal else "; ".join(self.decision.refusals)

    @property
    def words(self) -> str:
        """What is due, why, and the combo or what stands against it."""
        why = ", ".join(self.decision.triggers)
        return f"{self.lots} {self.offer.id} due to roll, {why}: {self.combo} (D25, S13)"


def rolls_due(
    snapshot: MarketSnapshot,
    view: PricingView,
    condors: Sequence[tuple[CondorOffer, int]],
    policy: Policy,
    *,
    event_diverges: bool,
    session_room: float,
    drawdown_after: Callable[[tuple[OrderLeg, ...]], float],
) -> tuple[RollDue, ...]:
    """
    Every condor that is due, with the combo into the next tradable expiry, or what stands against one.

    A condor with no tradable expiry behind it is due all the same, and says so.

    A book does not say at which distance a condor was opened: the policy's nearest is kept.

    Parameters
    ----------
    condors : held, with their lots > 0, unexpired
    event_diverges : whether a rule asks for the core to be rolled (D23)
    session_room : USD of maximum loss that the session still bears (D12)
    drawdown_after : two-sigma drawdown, as a share of capital, of the book with these legs added
    """
    sd, found = policy.core.short_sd_min, []
    rules = RollRules(
        days_min=policy.roll.days_min, tested_sd=policy.roll.tested_sd, drawdown_max=float(policy.limits.drawdown_2sd)
    )
    slices = {(quotes.root, quotes.expiry): quotes for quotes in snapshot.spx.slices}
    tradable = tradable_slices(snapshot, view, policy)
    for offer, lots in condors:
        short = offer.condor.put_short
        at = short.root, short.expiry
        held = HeldCondor(offer.condor, lots, sd, sd, offer.credit)
        later = min((pair for pair in tradable if pair[0].expiry > short.expiry), key=_expiry, default=None)
        if later is None:
            triggers = roll_triggers(held, view.smiles[at], snapshot.asof, event_diverges=event_diverges, rules=rules)
            decision = (
                RollDecision(RollState.DUE, triggers, None, (_NOWHERE,)) if triggers else RollDecision(RollState.HELD)
            )
        else:
            decision = decide_roll(
                held,
                RollMarket(snapshot.asof, slices[at], view.smiles[at], *later),
                event_diverges=event_diverges,
                session_room=session_room,
                drawdown_after=drawdown_after,
                rules=rules,
            )
        if decision.state is not RollState.HELD:
            found.append(RollDue(offer, lots, decision))
    return tuple(found)


def _expiry(pair: tuple[ExpiryQuotes, Smile]) -> datetime:
    return pair[0].expiry
