"""Each signal of the articles, observed in a decision: one input crosses its figure and the ruling changes."""

import numpy as np
import pytest

from tests.engine.evidence_cases import (
    CONFIRMED,
    DRIVEN,
    FLOWS,
    FRONT,
    GAPS,
    LINE,
    NARROW,
    SAW,
    SPENT,
    STEADY,
    UP,
    WAVE,
    case,
    change,
    judged,
    rule,
    then,
)

SPREAD = 0.04 + 0.008 * WAVE[:300]
"""Five-day changes with a deviation of 31 bp: fifty are within two of them."""

SCORES = [
    case(
        "S61 X14 D18",
        "exhaustion",
        "+25%",
        change(NARROW | {"spx": SPENT, "advances": np.full(147, 900.0)}, advances=np.full(147, 500.0)),
        "RSI above 70, MACD and breadth deny it",
    ),
    case("S59", "momentum-turns-down", "+25%", change({"spx": UP}, spx=then(UP, UP[-2] * 0.99)), "MACD crosses down"),
    case(
        "S64 X10",
        "tail-in-backwardation",
        "+50%",
        # D09: two closes at F1 >= F2 (1 + 0.25 %), from contango
        change(
            {"vx_front": then(FRONT * 0.9, 20.0, 20.06), "vx_second": FRONT},
            vx_front=then(FRONT * 0.9, 20.06, 20.06),
        ),
        "the curve inverts for two closes",
    ),
    case("S77", "high-volatility", "+50%", change({"vix": then(FRONT, 24.99)}, vix=then(FRONT, 25.0)), "VIX at 25"),
    case(
        "S76",
        "credit-widens",
        "+25%",
        change(
            {"hy_oas": then(SPREAD, SPREAD[-6] + 0.0049)},
            hy_oas=then(SPREAD, SPREAD[-6] + 0.0051),
        ),
        "credit +50 bp in five days",
    ),
    case(
        "S73",
        "prices-surprise",
        "+25%",
        # 2.1 / 1.026 = 2.05 and 2.0 / 1.026 = 1.95 deviations
        change(
            {
                "cpi_change": [*GAPS, 2.0],
                "cpi_consensus": np.zeros(21),
                "gdp_growth": [*GAPS, 0.0],
                "gdp_consensus": np.zeros(21),
            },
            cpi_change=[*GAPS, 2.1],
        ),
        "a CPI surprise of two deviations",
    ),
    case(
        "S74",
        "prices-surprise",
        "+25%",
        change(
            {
                "cpi_change": [*GAPS, 0.0],
                "cpi_consensus": np.zeros(21),
                "gdp_growth": [*GAPS, -2.0],
                "gdp_consensus": np.zeros(21),
            },
            gdp_growth=[*GAPS, -2.1],
        ),
        "a GDP surprise of minus two deviations",
    ),
    case(
        "S68",
        "rates-apart",
        "+25%",
        change({"usd_3m": [0.0499] * 5, "foreign_3m": [0.02] * 5}, usd_3m=[0.05] * 5),
        "dollar rates three points above foreign ones",
    ),
    case(
        "S81",
        "flows-into-volatility",
        "+25%",
        change(FLOWS | {"vxx_shares": STEADY}, vxx_shares=then(STEADY, STEADY[-1] + 5e4)),
        "money flows into VXX",
    ),
    case(
        "S62",
        "breadth-falls-off",
        "+25%",
        change(
            {"spx": 4000.0 + np.arange(400.0), "advances": LINE[:400] + 60, "declines": np.full(400, 700.0)},
            advances=then(LINE[:400] + 60, *np.full(10, 300.0)),
        ),
        "breadth two deviations under the index",
    ),
]


@pytest.mark.parametrize(("name", "effect", "quiet", "loud"), SCORES)
def test_a_signal_that_asks_for_more_hedge_moves_the_ratio_of_the_ruling(name, effect, quiet, loud):
    before, after = judged(quiet), judged(loud)

    assert (rule(before, name).fires, rule(after, name).fires) == (False, True)
    # h = 1 + 0.3 score (X10)
    amount = 0.3 * float(effect.rstrip("%")) / 100
    others = sum(
        one.amount
        for found in after.findings
        if found.fires and found.rule.id != name and not rule(before, found.rule.id).fires
        for one in found.rule.then
        if one.act == "score"
    )
    assert after.ruling.hedge_ratio - before.ruling.hedge_ratio == pytest.approx(amount + 0.3 * others)


FREEZES = [
    case("S43", "borrow-too-dear", "loan", change({"borrow_rate": [0.06] * 5}, borrow_rate=[0.0601] * 5), "borrow 6 %"),
    case(
        "S67",
        "lending-stress",
        "loan",
        change({"supply_rate": 0.02 + SAW[:99] / 100, "borrow_rate": [0.0399] * 99}, supply_rate=[0.0099] * 99),
        "lending pays 300 bp less than borrowing costs",
    ),
    case(
        "S69",
        "dollar-curve",
        "loan",
        change({"reer": [100.0] * 9, "reer_12m": [103.0] * 9}, reer_12m=[103.1] * 9),  # ln 1.031 = 3.05 %
        "the dollar's curve rises 3 % a year",
    ),
    case(
        "S73",
        "producer-prices-outrun",
        "loan",
        # over twelve months +2.4 % against +7.2 % and +7.6 %
        change(
            {"cpi": 100 + 0.2 * np.arange(13.0), "ppi": 100 + 0.6 * np.arange(13.0)},
            ppi=100 + 7.6 / 12 * np.arange(13.0),
        ),
        "producer prices outrun consumer prices by five points",
    ),
    case(
        "S66 D22",
        "tvl-run",
        "defi",
        change(
            {"tvl_usd": [100.0, 100, 100, 92.1], "cpi": 100 * 1.001 ** np.arange(20.0) ** 1.3, "ppi": [100.0] * 20},
            tvl_usd=[100.0, 100, 100, 92.0],
        ),
        "value locked falls 8 % while CPI rises",
    ),
    case("S84 D21", "depeg", "defi", change({"usdc_peg": [0.981]}, usdc_peg=[0.98]), "a stable 2 % under par"),
    case("S79 S55", "oracle-late", "defi", change({"oracle_lag": [1.0]}, oracle_lag=[1.01]), "an oracle past its beat"),
    case(
        "S83",
        "dislocation",
        "defi",
        # the fee is 30 bp: 89 and 91 bp apart
        change({"dex_mid": [2017.8] * 3, "cex_mid": [2000.0] * 3, "pool_fee": [0.003]}, dex_mid=[2018.2] * 3),
        "pool and exchange three fees apart",
    ),
]


@pytest.mark.parametrize(("name", "what", "quiet", "loud"), FREEZES)
def test_a_signal_that_stops_borrowing_takes_the_leverage_of_the_ruling(name, what, quiet, loud):
    before, after = judged(quiet), judged(loud)

    assert (rule(before, name).fires, rule(after, name).fires) == (False, True)
    assert (before.ruling.leverage, after.ruling.leverage) == (1.0, 0.0)
    assert what in after.frozen
    assert f"{name} stands" in after.ruling.why


ETHER = 2000.0 * 0.995 ** np.arange(80.0)
ARMS = [
    case(
        "S63 S09",
        "outer-intermediate",
        "outer-intermediate",
        # today is at or above 62 and 63 of the last 90 sessions: 68.9 % and 70 %
        change(
            {"spx": SPENT, "vix": [*np.full(62, 17.0), *np.full(28, 19.0), 18.0][1:]},
            vix=[*np.full(62, 17.0), *np.full(27, 19.0), 18.0],
        ),
        "implied volatility at the 70th percentile of 90 sessions",
    ),
    case(
        "S59 S09",
        "outer-intermediate",
        "outer-intermediate",
        change({"spx": DRIVEN, "vix": np.linspace(15, 19, 147)}, spx=SPENT),
        "MACD denies the higher high",
    ),
    case(
        "S23 S61 X14",
        "vix-second-layer",
        "vix-second",
        change(CONFIRMED | {"spx": UP}, spx=then(UP, *UP[-5] * 0.97 ** np.arange(1.0, 5.0))),
        "RSI under 45",
    ),
    case(
        "S24",
        "bond-wacc-jump",
        "vix-increment",
        # 20-session changes swing by 0.0009 at most; one of +1 % is far out, of +0.1 % within two deviations
        change({"bond_wacc": 0.05 + 0.0005 * WAVE}, bond_wacc=then(0.05 + 0.0005 * WAVE, 0.06)),
        "bond-implied WACC jumps",
    ),
    case(
        "S71",
        "funding-spike",
        "defi-protection",
        # three payments a day: 0.000456 x 1095 = 49.9 %, 0.000457 x 1095 = 50.04 %
        # the median of two venues
        change(
            {"funding_8h": 0.000456 + 1e-6 * SAW[:60], "funding_8h_2": 0.000456 + 1e-6 * SAW[:60]},
            funding_8h=then(0.000456 + 1e-6 * SAW[:60], -0.000457),
            funding_8h_2=then(0.000456 + 1e-6 * SAW[:60], -0.000457),
        ),
        "perpetual funding at 50 % a year",
    ),
    case(
        "S72",
        "treasury-drains",
        "defi-protection",
        change({"treasury_quick_ratio": [2.0] * 5 + [1.61]}, treasury_quick_ratio=[2.0] * 5 + [1.6]),
        "a treasury loses a fifth of its quick ratio in a week",
    ),
    case(
        "S70",
        "collateral-currency",
        "defi-protection",
        change(
            {"neer": 100 + 0.2 * np.sin(np.arange(400.0))},
            neer=then(100 + 0.2 * np.sin(np.arange(400.0)), 103.0, 99.0, 104.0),
        ),
        "the collateral's currency swings",
    ),
    case(
        "S59", "coins-break", "defi-protection", change({"eth": ETHER[::-1]}, eth=ETHER - np.arange(80.0) ** 1.4), "ETH"
    ),
    case(
        "S65 S10",
        "outer-short",
        "outer-short",
        change(
            {"pcf_top50": [*np.linspace(10, 20, 119), 15.1], "vx_front": FRONT * 1.01, "vx_second": FRONT},
            pcf_top50=[*np.linspace(10, 20, 119), 14.9],
        ),
        "cash-flow multiples under their median in backwardation",
    ),
    case(
        "S78 D28",
        "short-overlay",
        "overlay",
        change(
            {"vix9d": then(16.0 + np.arange(300.0) % 2, 16.0), "spx": np.linspace(4000, 4400, 300)},
            vix9d=then(16.0 + np.arange(300.0) % 2, 19.8),
        ),
        "the front end is dear near the highs",
    ),
]


@pytest.mark.parametrize(("name", "layer", "quiet", "loud"), ARMS)
def test_a_signal_arms_the_layer_that_answers_it(name, layer, quiet, loud):
    before, after = judged(quiet), judged(loud)

    assert (rule(before, name).fires, rule(after, name).fires) == (False, True)
    assert (layer in before.armed, layer in after.armed) == (False, True)
