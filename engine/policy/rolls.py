"""The condors of a book that are due to be rolled, and the combo that would do it (S13, S92, D25)."""

from collections.abc import Callable
from dataclasses import dataclass

from engine.market import MarketSnapshot
from engine.orders import OrderLeg
from engine.policy.condors import CondorOffer
from engine.policy.holdings import holdings
from engine.policy.menu import tradable_slices
from engine.policy.roll import RollDecision, RollState, decide_roll
from engine.policy.roll_combo import HeldCondor, RollMarket, RollRules
from engine.policy.settings import Policy
from engine.positions import Book
from engine.risk.pricing_view import PricingView


@dataclass(frozen=True, slots=True)
class RollDue:
    """One condor held, its lots, and what is to be done with it."""

    offer: CondorOffer
    lots: int
    decision: RollDecision


def rolls_due(
    snapshot: MarketSnapshot,
    view: PricingView,
    book: Book,
    policy: Policy,
    *,
    event_diverges: bool,
    session_room: float,
    drawdown_after: Callable[[tuple[OrderLeg, ...]], float],
) -> tuple[RollDue, ...]:
    """
    Every condor that is due, with the combo into the next tradable expiry, or what stands against one.

    A book does not say at which distance a condor was opened: the policy's nearest is kept.

    Parameters
    ----------
    event_diverges : whether a rule asks for the core to be rolled (D23)
    session_room : USD of maximum loss that the session still bears (D12)
    drawdown_after : two-sigma drawdown, as a share of capital, of the book with these legs added
    """
    sd, found = policy.core.short_sd_min, []
    rules = RollRules(
        days_min=policy.roll.days_min, tested_sd=policy.roll.tested_sd, drawdown_max=float(policy.limits.drawdown_2sd)
    )
    slices = {(quotes.root, quotes.expiry): quotes for quotes in snapshot.spx.slices}
    for offer, lots in holdings(book, view).condors:
        short = offer.condor.put_short
        at = (short.root, short.expiry)
        later = [pair for pair in tradable_slices(snapshot, view, policy) if pair[0].expiry > short.expiry]
        if lots < 1 or short.expiry <= snapshot.asof or at not in slices or not later:
            continue
        quotes, smile = min(later, key=lambda pair: pair[0].expiry)
        decision = decide_roll(
            HeldCondor(offer.condor, lots, sd, sd, offer.credit),
            RollMarket(snapshot.asof, slices[at], view.smiles[at], quotes, smile),
            event_diverges=event_diverges,
            session_room=session_room,
            drawdown_after=drawdown_after,
            rules=rules,
        )
        if decision.state is not RollState.HELD:
            found.append(RollDue(offer, lots, decision))
    return tuple(found)
