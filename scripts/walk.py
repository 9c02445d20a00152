"""From the open book to its settlement: market and chain move on together along the recorded closes."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from adapters.evm.world import World, advance
from adapters.files.observation import demo_day
from adapters.files.recorded_closes import RecordedCloses, recorded_closes
from adapters.safe.keystore import OwnerKey
from engine.errors import LimitBreached, MissingQuote
from engine.instruments import MARKET_ZONE, Cash, Settlement, VanillaOption
from engine.ledger import balances, posting
from engine.ledger.accounts import OFFRAMP
from engine.ledger.transfer import Transfer, arrived, in_transit
from engine.money import USD, Money
from engine.orders import Order, OrderId
from engine.positions import Book, Sleeve
from engine.report.performance import NavPoint
from engine.report.valued import book_of, worth_of
from scripts import flow
from scripts.desk import Desk
from scripts.marking import keep
from scripts.postings import gas_entries
from scripts.reporting import Story
from scripts.syncing import sync

Say = Callable[[str], None]

_BEFORE_VALUATION = timedelta(minutes=2)
"""A session's own work is done before its valuation point, so that flows and values share a day (D15)."""


def mark(desk: Desk, story: Story) -> None:
    """Keep today's mark in the journal and its value in the story."""
    kept = keep(desk)
    nav = worth_of(book_of(desk.journal.balances(until=kept.day)), kept)
    point = NavPoint(kept.day, nav[Sleeve.CONDOR], nav[Sleeve.DEFI], nav[Sleeve.TRANSIT])
    story.nav = [*(before for before in story.nav if before.on != point.on), point]


def walk(desk: Desk, world: World, keys: Sequence[OwnerKey], story: Story, say: Say) -> None:
    """
    Go on, session by session, until no option of either book is open; the opened book is marked first.

    Each session: the chain's clock and ether move to the close, interest accrues, what expired settles,
    coins that are due arrive, and where borrowed cash has arrived a rebalance sells the condors it was for.
    """
    closes = recorded_closes()
    mark(desk, story)
    for day in sessions_after(closes, desk.market.day):
        session(desk, world, keys, story, day, closes, say)
        if not open_options(book_of(desk.journal.balances())):
            return


def session(
    desk: Desk, world: World, keys: Sequence[OwnerKey], story: Story, day: date, closes: RecordedCloses, say: Say
) -> None:
    """One day: market and chain move to its close, what is due settles and arrives, and the day is marked."""
    desk.market = demo_day(day, after=desk.market)
    moment = desk.market.asof - _BEFORE_VALUATION
    advance(desk.chain, world, at=moment, eth_usd=Decimal(str(round(desk.market.eth_usd, 2))))
    desk.chain.mine_to_final()
    sync(desk)
    settle_on_chain(desk, say)
    settle_at_broker(desk, closes, say)
    flow.accrue(desk)
    cash = ramp_arrivals(desk, say)
    if cash:
        _rebalance(desk, keys, cash, story, say)
    mark(desk, story)


def open_options(book: Book) -> list[VanillaOption]:
    """Options still held."""
    return [p.instrument for p in book if isinstance(p.instrument, VanillaOption)]


def settle_at_broker(desk: Desk, closes: RecordedCloses, say: Say) -> None:
    """Cash-settle what has expired: PM at the close, AM at the opening level, VIX options at that day's VIX."""
    now = desk.market.asof
    held = open_options(book_of(desk.journal.balances()).of(Sleeve.CONDOR))
    for expiry, settlement, underlying in sorted({(o.expiry, o.settlement, o.underlying) for o in held}):
        if expiry > now:
            continue
        level = settlement_level(closes, expiry, settlement, underlying)
        fills = desk.broker.settle(expiry, settlement, level, underlying)
        desk.journal.post([posting.entry_for(fill) for fill in fills])
        say(f"{desk.market.day}: {len(fills)} {underlying} option(s) settle at {level:,.2f}")


def settlement_level(closes: RecordedCloses, expiry: datetime, settlement: Settlement, underlying: str) -> float:
    """
    The recorded level an expiry settles at.

    The opening auction's own value is not in the recorded data: the index's opening level stands for it.
    Raises `MissingQuote` where that day was not recorded.
    """
    day = expiry.astimezone(MARKET_ZONE).date()
    history = closes.vix if underlying == "VIX" else closes.spx if settlement is Settlement.PM else closes.spx_open
    level = history.on(day)
    if level is None:
        raise MissingQuote(f"no settlement level for {day}", why=f"{history.name} has no value", todo="settle by hand")
    return level


def settle_on_chain(desk: Desk, say: Say) -> None:
    """Ask the options protocol to pay what has expired; anybody may, so the executor does, outside the vault."""
    options = desk.onchain.options
    for call in options.settlement(desk.vault.address):
        receipt = desk.executor.send(call.to, call.data)
        order = Order(
            OrderId(f"settle:{receipt.transaction_hash}"),
            options.name,
            Sleeve.DEFI,
            "settlement",
            (),
            Money.zero(options.market.quote.currency),
            Money.zero(options.market.quote.currency),
            "settle expired options",
        )
        fills = options.settled(receipt, order)
        desk.journal.post([*gas_entries(desk, receipt), *(posting.entry_for(fill) for fill in fills)])
        say(f"{desk.market.day}: {', '.join(fill.memo for fill in fills)}")


def ramp_arrivals(desk: Desk, say: Say) -> Money | None:
    """Turn coins that are due into broker cash, less the fee; None if nothing arrived."""
    travelling = book_of(desk.journal.balances()).of(Sleeve.TRANSIT)
    due = in_transit(desk.journal.entries()) if travelling.positions else {}
    total = Money.zero(USD)
    for position in travelling:
        for transfer_id, when in due.items():
            if when > desk.clock.now() or not isinstance(position.instrument, Cash):
                continue
            price = desk.observe().chain.prices[position.instrument.currency.code]
            gross = Money.rounded(float(position.quantity) * price, USD)
            fee = Money.rounded(gross.amount * desk.policy.loop.ramp_fee, USD)
            transfer = Transfer(
                id=transfer_id,
                sent=position.held,
                source=Sleeve.DEFI,
                source_venue="vault",
                target=Sleeve.CONDOR,
                target_venue=desk.broker.name,
                due=when,
            )
            desk.broker.deposit(gross - fee)
            desk.journal.post([arrived(transfer, gross - fee, at=desk.clock.now(), fee=fee)])
            say(f"{desk.market.day}: {position.held} arrived at the broker as {gross - fee}, fee {fee} ({OFFRAMP})")
            total = total + gross - fee
    return total if total else None


def _rebalance(desk: Desk, keys: Sequence[OwnerKey], cash: Money, story: Story, say: Say) -> None:
    try:
        proposal = flow.propose(desk, borrowed_cash=cash.to_float())
    except LimitBreached as refused:
        say(f"{desk.market.day}: nothing is added: {refused}")
        return
    if not proposal.plan.orders:
        say(f"{desk.market.day}: nothing to add; {'; '.join(proposal.decision.target.reasons) or 'limits bind'}")
        return
    flow.save_plan(desk, proposal.plan)
    approvals = [flow.sign(desk, proposal.plan, key) for key in keys]
    outcome = flow.apply(desk, proposal.plan, approvals, lambda _step, _state: None)
    story.fills = [*story.fills, *outcome.fills]
    story.opened, story.opened_book = desk.observe(), balances.book(desk.journal.entries())
    say(f"{desk.market.day}: " + "; ".join(order.step for order in proposal.plan.orders))


def sessions_after(closes: RecordedCloses, day: date) -> Iterator[date]:
    """Recorded sessions after a day."""
    for session in closes.spx.days.astype(object):
        if session > day and closes.vix.on(session) is not None:
            yield session
