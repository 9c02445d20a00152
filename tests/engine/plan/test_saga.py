"""The loop with effects, on small venues of its own: once, in order, and the same after a crash."""

from dataclasses import replace
from decimal import Decimal

import pytest

from engine.entries import Entry, Leg
from engine.errors import OrderRejected, OutcomeUnknown, VenueError
from engine.instruments import Cash
from engine.ledger.accounts import TRADING, assets
from engine.money import USD, Money, usd
from engine.orders import ApprovedPlan, Fill, OrderId, OrderLeg
from engine.plan.saga import Venues, execute, told_apart
from engine.ports import Ack, AckState, Receipt, SignedSafeTx
from engine.positions import Position, Sleeve
from tests.engine.plans import NOW, USDC, plan, transfer_order


class Crash(BaseException):
    """The process died here."""


class Told:
    """What happened, in order; dies when it is told so many things."""

    def __init__(self, dies_at=None):
        self.words, self.dies_at = [], dies_at

    def tell(self, word):
        if self.dies_at is not None and len(self.words) == self.dies_at:
            self.dies_at = None
            raise Crash
        self.words.append(word)


class Broker:
    name = "paper"

    def __init__(self, told):
        self.told, self.orders = told, {}

    def status(self, order_id):
        return Ack(order_id, AckState.FILLED if order_id in self.orders else AckState.UNKNOWN, NOW)

    def submit(self, order):
        self.told.tell(f"send {order.id}")
        assert order.id not in self.orders, "placed twice"
        self.orders[order.id] = order
        return self.status(order.id)

    def cancel(self, order_id):
        return self.status(order_id)

    def fills(self, order_id):
        order = self.orders[order_id]
        cash = Position(Cash(USD), order.limit, Sleeve.CONDOR, "paper")
        return [Fill(f"fill:{order_id}", order_id, NOW, (cash,), {}, Money.zero(USD), order.step, {})]


class Ramp:
    name = "ramp"
    silent = False

    def read(self, order, receipt):
        change = Position(Cash(order.limit.currency), order.limit, Sleeve.DEFI, "vault")
        fill = Fill("chain:1", order.id, NOW, (change,), {}, Money.zero(order.limit.currency), order.step, {})
        return [] if self.silent else [fill]


class Vault:
    def __init__(self, told, *, final=True):
        self.told, self.done, self.final = told, None, final

    def execute(self, signed):
        if self.done is None:
            self.told.tell("send batch")
            self.done = Receipt("0x1", 1, "0xb", NOW, 1, 1, 1, "e", "s", (), self.final)
        return self.done


class Journal:
    def __init__(self, told):
        self.told, self.intents, self.posted = told, {}, {}

    def intend(self, key, payload, at):
        if key in self.intents:
            return False
        self.told.tell(f"intend {key}")
        self.intents[key] = payload
        return True

    def post(self, entries):
        for entry in entries:
            if entry.key not in self.posted:
                self.told.tell(f"post {entry.key}")
                self.posted[entry.key] = entry
        return len(entries)


class Clock:
    def now(self):
        return NOW


def posting(fill):
    held = fill.changes[0].held
    legs = (
        Leg(assets(Sleeve.CONDOR, "x"), held, fill.changes[0].instrument),
        Leg(TRADING, -held, fill.changes[0].instrument),
    )
    return Entry(fill.key, NOW, fill.memo, legs)


def gas(receipt):
    legs = (Leg(assets(Sleeve.DEFI, "x"), usd(1), Cash(USD)), Leg(TRADING, usd(-1), Cash(USD)))
    return [Entry(f"gas:{receipt.transaction_hash}", NOW, "gas", legs)]


def desk(dies_at=None, **changes):
    told = Told(dies_at)
    return Broker(told), Ramp(), Vault(told, **changes), Journal(told), told


def run(broker, ramp, vault, journal, orders=None, *, made=None, gas=gas, proof=lambda *_: ()):
    made = made or (plan(orders=orders) if orders is not None else plan())
    return execute(
        ApprovedPlan(made, ()),
        Venues({"paper": broker}, {"ramp": ramp}, vault),
        journal,
        Clock(),
        posting=posting,
        gas=gas,
        own=lambda _batch, receipt: receipt,
        proof=proof,
        signed=lambda batch, _approved: SignedSafeTx(batch.transaction, b""),
        progress=lambda _step, _state: None,
    )


def test_every_effect_has_a_durable_intent_before_it():
    broker, ramp, vault, journal, told = desk()

    run(broker, ramp, vault, journal)

    assert told.words == [
        "intend order:t-1-hedge",
        "send t-1-hedge",
        "post fill:t-1-hedge",
        "intend order:t-2-core",
        "send t-2-core",
        "post fill:t-2-core",
        "intend order:t-3-ramp",
        "intend batch:0xaa",
        "send batch",
        "post gas:0x1",
        "post chain:1",
    ]


@pytest.mark.fault("F01")
@pytest.mark.parametrize("dies_at", range(11))
def test_a_run_that_died_at_any_step_is_continued_without_doing_anything_twice(dies_at):
    broker, ramp, vault, journal, told = desk(dies_at)
    with pytest.raises(Crash):
        run(broker, ramp, vault, journal)

    run(broker, ramp, vault, journal)
    words = list(told.words)
    run(broker, ramp, vault, journal)

    assert told.words == words
    assert sorted(words) == sorted(set(words))
    assert len(words) == 11


@pytest.mark.fault("F28")
def test_a_batch_that_succeeded_without_a_trace_of_its_order_is_not_posted():
    broker, ramp, vault, journal, _ = desk()
    ramp.silent = True

    with pytest.raises(OrderRejected, match="no trace"):
        run(broker, ramp, vault, journal)

    assert "chain:1" not in journal.posted


@pytest.mark.fault("F28")
def test_a_batch_whose_balances_deny_its_fills_posts_nothing_and_is_done_nowhere():
    broker, ramp, vault, journal, _ = desk()
    asked = []

    def deny(batch, receipt, fills):
        asked.append((batch.id, receipt.transaction_hash, [fill.key for fill in fills]))
        raise VenueError("batch does not add up", why="the balance moved otherwise", todo="halt")

    with pytest.raises(VenueError, match="does not add up"):
        run(broker, ramp, vault, journal, proof=deny)

    assert asked == [("b1", "0x1", ["chain:1"])]
    assert not {"chain:1", "gas:0x1"} & journal.posted.keys()


@pytest.mark.fault("F20")
def test_a_batch_that_cost_us_no_gas_posts_its_fills_alone():
    broker, ramp, vault, journal, _ = desk()

    run(broker, ramp, vault, journal, gas=lambda _: [])

    assert "chain:1" in journal.posted
    assert "gas:0x1" not in journal.posted


def test_a_batch_that_is_not_final_is_not_called_done():
    broker, ramp, vault, journal, _ = desk(final=False)

    with pytest.raises(OutcomeUnknown, match="not final"):
        run(broker, ramp, vault, journal)

    assert "chain:1" not in journal.posted


def test_an_order_that_does_not_fill_is_cancelled_and_said():
    broker, ramp, vault, journal, _ = desk()
    cancelled = []
    broker.status = lambda order_id: Ack(order_id, AckState.WORKING, NOW)
    broker.cancel = cancelled.append
    broker.fills = lambda order_id: []
    first = replace(plan().orders[0])

    outcome = run(broker, ramp, vault, journal, orders=(first,))

    assert cancelled == [first.id]
    assert outcome.unfilled == [first]


@pytest.mark.fault("F99")
def test_an_event_that_two_orders_claim_is_posted_for_neither():
    broker, ramp, vault, journal, _ = desk()
    twin = replace(transfer_order(), id=OrderId("t-4-ramp"))
    whole = plan()
    batch = replace(whole.batches[0], order_ids=(*whole.batches[0].order_ids, twin.id))
    both = plan(orders=(*whole.orders, twin), batches=(batch,))

    with pytest.raises(VenueError, match="orders t-3-ramp and t-4-ramp both claim it"):
        run(broker, ramp, vault, journal, made=both)

    assert not {"chain:1", "gas:0x1"} & journal.posted.keys()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"id": OrderId("t-4-ramp")}, False),
        ({"venue": "other"}, True),
        ({"limit": usd(-100)}, True),
        ({"legs": (OrderLeg(Cash(USDC), Decimal(99)),)}, True),
        ({"legs": (OrderLeg(Cash(USD), Decimal(100)),)}, True),
    ],
)
def test_two_orders_that_ask_for_the_same_cannot_be_told_apart(change, told):
    both = transfer_order(), replace(transfer_order(), **change)

    if told:
        told_apart(both)
    else:
        with pytest.raises(OrderRejected, match="make one order of both"):
            told_apart(both)
