"""From a book on a fork to the far side of its expiries: what settles, accrues and arrives, as journal entries."""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from engine.errors import EngineError
from engine.instruments import VanillaOption
from engine.ledger import balances, posting
from engine.ledger.transfer import in_transit
from engine.positions import Sleeve
from scripts import flow, walk
from scripts.desk import Desk

_ACCRUES_EVERY = timedelta(days=7)
"""Interest is posted at least this often, as a desk would: a larger step could look like a liquidation."""

Say = Callable[[str], None]


def through_expiry(desk: Desk) -> list[str]:
    """
    Warp past everything that expires or arrives, post what follows, and say in lines what did, or why not.

    On-chain options settle at the fork's own price, at the broker at the snapshot's index levels: a scenario moves
    neither index. Interest accrues on the way. What cannot settle stays in the book.
    """
    said: list[str] = []

    def say(line: str) -> None:
        _, _, words = line.partition(": ")  # walk's lines begin with the market's day, which stands still here
        if words:
            said.append(f"{desk.clock.now().date()}: {words}")

    for instant in _instants(desk):
        for step in (
            partial(_accrue_until, desk, instant),
            partial(walk.settle_on_chain, desk, say),
            partial(_settle_at_broker, desk, instant, said.append),
            partial(walk.ramp_arrivals, desk, say),
        ):
            try:
                step()
            except EngineError as refused:
                said.append(f"{desk.clock.now().date()}: refused: {refused}")
    return said


def _instants(desk: Desk) -> list[datetime]:
    """When something expires or arrives, in order."""
    entries = desk.journal.entries()
    expiries = [option.expiry for option in walk.open_options(balances.book(entries))]
    return sorted({*expiries, *in_transit(entries).values()})


def _accrue_until(desk: Desk, instant: datetime) -> None:
    now = desk.clock.now()
    while now < instant:
        now = min(now + _ACCRUES_EVERY, instant)
        desk.chain.warp(max(now, desk.clock.now() + timedelta(seconds=1)))
        desk.chain.mine_to_final()
        flow.accrue(desk, desk.clock.now().date())


def _settle_at_broker(desk: Desk, instant: datetime, say: Say) -> None:
    held = walk.open_options(balances.book(desk.journal.entries()).of(Sleeve.CONDOR))
    for expiry, settlement, underlying in sorted({_series(option) for option in held if option.expiry <= instant}):
        level = desk.market.vix if underlying == "VIX" else desk.market.spx.spot
        fills = desk.broker.settle(expiry, settlement, level, underlying)
        desk.journal.post([posting.entry_for(fill) for fill in fills])
        say(f"{desk.clock.now().date()}: {len(fills)} {underlying} option(s) settle at {level:,.2f}, as it is now")


def _series(option: VanillaOption) -> tuple[datetime, str, str]:
    return option.expiry, option.settlement, option.underlying
