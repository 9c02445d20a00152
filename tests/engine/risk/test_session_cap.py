"""The session cap as a machine: retries, partial fills, cancels and restarts in any order (D12)."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engine.errors import InputError, MissingQuote
from engine.money import usd
from engine.orders import Order, OrderId, OrderLeg
from engine.positions import Sleeve
from engine.risk.session_cap import (
    OuterEnd,
    OuterFill,
    OuterOrder,
    layer_max_loss,
    session_of,
    session_room,
    session_use,
)
from tests.engine.terms import condor, spx

FIRST = datetime(2023, 2, 6, 21, 0, tzinfo=UTC)  # Monday's close
CLOSES = [FIRST + timedelta(days=d) for d in (0, 1, 2, 3, 4, 7, 8, 9, 10, 11)]
SHARE, DEFINED_RISK = 0.25, 300_000.0


def at(hours):
    return FIRST + timedelta(hours=hours)


def working(name="o", hours=1, lots=4, loss=1_000.0):
    return OuterOrder(OrderId(name), at(hours), lots, loss)


def fill(key, hours, lots, order="o"):
    return OuterFill(key, OrderId(order), at(hours), lots)


def used(events, hours=20):
    return session_use(events, at(hours), CLOSES)


@pytest.mark.requirement("D12")
@pytest.mark.parametrize(
    ("instant", "ends"),
    [
        (FIRST, CLOSES[0]),
        (FIRST + timedelta(seconds=1), CLOSES[1]),
        (datetime(2023, 2, 11, 12, 0, tzinfo=UTC), CLOSES[5]),  # Saturday belongs to Monday
        (datetime(2023, 2, 12, 3, 0, tzinfo=UTC), CLOSES[5]),
    ],
)
def test_nights_weekends_and_holidays_belong_to_the_following_close(instant, ends):
    assert session_of(instant, CLOSES) == ends


def test_beyond_the_calendar_there_is_no_session():
    with pytest.raises(MissingQuote, match="extend the calendar"):
        session_of(CLOSES[-1] + timedelta(days=1), CLOSES)


@pytest.mark.requirement("D12")
@pytest.mark.requirement("S41")
@pytest.mark.parametrize(
    ("events", "loss"),
    [
        ([working()], 4_000.0),
        ([working(), working()], 4_000.0),
        ([working(), working(hours=3)], 4_000.0),  # the same order sent again later
        ([working(), fill("f", 2, 1)], 4_000.0),
        ([working(), fill("f", 2, 1), fill("f", 2, 1)], 4_000.0),
        ([working(), OuterEnd(OrderId("o"), at(2))], 0.0),
        ([working(), fill("f", 2, 1), OuterEnd(OrderId("o"), at(3))], 1_000.0),
        ([working(), OuterEnd(OrderId("o"), at(2)), fill("late", 3, 2)], 2_000.0),
    ],
)
def test_an_order_counts_once_whatever_happens_to_it(events, loss):
    assert used(events) == loss


@pytest.mark.requirement("D12")
@pytest.mark.fault("F88")
def test_several_runs_a_day_share_one_cap_and_the_next_session_starts_anew():
    runs = [working("a", 1, 30), working("b", 5, 30), working("c", 9, 10)]
    filled = [fill("a1", 2, 30, "a"), fill("b1", 6, 30, "b"), fill("c1", 10, 10, "c")]

    today, tomorrow = used(runs + filled, 20), used(runs + filled, 30)

    assert session_room(today, share=SHARE, defined_risk=DEFINED_RISK) == 5_000.0
    assert tomorrow == 0.0


@pytest.mark.requirement("D12")
def test_what_still_works_from_yesterday_counts_today_too():
    events = [working(lots=4), fill("f", 2, 1)]

    assert used(events, 20) == 4_000.0
    assert used(events, 30) == 3_000.0


def test_nothing_is_known_before_it_happens():
    assert used([working(hours=5)], hours=4) == 0.0


@pytest.mark.parametrize(
    "events",
    [
        [working(), working(lots=5)],
        [working(), fill("f", 2, 1), fill("f", 2, 2)],
        [working(), fill("f", 2, 5)],
        [fill("f", 2, 1, "unknown")],
    ],
)
def test_records_that_contradict_each_other_are_refused(events):
    with pytest.raises(InputError):
        used(events)


def order(limit, *legs):
    rows = tuple(OrderLeg(option, Decimal(n)) for option, n in legs)
    return Order(OrderId("x"), "broker", Sleeve.CONDOR, "outer", rows, usd(limit), usd(limit), "outer")


@pytest.mark.requirement("D12")
def test_a_bought_wing_can_lose_its_premium_and_a_sold_condor_its_width_less_credit():
    legs = condor(3700, 3750, 4500, 4560)

    assert layer_max_loss(order("-420", (spx(3600, "P"), 2))) == 420.0
    assert layer_max_loss(order("500", *zip(legs.legs, legs.quantities, strict=True))) == 60 * 100 - 500
    assert layer_max_loss(order("500", (spx(4500, "C"), -1))) == float("inf")


def test_a_cap_without_a_denominator_is_refused():
    with pytest.raises(InputError):
        session_room(0.0, share=0.25, defined_risk=0.0)


@pytest.mark.parametrize("broken", [{"lots": 0}, {"loss": -1.0}, {"loss": float("inf")}, {"loss": float("nan")}])
def test_an_order_without_a_finite_loss_is_refused(broken):
    with pytest.raises(InputError):
        working(**broken)


class Session(RuleBasedStateMachine):
    """A desk that sends, is sent twice, fills in parts, cancels, crashes and reads its log again."""

    @initialize()
    def opened(self):
        self.log, self.hours, self.count = [], 1, 0
        self.lots, self.filled, self.ended = {}, {}, set()  # what a careful clerk would write down
        self.opened_in, self.loss = {}, {}

    def session(self, hours=None):
        return session_of(at(self.hours if hours is None else hours), CLOSES)

    @rule(lots=st.integers(1, 9), loss=st.sampled_from([100.0, 1_500.0, 20_000.0]))
    def send_if_it_fits(self, lots, loss):
        room = session_room(used(self.log, self.hours), share=SHARE, defined_risk=DEFINED_RISK)
        if lots * loss <= room:
            name = f"o{self.count}"
            self.count += 1
            self.log.append(OuterOrder(OrderId(name), at(self.hours), lots, loss))
            self.lots[name], self.filled[name], self.loss[name] = lots, 0, loss

    @precondition(lambda self: self.log)
    @rule(data=st.data())
    def record_something_twice(self, data):
        self.log.append(data.draw(st.sampled_from(self.log)))

    @precondition(lambda self: any(self.lots[n] > self.filled[n] for n in self.lots if n not in self.ended))
    @rule(data=st.data())
    def fill_a_part(self, data):
        name = data.draw(
            st.sampled_from([n for n in self.lots if self.lots[n] > self.filled[n] and n not in self.ended])
        )
        lots = data.draw(st.integers(1, self.lots[name] - self.filled[name]))
        self.filled[name] += lots
        key = (name, self.session())
        self.opened_in[key] = self.opened_in.get(key, 0) + lots
        self.log.append(OuterFill(f"f{len(self.log)}", OrderId(name), at(self.hours), lots))

    @precondition(lambda self: self.lots.keys() - self.ended)
    @rule(data=st.data())
    def cancel_the_rest(self, data):
        name = data.draw(st.sampled_from(sorted(self.lots.keys() - self.ended)))
        self.ended.add(name)
        self.log.append(OuterEnd(OrderId(name), at(self.hours)))

    @precondition(lambda self: self.hours < 220)
    @rule(hours=st.integers(1, 20))
    def time_passes(self, hours):
        self.hours += hours

    @rule(random=st.randoms(use_true_random=False))
    def restart_and_read_the_log_in_another_order(self, random):
        written = [json.dumps([type(e).__name__, {k: str(getattr(e, k)) for k in e.__slots__}]) for e in self.log]
        random.shuffle(written)
        self.log = [_read(line) for line in written]

    @invariant()
    def the_use_is_what_a_clerk_counts(self):
        now = self.session()
        counted = sum(
            (self.opened_in.get((n, now), 0) + (0 if n in self.ended else self.lots[n] - self.filled[n])) * self.loss[n]
            for n in self.lots
        )
        assert used(self.log, self.hours) == pytest.approx(counted)

    @invariant()
    def the_cap_is_never_passed(self):
        assert used(self.log, self.hours) <= SHARE * DEFINED_RISK + 1e-9


def _read(line):
    kind, f = json.loads(line)
    when = datetime.fromisoformat(f["at"])
    match kind:
        case "OuterOrder":
            return OuterOrder(OrderId(f["id"]), when, int(f["lots"]), float(f["max_loss"]))
        case "OuterFill":
            return OuterFill(f["key"], OrderId(f["order"]), when, int(f["lots"]))
    return OuterEnd(OrderId(f["order"]), when)


TestSession = pytest.mark.requirement("D12")(Session.TestCase)
TestSession.settings = settings(max_examples=40, stateful_step_count=25, deadline=None, derandomize=True)


@pytest.mark.fault("F76")
def test_room_after_a_use_that_is_no_number_is_refused():
    with pytest.raises(InputError, match="session cap"):
        session_room(float("nan"), share=0.25, defined_risk=1e6)
