"""When a condor is rolled, and what stands against it (D25)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np

from engine.errors import InputError
from engine.instruments import IronCondor
from engine.orders import OrderLeg
from engine.policy.roll_combo import ROLL_RULES, HeldCondor, RollMarket, RollProposal, RollRules, days_left, roll_combo
from engine.risk.smile import Smile


class RollTrigger(StrEnum):
    """Why a condor is rolled."""

    EVENT = "event divergence"
    TENOR = "few days left"
    TESTED = "a short strike is tested"


class RollState(StrEnum):
    """Where a condor stands on its way into the next expiry."""

    HELD = "held"
    DUE = "due"
    PROPOSED = "proposed"
    ROLLED = "rolled"


@dataclass(frozen=True, slots=True)
class RollDecision:
    """What to do now: `state` after this look, why it is due, the combo if one may be sent, else what refused it."""

    state: RollState
    triggers: tuple[RollTrigger, ...] = ()
    proposal: RollProposal | None = None
    refusals: tuple[str, ...] = ()


def short_distance(condor: IronCondor, smile: Smile) -> float:
    """
    Standard deviations from the forward to the nearer short strike, negative once the forward is beyond it.

    At the forward's volatility (D02). Zero time leaves no distance: infinite, with the sign of the side.
    """
    put = np.log(smile.forward / float(condor.put_short.strike))
    call = np.log(float(condor.call_short.strike) / smile.forward)
    deviation = smile.atm_vol * np.sqrt(max(smile.years, 0.0))
    nearer = float(min(put, call))
    return nearer / float(deviation) if deviation > 0 else float(np.copysign(np.inf, nearer))


def roll_triggers(
    held: HeldCondor, smile: Smile, asof: datetime, *, event_diverges: bool, rules: RollRules = ROLL_RULES
) -> tuple[RollTrigger, ...]:
    """
    Every reason to roll now, empty if there is none.

    Parameters
    ----------
    smile : of the expiry held
    event_diverges : whether policy and market diverge about an event before the expiry (D23)
    """
    found = {
        RollTrigger.EVENT: event_diverges,
        RollTrigger.TENOR: days_left(held.condor.put_short.expiry, asof) <= rules.days_min,
        RollTrigger.TESTED: short_distance(held.condor, smile) < rules.tested_sd,
    }
    return tuple(trigger for trigger, fires in found.items() if fires)


def decide_roll(
    held: HeldCondor,
    market: RollMarket,
    *,
    event_diverges: bool,
    session_room: float,
    drawdown_after: Callable[[tuple[OrderLeg, ...]], float],
    rules: RollRules = ROLL_RULES,
) -> RollDecision:
    """
    Hold, or propose one combo into the later expiry, or say what stands against it.

    Parameters
    ----------
    session_room : USD of max loss that may still be added this session (D12); only what the roll adds counts
    drawdown_after : two-sigma drawdown, as a share of capital, of the book with these legs added

    Source
    ------
    D25, S13, S92.
    """
    if not held.condor.put_short.expiry > market.asof:
        raise InputError("roll refused", why="the condor has expired", todo="let it settle and open anew")
    triggers = roll_triggers(held, market.held_smile, market.asof, event_diverges=event_diverges, rules=rules)
    if not triggers:
        return RollDecision(RollState.HELD)
    combo = roll_combo(held, market, drawdown_after=drawdown_after, rules=rules)
    refusals = (combo,) if isinstance(combo, str) else _refusals(combo, session_room, rules)
    if isinstance(combo, str) or refusals:
        return RollDecision(RollState.DUE, triggers, None, refusals)
    return RollDecision(RollState.PROPOSED, triggers, combo)


def settle_roll(decision: RollDecision, *, filled: bool) -> RollState:
    """
    The state once the combo's order has ended: rolled if it filled, due again if it did not.

    A combo fills whole or not at all, so there is no state between. Raises `InputError` for a fill that nobody
    proposed.
    """
    if decision.state is RollState.PROPOSED:
        return RollState.ROLLED if filled else RollState.DUE
    if filled:
        raise InputError(
            f"a roll that was {decision.state} has filled", why="no combo was proposed", todo="reconcile the venue"
        )
    return decision.state


def _refusals(proposal: RollProposal, session_room: float, rules: RollRules) -> tuple[str, ...]:
    found: list[str] = []
    if not proposal.drawdown <= rules.drawdown_max:
        found.append(f"drawdown {proposal.drawdown:.2%} after the roll is above {rules.drawdown_max:.2%} (S40)")
    if not proposal.added_max_loss <= session_room:
        found.append(f"adds {proposal.added_max_loss:,.0f} USD of max loss, {session_room:,.0f} left (D12)")
    return tuple(found)
