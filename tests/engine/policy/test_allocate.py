"""The allocator on the modelled market: every limit looked at from outside, small questions tried exhaustively."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import product

import numpy as np
import pytest

from adapters.files.observation import demo_day
from engine import cycle
from engine.instruments import Cash, Settlement
from engine.market import LendingMarket, OnchainState
from engine.money import USD, Currency, Money, usd
from engine.plan.sequence import Venues, broker_orders
from engine.policy.allocate import Capacity, allocate
from engine.policy.candidates import Candidate, Columns, Kind
from engine.policy.condors import CondorOffer
from engine.policy.hedges import HedgeOffer
from engine.policy.mean_cvar import Infeasible
from engine.policy.menu import menu
from engine.policy.outcomes import Law, risk_neutral
from engine.policy.settings import Policy
from engine.positions import Book, Position, Sleeve
from engine.risk.check import changes
from engine.risk.drawdown import book_drawdown, rule_losses, soq_losses
from engine.risk.margin import same_expiry_margin
from engine.risk.scenarios import Scenarios
from engine.risk.valuation import book_values, unit_values
from engine.risk.view import pricing_view

MARKET = demo_day(date(2018, 4, 25))
LENDING = tuple(
    LendingMarket(name, "DAI", rate, 0.03, 0.80, 0.75, 1e7, 0.5, 0.0, rate * 1.6, 0.6, 0.8, recourse=False)
    for name, rate in (("cheap", 0.044), ("dear", 0.14))
)
SNAPSHOT = MARKET.with_chain(
    OnchainState(31337, 10, "0xb", MARKET.asof, {"WETH": 700.0, "USDC": 1.0, "DAI": 1.0}, LENDING, (), 10**9)
)
VIEW = pricing_view(SNAPSHOT)
POLICY = Policy.model_validate({"core": {"dte_min": 50, "dte_target": 52, "dte_max": 53}})
"""One expiry competes: the AM-settled one 52 days away."""
FEE = 1.15
USDC, WETH = Currency("USDC", 6), Currency("WETH", 18)
FUNDED = Book(
    (
        Position(Cash(USD), usd(850_000), Sleeve.CONDOR, "paper"),
        Position(Cash(USDC), Money.of(150_000, USDC), Sleeve.DEFI, "vault"),
    )
)
VENUES = Venues("paper", "lyra", "uniswap", "ramp", {}, "sUSD")


def decided(book=FUNDED, policy=POLICY, **asked):
    return cycle.decide(SNAPSHOT, book, policy, fee_per_contract=FEE, **asked)


def after(book, allocation):
    for order in broker_orders(allocation, VENUES, "t"):
        book = book.plus(changes(order))
    return book


@pytest.fixture(scope="module")
def first():
    """The decision for a funded book with no options, and the book its orders lead to."""
    decision = decided()
    return decision, after(FUNDED, decision.target.core)


def loses(book, scenarios, at):
    then = scenarios.take([at])
    only = Scenarios.of(spot=then.spot, vol=then.vol, days=then.days)
    return float(book_values(book, VIEW, Scenarios.now())[0] - book_values(book, VIEW, only)[0])


@pytest.mark.requirement("D33")
def test_where_prices_are_fair_and_trading_costs_nobody_sells_a_condor():
    core = decided(law=Law.RISK_NEUTRAL).target.core

    assert core.lots(Kind.CONDOR) == 0
    assert not core.changes
    assert "risk-neutral" in core.measure


@pytest.mark.requirement("D33")
def test_under_the_measure_of_prices_no_candidate_is_expected_to_gain_more_than_trading_it_costs():
    choice = menu(SNAPSHOT, VIEW, FUNDED, POLICY)
    beliefs = risk_neutral(VIEW, {(option.root, option.expiry) for option in choice.options})
    columns = Columns(VIEW, cycle.frame(SNAPSHOT, VIEW, FUNDED, POLICY).scenarios, beliefs, choice.options, fee=FEE)

    candidates = choice.candidates(columns, 1e6)

    assert len(candidates) > 30
    for candidate in candidates:
        assert abs(candidate.outcomes.mean()) <= 0.5 * candidate.cost


@pytest.mark.requirement("D33")
def test_the_answer_is_worth_more_than_standing_still_and_says_what_it_rests_on(first):
    decision, _ = first
    core = decision.target.core

    assert core.lots(Kind.CONDOR) > 0
    assert core.objective > 0
    aversion = POLICY.core.risk_aversion
    assert core.objective == pytest.approx(core.expected - aversion * core.shortfall - core.cost)
    assert core.gap <= 1.0
    assert "real-world" in core.measure
    assert "variance premium" in core.measure
    assert core.binding
    assert all(f"{limit.cost_bps:.2f} bp" in " ".join(decision.target.reasons) for limit in core.binding)


@pytest.mark.requirement("D10")
def test_hedges_are_the_fewest_lots_that_cover_the_reference_loss(first):
    decision, book = first
    scenarios = decision.frame.scenarios
    at = next(i for i, name in enumerate(scenarios.names) if name.startswith("1 session, -2 SD, mid vol"))
    hedged = {line.terms.option for line in decision.target.core.lines if line.kind is Kind.HEDGE}
    hedge = Book(tuple(p for p in book if p.instrument in hedged))
    condors = Book(tuple(p for p in book if p.instrument.kind == "option" and p.instrument not in hedged))

    loss, gain = loses(condors, scenarios, at), -loses(hedge, scenarios, at)
    dearest = max(-loses(Book((replace(p, held=Money.of(1, p.instrument.unit)),)), scenarios, at) for p in hedge)

    assert loss > 0
    assert 0 <= gain - loss < dearest
    assert decision.target.core.hedge_ratio == pytest.approx(gain / loss)


@pytest.mark.requirement("D11")
def test_the_drawdown_and_margin_it_states_are_those_of_the_book_it_leads_to(first):
    decision, book = first
    core = decision.target.core

    worst = book_drawdown(book, VIEW, decision.frame.scenarios, decision.frame.limits.capital)

    assert core.drawdown == pytest.approx(worst.share, rel=1e-9)
    assert core.cell == worst.cell
    assert worst.share <= 0.06
    assert same_expiry_margin(book) <= core.margin <= 30_000


@pytest.mark.requirement("D33")
def test_a_good_book_is_left_alone(first):
    _, book = first

    again = decided(book).target.core

    assert not again.changes
    assert again.cost == 0


@pytest.mark.requirement("D33")
def test_a_binding_limit_lifted_gains_exactly_what_it_is_said_to_cost(first):
    core = first[0].target.core
    dearest = core.binding[0]

    lifted = decided(without=(dearest.limit,)).target.core

    assert (lifted.objective - core.objective) / core.capital * 1e4 == pytest.approx(dearest.cost_bps, abs=1e-6)
    assert dearest.limit not in {limit.limit for limit in lifted.limits}


@pytest.mark.requirement("D33")
def test_no_combination_of_two_condors_and_two_hedges_within_the_limits_is_worth_more(first):
    decision, _ = first
    frame = decision.frame
    choice = menu(SNAPSHOT, VIEW, FUNDED, POLICY)
    kept = [line.terms for line in decision.target.core.lines]
    others = [*choice.condors.values()][:8:5] + [*choice.hedges.values()][:9:6]
    offers = list({offer.id: offer for offer in (*kept, *others)}.values())[:4]
    series = {(o.root, o.expiry) for o in choice.options}
    columns = Columns(VIEW, frame.scenarios, _sampled(series), choice.options, fee=FEE)
    candidates = [
        columns.condor(offer, most=3.0) if isinstance(offer, CondorOffer) else columns.hedge(offer, most=2.0)
        for offer in offers
    ]
    bounds = Capacity(1e6, 30_000.0, 850_000.0, 300_000.0, columns.cells, columns.losses(FUNDED))

    best = max(_worth(x, offers, candidates, frame) for x in product(*(range(int(c.most) + 1) for c in candidates)))

    assert allocate(candidates, bounds, POLICY).objective == pytest.approx(best, abs=1e-6)
    assert best > 0


def _sampled(series):
    from engine.policy.outcomes import real_world
    from engine.risk.physical import physical_returns

    closes, day = SNAPSHOT.histories["SPX"], SNAPSHOT.asof.date()

    def returns(days, vol):
        sessions = max(round(days * 252 / 365), 1)
        return physical_returns(
            closes, day, sessions=sessions, years=days / 365, implied_vol=vol, vrp=0.008
        ).log_returns

    return real_world(VIEW, series, returns)


def _worth(x, offers, candidates, frame):
    """The objective where the book of these lots keeps each limit by its own definition, else nothing."""
    book = FUNDED
    lots = [(leg, sign * n) for n, offer in zip(x, offers, strict=True) for leg, sign in _legs(offer) if n]
    book = book.plus(Position(leg, Money.of(Decimal(n), leg.unit), Sleeve.CONDOR, "paper") for leg, n in lots)
    at = next(i for i, name in enumerate(frame.scenarios.names) if name.startswith("1 session, -2 SD, mid vol"))
    sold, bought = (
        Book(tuple(_lots(o, q * n) for k, n in zip(offers, x, strict=True) if isinstance(k, kind) for o, q in _legs(k)))
        for kind in (CondorOffer, HedgeOffer)
    )
    outcome = sum((n * c.outcomes for n, c in zip(x, candidates, strict=True)), np.zeros(len(candidates[0].outcomes)))
    carry = sum(n * c.carry for n, c in zip(x, candidates, strict=True))
    if (
        sum(n * o.margin for n, o in zip(x, offers, strict=True) if isinstance(o, CondorOffer)) > 30_000
        or book_drawdown(book, VIEW, frame.scenarios, 1e6).share > 0.06
        or -loses(bought, frame.scenarios, at) < loses(sold, frame.scenarios, at) - 1e-9
        or carry > 0.02 * 1e6
    ):
        return -np.inf
    losses = -outcome
    shortfall = min(t + np.mean(np.maximum(losses - t, 0)) / 0.025 for t in np.unique(np.round(losses, 9))[-400:])
    cost = sum(n * c.cost for n, c in zip(x, candidates, strict=True))
    return float(outcome.mean() - POLICY.core.risk_aversion * shortfall - cost)


def _legs(offer):
    if isinstance(offer, HedgeOffer):
        return [(offer.option, 1)]
    return zip(offer.condor.legs, offer.condor.quantities, strict=True)


def _lots(option, n):
    return Position(option, Money.of(Decimal(n), option.unit), Sleeve.CONDOR, "paper")


@pytest.mark.requirement("D33")
def test_a_book_whose_loss_nothing_can_bring_back_names_the_drawdown():
    coins = Position(Cash(WETH), Money.of(400, WETH), Sleeve.CONDOR, "custody")

    assert decided(FUNDED.plus([coins])).target.conflict == ("drawdown_2sd",)


def candidate(kind, *, held=0.0, most=10.0, gain=0.0, **figures):
    offer = next(iter(menu(SNAPSHOT, VIEW, FUNDED, POLICY).condors.values()))
    terms = offer if kind is Kind.CONDOR else HedgeOffer(offer.condor.put_wing, 1.0, 0.9)
    plain = {"stress": 0.0, "cost": 1.0} | figures
    return Candidate(kind, terms, np.full(40, gain), np.zeros(2), held=held, most=most, **plain)


def bounds(**figures):
    return Capacity(
        **{"capital": 1e6, "margin": 3e4, "cash": 1e5, "defined_risk": 3e5, "cells": ("a", "b"), "losses": np.zeros(2)}
        | figures
    )


@pytest.mark.requirement("S57")
def test_protection_that_only_a_dear_hedge_gives_is_bought_and_the_carry_budget_waived_in_words():
    stuck = candidate(Kind.CONDOR, held=1.0, most=1.0, stress=100.0, paid_back=5_000.0)
    dear = candidate(Kind.HEDGE, gain=-10.0, stress=-60.0, paid=40.0, carry=90_000.0)

    answer = allocate([stuck, dear], bounds(cash=100.0), POLICY)

    assert answer.lots(Kind.HEDGE) == 2
    assert answer.waived == ("carry_budget",)
    assert any("carry_budget waived" in line for line in answer.words())


def test_the_smallest_conflict_is_named_when_it_is_not_about_carry():
    stuck = candidate(Kind.CONDOR, held=1.0, most=1.0, stress=100.0, paid_back=5_000.0)

    with pytest.raises(Infeasible, match="hedge_ratio") as refused:
        allocate([stuck], bounds(cash=100.0), POLICY)

    assert set(refused.value.conflict) == {"cash", "hedge_ratio"}


@pytest.mark.requirement("S41")
@pytest.mark.parametrize(("high_vol", "lots"), [(False, 10), (True, 3)])
def test_the_session_cap_bounds_what_is_bought_only_in_a_high_volatility_regime(high_vol, lots):
    hedge = candidate(Kind.HEDGE, gain=10.0, paid=20_000.0)

    answer = allocate([hedge], bounds(high_vol=high_vol, cash=1e6), POLICY)

    assert answer.lots(Kind.HEDGE) == lots
    assert [limit.limit for limit in answer.binding] == (["session_new_outer"] if high_vol else [])


@pytest.mark.requirement("S46")
def test_borrowed_margin_adds_condors_when_it_earns_its_cost_and_own_margin_stays(first):
    decision, _ = first

    assert decision.target.case.margin > 0
    assert decision.target.core.margin <= 30_000
    wider = decided(borrowed_cash=30_000.0).target.core
    assert wider.margin > decision.target.core.margin
    assert wider.margin <= 60_000


def test_orders_take_risk_off_first_and_hedge_before_they_sell(first):
    decision, book = first
    fewer = replace(
        decision.target.core,
        lines=tuple(replace(line, held=line.wanted, wanted=0.0) for line in decision.target.core.lines),
    )

    opening = [order.role for order in broker_orders(decision.target.core, VENUES, "t")]
    closing = broker_orders(fewer, VENUES, "t")

    assert (
        opening
        == sorted(opening, reverse=True)
        == ["hedge"] * opening.count("hedge") + ["core"] * opening.count("core")
    )
    assert closing[0].role == "core"
    assert closing[0].step.startswith("buy back")
    assert all(order.limit.amount < 0 for order in closing if order.role == "core")
    assert not [p for p in after(book, fewer) if p.instrument.kind == "option"]
    assert len({order.id for order in closing}) == len(closing)


def test_every_stated_outcome_is_the_payoff_less_the_mid():
    choice = menu(SNAPSHOT, VIEW, FUNDED, POLICY)
    offer = next(iter(choice.condors.values()))
    beliefs = risk_neutral(VIEW, {(o.root, o.expiry) for o in choice.options}, scenarios=50)
    columns = Columns(VIEW, cycle.frame(SNAPSHOT, VIEW, FUNDED, POLICY).scenarios, beliefs, choice.options, fee=FEE)
    column = columns.condor(offer, most=1.0)
    first = offer.condor.put_short
    levels, discount = beliefs.levels[first.root, first.expiry], beliefs.discounts[first.root, first.expiry]

    k1, k2, k3, k4 = (float(leg.strike) for leg in offer.condor.legs)
    owed = np.clip(k2 - levels, 0, k2 - k1) + np.clip(levels - k3, 0, k4 - k3)
    np.testing.assert_allclose(column.outcomes, 100 * (offer.mid_credit - discount * owed), rtol=0, atol=1e-8)
    now, then = Scenarios.now(), columns.reference
    change = sum(q * (unit_values(o, VIEW, then) - unit_values(o, VIEW, now))[0] for o, q in _legs(offer))
    assert column.stress == pytest.approx(-change)


@pytest.mark.requirement("D11")
def test_a_columns_losses_are_those_of_the_rule_for_one_lot_in_every_cell():
    choice = menu(SNAPSHOT, VIEW, FUNDED, POLICY)
    scenarios = cycle.frame(SNAPSHOT, VIEW, FUNDED, POLICY).scenarios
    beliefs = risk_neutral(VIEW, {(o.root, o.expiry) for o in choice.options}, scenarios=50)
    columns = Columns(VIEW, scenarios, beliefs, choice.options, fee=FEE)
    offer = next(offer for offer in choice.condors.values() if offer.condor.put_short.settlement is Settlement.AM)
    lot = Book(tuple(_lots(leg, n) for leg, n in _legs(offer)))
    settled = soq_losses(lot, VIEW)

    losses = columns.condor(offer, most=1.0).losses

    assert settled
    named = dict(zip(columns.cells, losses, strict=True))
    assert [named[name] for name in scenarios.names] == pytest.approx(rule_losses(lot, VIEW, scenarios), abs=1e-6)
    assert [named[name] for name, _ in settled] == pytest.approx([loss for _, loss in settled], abs=1e-6)


@pytest.mark.requirement("D10")
@pytest.mark.parametrize(("loss", "lots"), [(0.0, 0), (100.0, 2), (119.0, 2), (120.0, 2), (121.0, 3)])
def test_a_hedge_that_would_gain_is_bought_only_until_the_need_is_met(loss, lots):
    short = candidate(Kind.CONDOR, held=1.0, most=1.0, stress=loss, gain=1e4)
    cheap = candidate(Kind.HEDGE, gain=1_000.0, stress=-60.0, paid=40.0)

    answer = allocate([short, cheap], bounds(), POLICY)

    assert answer.lots(Kind.HEDGE) == lots
    assert "hedge_excess" in {limit.limit for limit in answer.binding}


def test_a_hedge_held_beyond_the_need_is_not_forced_out():
    spare = candidate(Kind.HEDGE, held=4.0, gain=1_000.0, stress=-60.0, paid=40.0)

    assert allocate([spare], bounds(), POLICY).lots(Kind.HEDGE) == 4


@pytest.mark.requirement("D29", "X17")
@pytest.mark.parametrize(("may_add", "lots"), [(True, 3), (False, 1)])
def test_without_the_committees_leave_no_condor_is_added_and_hedges_may_be(may_add, lots):
    condor = candidate(Kind.CONDOR, held=1.0, most=3.0, gain=1e4, stress=100.0)
    hedge = candidate(Kind.HEDGE, gain=-10.0, stress=-60.0, paid=40.0)

    answer = allocate([condor, hedge], bounds(may_add=may_add), POLICY)

    assert answer.lots(Kind.CONDOR) == lots
    assert answer.lots(Kind.HEDGE) >= 2
    assert ("consensus" in {limit.limit for limit in answer.binding}) == (not may_add)


@pytest.mark.requirement("D29")
def test_where_only_hedges_are_on_offer_the_committees_veto_is_a_limit_that_holds():
    hedge = candidate(Kind.HEDGE, stress=-60.0, paid=40.0)

    answer = allocate([hedge], bounds(may_add=False, stress=100.0), POLICY)

    assert answer.lots(Kind.HEDGE) == 2
    assert {limit.limit: limit.room for limit in answer.limits}["consensus"] == 0.0


@pytest.mark.requirement("D33")
def test_a_dear_hedge_is_bought_for_the_tail_of_what_the_book_keeps():
    """One scenario in forty is the whole tail: there the kept options lose USD 5,000 and the hedge gains 600 a lot."""
    crash = np.where(np.arange(40) == 0, 1.0, 0.0)
    hedge = replace(candidate(Kind.HEDGE, stress=-60.0, most=8.0), outcomes=600.0 * crash - 16.0)
    loss = bounds(stress=1_000.0, carried=-5_000.0 * crash)
    policy = POLICY.model_copy(update={"core": POLICY.core.model_copy(update={"risk_aversion": 1.0})})

    with_tail = allocate([hedge], loss, policy, without=("hedge_ratio",))
    without = allocate([hedge], replace(loss, carried=None), policy, without=("hedge_ratio",))

    assert (with_tail.lots(Kind.HEDGE), without.lots(Kind.HEDGE)) == (8.0, 0.0)
    assert with_tail.shortfall == pytest.approx(5_000.0 - 8 * (600.0 - 16.0))


@pytest.mark.requirement("D33", "S01")
def test_the_shortfall_is_that_of_the_kept_options_and_the_answer_together():
    spread = [_lots(leg, 20 * n) for leg, n in _legs(next(iter(menu(SNAPSHOT, VIEW, FUNDED, POLICY).condors.values())))]
    book = FUNDED.plus(spread[:2])
    held = menu(SNAPSHOT, VIEW, book, POLICY).held
    beliefs = risk_neutral(VIEW, {(p.instrument.root, p.instrument.expiry) for p in spread}, scenarios=400)
    scenarios = cycle.frame(SNAPSHOT, VIEW, book, POLICY).scenarios
    columns = Columns(VIEW, scenarios, beliefs, held.kept_options(VIEW), fee=FEE)

    carried = columns.carried(held.rest)

    worth = float(book_values(Book(tuple(spread[:2])), VIEW, Scenarios.now())[0])
    first = spread[0].instrument
    levels, discount = beliefs.levels[first.root, first.expiry], beliefs.discounts[first.root, first.expiry]
    low, high = (float(p.instrument.strike) for p in spread[:2])
    np.testing.assert_allclose(carried, -2_000 * discount * np.clip(high - levels, 0, high - low) - worth, atol=1e-6)
    assert abs(carried.mean()) < 0.01 * abs(carried.min())
    assert decided(book).target.core.shortfall > 0.5 * -carried.min()
