"""Each signal of the articles, observed in a decision: one input series crosses its figure and the ruling changes."""

from collections.abc import Mapping

import numpy as np
import pytest

from engine.market import Floats
from engine.policy.consensus import Decision, Stance
from engine.policy.judgement import Judgement, judgement
from engine.policy.settings import Policy
from engine.signals.columns import Axis
from engine.signals.observations import Observations, Series
from engine.signals.panel import Family
from tests.engine.signals.stores import CLOSE, axis, weekdays

DAYS = weekdays(800)  # to Friday 26 January 2018
LAST = Axis(axis(len(DAYS)).closes[-30:])
DAY = np.timedelta64(24 * 60, "m")
MONTHLY = {"cpi", "ppi", "cpi_change", "cpi_consensus", "pe", "pcf_top50", "reer", "reer_12m"}
MEETINGS = {"fomc_dissents", "ois_12m", "sep_median"}
QUARTERLY = {"gdp_dispersion", "gdp_growth", "gdp_consensus"}
ALL_FAMILIES = Policy.model_validate({"consensus": {"needed": 3, "families": [family.value for family in Family]}})


def series(name: str, values: Floats) -> Series:
    """The values up to the last close: a business day apart, or a month or quarter for what is published so."""
    if name in MONTHLY | MEETINGS | QUARTERLY:
        step = 3 if name in QUARTERLY else 1
        last = np.datetime64("2017-10" if name in QUARTERLY else "2017-12", "M")
        starts = (last - step * np.arange(len(values))[::-1]).astype("datetime64[m]")
        return Series(name, "x", starts, starts + 46 * DAY, values, "test")
    days = DAYS[-len(values) :].astype("datetime64[m]")
    return Series(name, "x", days, days + CLOSE, values, "test")


def judged(columns: Mapping[str, Floats | list[float]], **told) -> Judgement:
    given = {"vix": np.full(len(DAYS), 18.0)} | {name: np.asarray(values, float) for name, values in columns.items()}
    seen = Observations(dict(sorted((name, series(name, values)) for name, values in given.items())))
    return judgement(seen, LAST, told.pop("policy", ALL_FAMILIES), **told)


def rule(found: Judgement, name: str):
    return next(one for one in found.findings if one.rule.id == name)


def stance(found: Judgement, member: str):
    return next(one for one in found.ballots if one.member == member).stance


def then(values: Floats, *last: float) -> Floats:
    return np.append(values[: len(values) - len(last)], last)


WAVE = np.sin(np.arange(800.0) / 9.0)
SAW = np.tile([1.0, -1.0], 400)
UP = 4000.0 * 1.005 ** np.arange(120.0)
GAPS = np.tile([1.0, -1.0], 10)
"""Surprises with a deviation of sqrt(20/19) = 1.026."""
FLAT = np.full(300, 20.0)
FLOWS = {"spy_shares": 1e6 + 1e3 * SAW[:300], "spy_nav": FLAT, "vxx_nav": FLAT}
FALLING = 30.0 - 15.0 * np.linspace(0.0, 1.0, 800) ** 3
STEADY = 1e6 + 1e3 * SAW[:300]
FRONT = np.full(60, 20.0)
LINE = 700.0 + 3.0 * WAVE
CONFIRMED = {"advances": np.full(120, 1000.0), "declines": LINE[:120]}
"""Breadth that rises with the index."""


def change(of: Mapping[str, Floats | list[float]], **changed: Floats | list[float]):
    return dict(of), dict(of) | changed


def case(ids: str, name: str, effect: str, pair, what: str):
    return pytest.param(name, effect, *pair, marks=pytest.mark.requirement(*ids.split()), id=what)


SCORES = [
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
        change({"hy_oas": then(FLAT / 500, 0.0449), "hyg": 80 + WAVE[:300], "ief": FLAT * 5}, hy_oas=then(FLAT / 500, 0.0450)),
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
        change({"dex_mid": [2017.8], "cex_mid": [2000.0], "pool_fee": [0.003]}, dex_mid=[2018.2]),
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
    case("S23 S61 X14", "vix-second-layer", "vix-second", change(CONFIRMED | {"spx": UP}, spx=then(UP, *UP[-5] * 0.97 ** np.arange(1.0, 5.0))), "RSI under 45"),
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
        change({"funding_8h": 0.000456 + 1e-6 * SAW[:60]}, funding_8h=then(0.000456 + 1e-6 * SAW[:60], -0.000457)),
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


TEN_YEARS = np.linspace(10, 20, 119)
SEATS = [
    case(
        "S65",
        "cash-flow-multiple",
        "fundamental",
        change({"pcf_top50": [*TEN_YEARS, 15.1]}, pcf_top50=[*TEN_YEARS, 14.9]),
        "P/CF",
    ),
    case("S82", "earnings-multiple", "fundamental", change({"pe": [*TEN_YEARS, 12.0]}, pe=[*TEN_YEARS, 20.1]), "P/E"),
    case(
        "S81",
        "fund-flows",
        "fundamental",
        change(FLOWS | {"vxx_shares": STEADY}, vxx_shares=then(STEADY, STEADY[-1] + 5e4)),
        "flows",
    ),
    case(
        "S74",
        "growth",
        "fundamental",
        change({"gdp_dispersion": [*np.arange(39.0), 10.5]}, gdp_dispersion=[*np.arange(39.0), 31.5]),
        "GDP",
    ),
    case(
        "S69",
        "dollar",
        "fundamental",
        change({"reer": then(100 + SAW[:120], 100.0)}, reer=then(100 + SAW[:120], 110.0)),
        "REER",
    ),
    case(
        "S60",
        "weekly-vix",
        "volatility",
        change({"vx_30d": FALLING}, vx_30d=then(FALLING, *np.full(5, 40.0))),
        "weekly MACD",
    ),
    case(
        "S64",
        "vix-curve",
        "volatility",
        change({"vx_front": FRONT * 0.9, "vx_second": FRONT}, vx_front=FRONT * 1.01),
        "curve",
    ),
    case("S79", "lending", "on-chain", change({"utilisation": [0.84]}, utilisation=[0.95]), "utilisation"),
    case("S79", "gas", "on-chain", change({"gas_price": 20 + SAW[:60]}, gas_price=then(20 + SAW[:60], 26.0)), "gas"),
    case("S84", "peg", "on-chain", change({"usdc_peg": [0.9951]}, usdc_peg=[0.98]), "peg"),
    case(
        "S71",
        "funding",
        "on-chain",
        change({"funding_8h": 0.0001 + 1e-5 * SAW[:60]}, funding_8h=then(0.0001 + 1e-5 * SAW[:60], 0.00015)),
        "funding",
    ),
    case(
        "S66", "tvl", "on-chain", change({"tvl_usd": [100.0, 100, 100, 96.1]}, tvl_usd=[100.0, 100, 100, 92.0]), "TVL"
    ),
]


@pytest.mark.parametrize(("member", "family", "quiet", "loud"), SEATS)
def test_a_signal_turns_the_vote_of_its_seat_and_one_family_for_less_is_enough_to_decrease(member, family, quiet, loud):
    alone = Policy.model_validate({"consensus": {"needed": 1, "families": [family]}})
    members = {"members": [one.model_dump() for one in alone.members if one.name == member]}
    policy = Policy.model_validate(alone.model_dump() | members)
    before, after = judged(quiet, policy=policy), judged(loud, policy=policy)

    assert (stance(before, member), stance(after, member)) == (Stance.MORE, Stance.LESS)
    assert before.verdict.base is Decision.INCREASE
    assert after.verdict.decision is Decision.DECREASE
    assert not after.ruling.may_add
