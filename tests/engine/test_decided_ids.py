"""What the articles ask of the book, read off whole decisions: tenor, distance, layers, sleeve, limits."""

from dataclasses import replace

import numpy as np
import pytest

from engine.policy.candidates import Kind
from engine.policy.consensus import Decision
from engine.policy.evidence import observed, session_closes
from engine.policy.judgement import judgement
from engine.policy.layers import days_to_expiry
from engine.policy.settings import Policy
from engine.risk.smile import atm_vol_at
from engine.signals.observations import Observations, Series
from scripts.layering import layering
from tests.engine.desk_cases import MARKET, POLICY, decided, funded, pool, snapshot

SEEN = snapshot()


def condors(decision):
    return [line.terms for line in decision.target.core.lines if line.kind is Kind.CONDOR and line.wanted > 0]


@pytest.fixture(scope="module")
def plain():
    """A decision by the policy as it comes."""
    return decided(SEEN, policy=Policy())


@pytest.mark.requirement("S02", "S04", "S05", "X01")
@pytest.mark.parametrize(("shortest", "target", "longest"), [(30, 45, 60), (30, 37, 45), (45, 52, 60)])
def test_the_tenor_decided_on_lies_in_the_window_of_each_article(shortest, target, longest):
    policy = Policy.model_validate({"core": {"dte_min": shortest, "dte_target": target, "dte_max": longest}})

    sold = condors(decided(SEEN, policy=policy))

    assert sold
    for offer in sold:
        assert shortest <= days_to_expiry(SEEN.asof, offer.condor.put_short.expiry) <= longest


@pytest.mark.requirement("S03", "S07", "S17", "X02")
def test_every_condor_decided_on_has_its_shorts_and_its_break_evens_where_both_articles_want_them(plain):
    for offer in condors(plain):
        legs, smile = offer.condor, plain.view.smiles[offer.condor.put_short.root, offer.condor.put_short.expiry]
        low, high = float(legs.put_short.strike) - offer.credit, float(legs.call_short.strike) + offer.credit
        deviation = atm_vol_at(plain.view.smiles, offer.days / 365) * np.sqrt(offer.days / 365)

        assert 1.5 <= offer.put_sd <= 2.0
        assert 1.5 <= offer.call_sd <= 2.0
        assert min(abs(np.log(np.array([low, high]) / smile.forward))) >= deviation
        assert any(f"{offer.id}: break-evens" in reason for reason in plain.reasons)


@pytest.mark.requirement("S14")
def test_all_that_a_condor_brings_is_extrinsic_value(plain):
    # EV = premium - e^{-rT} max(+-(F - K), 0): nothing of what is sold is intrinsic
    for offer in condors(plain):
        legs = offer.condor
        forward = plain.view.smiles[legs.put_short.root, legs.put_short.expiry].forward

        assert float(legs.put_short.strike) < forward < float(legs.call_short.strike)
        assert offer.credit > 0


@pytest.mark.requirement("S21", "S22")
def test_the_layers_of_a_decision_split_by_when_the_condor_pays(plain):
    (offer,) = condors(plain)
    later = (offer.days - 30) / 30  # the share of day 51 that belongs to 60 days; one flow, so discounting is even
    first = next(one for one in layering(plain).proposals if one.layer.name == "vix-first")

    assert f"{1 - later:.0%} at 30 days, {later:.0%} at 60 days (S21, D30)" in first.trade.why


def told(plain, *fires):
    """The decision's judgement with exactly these of the rules that arm outer layers standing."""
    arming = {"outer-short", "outer-intermediate", "tail-in-backwardation"}
    found = tuple(
        replace(one, fires=one.rule.id in fires) if one.rule.id in arming else one for one in plain.judgement.findings
    )
    return replace(plain.judgement, findings=found)


@pytest.mark.requirement("X15", "S09", "S10", "S11")
@pytest.mark.parametrize(
    ("combine", "fires", "open_"),
    [
        ("any", ["outer-short"], {"outer-short"}),
        ("any", ["outer-intermediate"], {"outer-intermediate"}),
        ("all", ["outer-short"], set()),
        ("all", ["outer-short", "outer-intermediate"], {"outer-short", "outer-intermediate"}),
    ],
)
def test_one_add_rule_opens_its_own_wings_or_both_are_needed(plain, combine, fires, open_):
    policy = Policy.model_validate({"layering": {"combine": combine}})
    found = layering(decided(SEEN, policy=policy, judged=told(plain, *fires))).proposals

    assert {one.layer.name for one in found if one.allowed and one.layer.name.startswith("outer")} == open_


@pytest.mark.requirement("S11", "X01", "S09")
def test_what_an_outer_layer_would_trade_has_the_days_of_its_horizon(plain):
    judged = told(plain, "outer-short", "outer-intermediate", "tail-in-backwardation")
    found = {one.layer.name: one for one in layering(decided(SEEN, policy=Policy(), judged=judged)).proposals}
    horizons = {"outer-short": (0, 7), "outer-intermediate": (15, 45), "tail": (60, 10_000)}

    for name, (shortest, longest) in horizons.items():
        assert found[name].allowed
        for option, _ in found[name].trade.legs:
            assert shortest <= days_to_expiry(SEEN.asof, option.expiry) <= longest


@pytest.mark.requirement("S43")
@pytest.mark.parametrize(("rate", "drawn"), [(0.0595, True), (0.0605, False)])
def test_nothing_is_drawn_above_six_per_cent_and_the_decision_says_so(rate, drawn):
    cheap = POLICY.model_validate(
        POLICY.model_dump() | {"loop": POLICY.loop.model_dump() | {"gas_usd": "1", "protocol_loss": "0%"}}
    )
    decision = decided(snapshot(pool("cheap", rate=rate)), policy=cheap)

    assert (decision.target.loan is not None) is drawn
    assert decision.judgement.ruling.leverage == float(drawn)
    assert ("borrow-too-dear stands" in decision.judgement.ruling.why) is not drawn


@pytest.mark.requirement("X12", "S39", "S41")
def test_the_two_shares_of_a_quarter_have_two_denominators():
    readings = {one.limit: one for one in decided(SEEN, session_outer=30_000.0).readings}

    assert readings["sleeve_cap"].reading == pytest.approx(150_000 / 1_000_000)  # of net asset value
    assert readings["session_new_outer"].reading == pytest.approx(30_000 / (0.30 * 1_000_000))  # of defined risk
    assert (readings["sleeve_cap"].level, readings["session_new_outer"].level) == (0.20, 0.25)


def futures(later: float) -> Observations:
    """A constant-maturity VIX future of beta -2 to SPX, of `later` in the ninety sessions before the quarter began."""
    history = MARKET.histories["SPX"]
    recent = slice(-460, None)
    days, closes = history.days[recent], history.values[recent]
    began = int(np.searchsorted(days, np.datetime64("2018-04-02")))
    betas = np.full(len(days) - 1, -2.0)
    betas[began - 90 : began] = later
    levels = 15.0 * np.exp(np.append(0.0, np.cumsum(betas * np.diff(np.log(closes)))))
    at = days.astype("datetime64[m]")
    closed = at + (np.datetime64(SEEN.asof.replace(tzinfo=None), "m") - at[-1])
    return Observations({"vx_30d": Series("vx_30d", "points", at, closed, levels, "test")})


@pytest.mark.requirement("S51", "D19", "X05")
@pytest.mark.parametrize(
    ("later", "factor", "coins", "drawn"),
    [
        (-4.0, 1.25, 170_000, True),  # 1 + 0.5 (4/2 - 1) = 1.5, held at 1.25: the target is 18.75 %
        (-2.0, 1.00, 170_000, False),  # 16.7 % of NAV is above 15 %
        (-1.0, 0.80, 130_000, False),  # 1 + 0.5 (1/2 - 1) = 0.75, held at 0.8: 13.3 % is above 12 %
        (-2.0, 1.00, 130_000, True),
    ],
)
def test_the_beta_of_the_volatility_complex_scales_the_sleeve_that_may_borrow(later, factor, coins, drawn):
    judged = judgement(observed(SEEN, futures(later), asset="DAI"), session_closes(SEEN), POLICY)

    target = decided(SEEN, funded(coins=coins), judged=judged).target

    assert judged.ruling.sleeve_factor == pytest.approx(factor)
    assert (target.loan is not None) is drawn


@pytest.mark.requirement("S24", "S19")
def test_a_jump_of_bond_implied_wacc_adds_call_spreads_by_a_quarter_of_their_target_a_session():
    calm = decided(SEEN, policy=desk(hedge={"carry_budget": "60%"}))
    lots = {}
    for step in ("25%", "12.5%"):
        policy = desk(layering={"step": step}, hedge={"carry_budget": "60%"})
        trade = layered(decided(SEEN, policy=policy, judged=jumped(calm)), "vix-increment").trade
        for (lower, bought), (upper, sold) in zip(trade.legs[::2], trade.legs[1::2], strict=True):
            assert (lower.underlying, lower.expiry, bought) == ("VIX", upper.expiry, -sold)
            assert lower.strike < upper.strike
            assert bought > 0
        lots[step] = sum(lots for _, lots in trade.legs[::2])

    assert not layered(calm, "vix-increment").allowed
    assert lots["25%"] > 4
    assert lots["12.5%"] == lots["25%"] // 2  # whole spreads of one target


@pytest.mark.requirement("S40", "D11")
def test_the_condors_decided_on_shrink_until_two_deviations_cost_what_is_allowed():
    wide, narrow = (decided(SEEN, policy=desk(limits={"drawdown_2sd": most})).target.core for most in ("6%", "3%"))

    assert 0.03 < wide.drawdown <= 0.06
    assert narrow.drawdown <= 0.03
    assert 0 < narrow.lots(Kind.CONDOR) < wide.lots(Kind.CONDOR)
    assert "drawdown_2sd" in {limit.limit for limit in narrow.binding}


@pytest.mark.requirement("X04", "X17")
@pytest.mark.parametrize(("mode", "opens"), [("buy_tail", True), ("monetize", False), ("sell_outer_condor", False)])
def test_outer_wings_that_add_risk_wait_for_the_committee_and_bought_tails_do_not(plain, mode, opens):
    verdict = replace(plain.judgement.verdict, decision=Decision.NO_ACTION)
    judged = replace(told(plain, "outer-intermediate"), verdict=verdict)
    policy = Policy.model_validate({"layering": {"outer_mode": mode}})

    found = layered(decided(SEEN, policy=policy, judged=judged), "outer-intermediate")

    assert found.armed
    assert found.allowed is opens
    assert ("the committee says no action" in found.reason) is not opens


@pytest.mark.requirement("S42", "D20")
def test_the_beta_limit_binds_a_decision_only_while_growth_is_uncertain(plain):
    for uncertain in (True, False):
        decision = decided(SEEN, judged=replace(plain.judgement, beta_binds=uncertain))
        found = next(one for one in decision.readings if one.limit == "beta")

        assert (found.level, found.binding) == (0.7, uncertain)


def desk(**changed):
    """A desk whose own margin leaves the other limits to bind."""
    told = POLICY.model_dump()
    changes = {"core": {"own_margin": "60%"}} | changed
    return POLICY.model_validate(told | {section: told[section] | values for section, values in changes.items()})


def jumped(decision):
    found = (replace(one, fires=one.rule.id == "bond-wacc-jump") for one in decision.judgement.findings)
    return replace(decision.judgement, findings=tuple(found))


def layered(decision, name):
    return next(one for one in layering(decision).proposals if one.layer.name == name)
