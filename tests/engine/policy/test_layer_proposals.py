"""What layers would open on recorded quotes, and on a market made for one law each."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from adapters.files.observation import recorded_day
from engine.cycle import judged_alone
from engine.instruments import Right
from engine.market import OnchainState
from engine.money import Money
from engine.policy.bands import GapPolicy
from engine.policy.condors import condor_offers, option
from engine.policy.event_widths import EventWidths
from engine.policy.layer_proposals import layer_proposals
from engine.policy.layers import Role, days_to_expiry
from engine.policy.outer_layer import OuterMode
from engine.policy.outer_proposal import OuterMarket, outer_trade
from engine.policy.regime import Regime, TermStructure, Zone
from engine.policy.rule_text import RuleText
from engine.policy.scaling import ScalingRules
from engine.policy.settings import LayeringSettings, Policy
from engine.positions import Book, Position, Sleeve
from engine.risk.structures import expiry_payoff
from engine.risk.view import pricing_view
from tests.adapters.files.chains import RECORDED

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="needs ../shared/data beside the checkout")

POLICY = Policy()
TABLE = POLICY.layer_table()
CALM = Regime(date(2023, 2, 7), 18.0, Zone.GOLDILOCKS, 1.0, TermStructure.CONTANGO, False, ())
EMPTY = Book()
QUIET = EventWidths((), {})
HIGH = replace(CALM, vix=30.0, zone=Zone.HIGH, leverage=0.0)
"""A market without its evidence: only what bounds outer layers."""


@pytest.fixture(scope="module")
def snapshot():
    market = recorded_day(RECORDED / "chains" / "spx-2023-02-07.csv")
    return market.with_chain(OnchainState(0, 0, "", market.asof, {"USDC": 1.0}, (), (), 0))


@pytest.fixture(scope="module")
def view(snapshot):
    return pricing_view(snapshot)


@pytest.fixture(scope="module")
def condor(snapshot, view):
    quotes = next(q for q in snapshot.spx.slices if str(q.expiry_date) == "2023-03-17" and q.root == "SPX")
    return next(iter(condor_offers(quotes, view.smiles[quotes.root, quotes.expiry], POLICY.core)))


def market(snapshot, condor, *, lots=2, regime=CALM, room=75_000.0, book=EMPTY, rank=0.5, events=QUIET, **settings):
    return OuterMarket(
        snapshot,
        book,
        ((condor, lots),) if lots else (),
        regime,
        LayeringSettings(**settings),
        ScalingRules(),
        room,
        rank,
        events,
        TABLE,
    )


@pytest.mark.requirement("S10", "X03")
def test_five_to_seven_per_cent_wings_lie_inside_the_shorts_of_the_core_and_are_not_moved(snapshot, condor):
    found = outer_trade(TABLE["outer-short"], market(snapshot, condor), budget=1e9)

    assert not found.legs
    assert "inside the short put" in found.why


@pytest.mark.requirement("S09", "X03")
def test_intermediate_wings_stand_fifteen_to_twenty_per_cent_of_the_way_beyond_the_break_even(snapshot, condor):
    found = outer_trade(TABLE["outer-intermediate"], market(snapshot, condor), budget=1e9)
    low, high = condor.break_evens
    spot = snapshot.spx.spot
    (put, puts), (call, calls) = found.legs

    assert (puts, calls) == (2, 2)
    assert 0.15 <= (low - float(put.strike)) / (spot - low) <= 0.20
    assert 0.15 <= (float(call.strike) - high) / (high - spot) <= 0.20
    assert put.expiry == call.expiry == condor.condor.put_short.expiry


@pytest.mark.requirement("S09", "X03")
def test_the_tail_stands_fifteen_to_twenty_per_cent_of_the_break_evens_price_below_it(snapshot, condor):
    found = outer_trade(TABLE["tail"], market(snapshot, condor), budget=1e9)
    ((tail, _),) = found.legs

    assert tail.right is Right.PUT
    assert 0.80 <= float(tail.strike) / condor.break_evens[0] <= 0.85
    assert days_to_expiry(snapshot.asof, tail.expiry) >= 60


@pytest.mark.requirement("S80", "D24")
def test_events_before_the_expiry_push_the_outer_wings_out_by_their_factor(snapshot, condor):
    events = EventWidths((), {condor.condor.put_short.expiry: 1.4})
    found = outer_trade(TABLE["outer-intermediate"], market(snapshot, condor, events=events), budget=1e9)
    low, high = condor.break_evens
    spot = snapshot.spx.spot
    (put, _), (call, _) = found.legs

    assert 0.21 <= (low - float(put.strike)) / (spot - low) <= 0.28  # 1.4 times 15 % to 20 %
    assert 0.21 <= (float(call.strike) - high) / (high - spot) <= 0.28
    assert "wings times 1.400 for the events before it (D24b)" in found.why


@pytest.mark.requirement("S80", "D24")
def test_a_meeting_that_the_surface_prices_widens_the_outer_wings_of_a_decision():
    day = recorded_day(RECORDED / "chains" / "spx-2022-06-10.csv")
    day = day.with_chain(OnchainState(0, 0, "", day.asof, {"USDC": 1.0}, (), (), 0))
    seen = pricing_view(day)
    always = RuleText(id="always", when=("vix > 1 points",), then=("arm outer-intermediate",), source="S09", says="x")
    policy = Policy(rules=(always,))
    quotes = next(q for q in day.spx.slices if str(q.expiry_date) == "2022-07-15" and q.root == "SPX")
    sold = next(iter(condor_offers(quotes, seen.smiles[quotes.root, quotes.expiry], policy.core)))
    judged = replace(judged_alone(day, policy), meetings=(date(2022, 6, 15),))

    found = layer_proposals(day, seen, Book(), policy, judged, condors=((sold, 1),), capital=1e8)
    (outer,) = (one for one in found if one.layer.name == "outer-intermediate")

    assert outer.trade.why.startswith("wings times 1.0")


@pytest.mark.requirement("S57")
def test_lots_are_what_the_years_budget_buys_for_the_time_bought(snapshot, condor):
    tail = outer_trade(TABLE["tail"], market(snapshot, condor, lots=100), budget=1e9)
    each = -tail.cash / 100
    years = (tail.legs[0][0].expiry - snapshot.asof).total_seconds() / (365 * 86_400)

    bounded = outer_trade(TABLE["tail"], market(snapshot, condor, lots=100), budget=3.5 * each / years)

    assert bounded.legs[0][1] == 3
    assert bounded.cash == pytest.approx(-3 * each)
    assert bounded.carry == pytest.approx(3 * each / years)
    assert "(S57)" in bounded.why


@pytest.mark.requirement("S41", "D12")
def test_in_high_volatility_the_sessions_room_bounds_the_lots(snapshot, condor):
    one = -outer_trade(TABLE["tail"], market(snapshot, condor, lots=1), budget=1e9).cash

    free = outer_trade(TABLE["tail"], market(snapshot, condor, lots=40, room=2.5 * one), budget=1e9)
    capped = outer_trade(TABLE["tail"], market(snapshot, condor, lots=40, room=2.5 * one, regime=HIGH), budget=1e9)

    assert (free.legs[0][1], capped.legs[0][1]) == (40, 2)
    assert "(D12)" in capped.why


@pytest.mark.requirement("X04")
@pytest.mark.parametrize("mode", list(OuterMode))
def test_no_mode_leaves_a_loss_without_an_end(snapshot, condor, mode):
    held = option(_quotes(snapshot, condor), 3600.0, Right.PUT)
    book = Book((Position(held, Money.of(Decimal(4), held.unit), Sleeve.CONDOR, "broker"),))
    wide = {"wing_width_min": 25.0, "outer_mode": mode}
    for name in ("outer-intermediate", "tail"):
        found = outer_trade(TABLE[name], market(snapshot, condor, book=book, rank=0.9, **wide), budget=1e9)
        core = tuple((leg, q * 2) for leg, q in zip(condor.condor.legs, condor.condor.quantities, strict=True))
        legs = tuple((leg, count) for leg, count in found.legs if leg.expiry == condor.condor.put_short.expiry)
        beside = ((held, 4),) if mode is OuterMode.MONETIZE and legs else ()

        assert np.isfinite(expiry_payoff([*core, *beside, *legs]).max_loss)


@pytest.mark.requirement("X04", "S63")
def test_tails_held_are_sold_in_part_only_at_rich_levels_and_the_tail_layer_never_sells(snapshot, condor):
    held = option(_quotes(snapshot, condor), 3600.0, Right.PUT)
    book = Book((Position(held, Money.of(Decimal(5), held.unit), Sleeve.CONDOR, "broker"),))
    monetize = {"book": book, "outer_mode": OuterMode.MONETIZE}

    rich = outer_trade(TABLE["outer-intermediate"], market(snapshot, condor, rank=0.70, **monetize), budget=0.0)
    poor = outer_trade(TABLE["outer-intermediate"], market(snapshot, condor, rank=0.69, **monetize), budget=0.0)
    tail = outer_trade(TABLE["tail"], market(snapshot, condor, rank=0.70, **monetize), budget=1e9)

    assert rich.legs == ((held, -2),)
    assert rich.cash > 0
    assert not poor.legs
    assert tail.legs[0][1] > 0


@pytest.mark.requirement("X01", "X04")
@pytest.mark.parametrize(
    ("expiry", "gaps", "sells"),
    [
        ("2023-02-17", "nearest_band", "outer-short"),  # 10 days: 3 from the 7th, 5 from the 15th
        ("2023-02-21", "nearest_band", "outer-intermediate"),  # 14 days: 1 from the 15th
        ("2023-02-17", "none", None),
        ("2023-03-17", "none", "outer-intermediate"),
    ],
)
def test_a_tail_that_aged_into_a_gap_belongs_to_the_nearest_horizon(snapshot, condor, expiry, gaps, sells):
    quotes = next(q for q in snapshot.spx.slices if str(q.expiry_date) == expiry)
    held = option(quotes, 3900.0, Right.PUT)
    book = Book((Position(held, Money.of(Decimal(4), held.unit), Sleeve.CONDOR, "broker"),))
    table = replace(TABLE, gaps=GapPolicy(gaps))

    def sold(name):
        at = market(snapshot, condor, rank=0.9, book=book, outer_mode=OuterMode.MONETIZE)
        return outer_trade(table[name], replace(at, table=table), budget=0.0).legs

    assert {name for name in ("outer-short", "outer-intermediate") if sold(name)} == ({sells} - {None})


@pytest.mark.requirement("X04")
def test_the_wings_of_condors_held_are_no_tails_to_sell(snapshot, condor):
    tail = option(_quotes(snapshot, condor), 3300.0, Right.PUT)
    legs = [*((leg, 5 * count) for leg, count in zip(condor.condor.legs, condor.condor.quantities, strict=True))]
    for spare, sold in ((0, ()), (4, ((tail, -2),))):
        book = Book(
            tuple(
                Position(leg, Money.of(Decimal(count), leg.unit), Sleeve.CONDOR, "broker")
                for leg, count in [*legs, (tail, spare)]
                if count
            )
        )
        at = market(snapshot, condor, rank=0.9, book=book, outer_mode=OuterMode.MONETIZE)

        assert outer_trade(TABLE["outer-intermediate"], at, budget=0.0).legs == sold


def test_without_a_condor_there_is_nothing_to_protect(snapshot, condor):
    assert "no condor" in outer_trade(TABLE["tail"], market(snapshot, condor, lots=0), budget=1e9).why


@pytest.mark.requirement("S06", "S23", "S52", "X17", "D24")
def test_every_layer_says_whether_it_opens_and_what(snapshot, view, condor):
    always = RuleText(
        id="always", when=("vix > 1 points",), then=("arm overlay", "arm tail", "favour defi"), source="S06", says="x"
    )
    policy = Policy(rules=(always,))
    judged = judged_alone(snapshot, policy)
    found = layer_proposals(snapshot, view, Book(), policy, judged, condors=((condor, 2),), capital=1e6)
    by_name = {one.layer.name: one for one in found}

    assert found[0].layer.role is Role.DEFI
    assert {name for name, one in by_name.items() if one.armed} == {"core", "overlay", "tail", "vix-first"}
    assert by_name["tail"].allowed
    assert by_name["tail"].budget == 4_000.0
    assert by_name["tail"].trade.legs
    assert not by_name["overlay"].allowed
    assert "the committee says no action (X17)" in by_name["overlay"].reason
    assert "0 of 849 USD (D10)" in by_name["vix-first"].trade.why
    assert "(S21, D30)" in by_name["vix-first"].trade.why
    assert by_name["outer-short"].reason == "no rule arms it"


def _quotes(snapshot, condor):
    short = condor.condor.put_short
    return next(q for q in snapshot.spx.slices if (q.root, q.expiry) == (short.root, short.expiry))
