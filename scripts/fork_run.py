"""One scenario on a fork: the shock, what guards and chain make of the plan, and the books on the far side."""

import time

from adapters.evm import shocks
from adapters.evm.chain import Reverted
from adapters.evm.shocks import Scenario
from adapters.evm.uniswap_wire import Swap, swap
from engine.errors import MarketDataError
from engine.orders import Plan
from scripts.desk import Desk
from scripts.fork_base import Base
from scripts.fork_expiry import through_expiry
from scripts.fork_findings import Look, Run, look
from scripts.fork_plan import carry_out, policy_says


def standing(base: Base) -> Look:
    """The book as it stands, on the fork before any shock."""
    desk = base.desk("standing")
    try:
        return look(desk)
    finally:
        desk.journal.close()


def run(base: Base, scenario: Scenario, first: Look) -> Run:
    """Bring the scenario about, try the plan, go on through every expiry, and go back to the base."""
    began, desk = time.monotonic(), base.desk(scenario.value)
    stage = base.stage(desk)
    try:
        shock = shocks.apply(scenario, stage, _our_swap(desk, base.plan))
        found = Run(scenario, shock, list(shock.effects), list(shock.verdicts), first)
        if shock.applied:
            _gates(desk, base.plan, found)
            kept = len(desk.journal.entries())
            carry_out(desk, stage, base.plan, found)
            shock.renew()
            found.after, found.posted = look(desk), desk.journal.entries()[kept:]
            found.notes += [f"next: {words}" for words in found.after.mends]
            kept += len(found.posted)
            desk.feeds = {}  # they stand still while the clock is moved on: their age says nothing there
            found.notes += through_expiry(desk)
            found.settled, found.settlement = look(desk), desk.journal.entries()[kept:]
    finally:
        desk.journal.close()
        base.restore()
    found.seconds = time.monotonic() - began
    return found


def _gates(desk: Desk, plan: Plan | None, found: Run) -> None:
    try:
        found.verdicts += policy_says(desk, desk.observe(), plan)
    except (MarketDataError, Reverted) as unseen:
        found.notes.append(f"market not observed: {unseen}")


def _our_swap(desk: Desk, plan: Plan | None) -> Swap | None:
    wanted = [order for order in (plan.orders if plan else ()) if order.venue == desk.onchain.swaps.name]
    return swap(desk.onchain.swaps.pools, wanted[0]) if wanted else None
