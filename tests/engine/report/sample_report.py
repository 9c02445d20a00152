"""A report as an operator would read it in the middle of a cycle: three weeks, one open condor, one open plan."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import exp, sin

from engine.money import ETH, USD, Money, usd
from engine.pricing.black import forward_value
from engine.report.blended import BlendedReport, BookState, EngineNav, Headline, Provenance
from engine.report.book_rows import AccountTotal, ApprovalRow, BreakRow, FillRow, LendingRow, PlanRow, PositionRow
from engine.report.performance import Attribution, CostPart, EngineReturn, NavPoint, PeriodReturn, WaccRow, Wedge
from engine.report.risk_rows import (
    GreekRow,
    HeatMap,
    LimitRow,
    LiquidityRow,
    PayoffCurve,
    QuickRatioRow,
    ScenarioRow,
    Unit,
)

ASOF = datetime(2026, 11, 20, 21, 15, tzinfo=UTC)
STRIKES = ((5450.0, -1, 1), (5500.0, -1, -1), (6200.0, 1, -1), (6250.0, 1, 1))  # strike, call or put, quantity
CONDORS, MULTIPLIER, CREDIT = 20, 100.0, 11.40
DIGEST = "9f2c4be07d51a83e6604c1fb7d9e0a52b8813f4467cc92e5d0ab1734ee90c6d1"


def _worth(spot: float, years: float, vol: float) -> float:
    legs = (n * float(forward_value(spot, k, years, vol, sign=s)) for k, s, n in STRIKES)
    return CONDORS * MULTIPLIER * (CREDIT + sum(legs))


def payoff() -> PayoffCurve:
    spots = tuple(5200.0 + 25.0 * step for step in range(53))
    return PayoffCurve(
        label="20 SPX condors, 18 Dec 2026, 5,450/5,500/6,200/6,250",
        spot=5868.4,
        spots=spots,
        at_expiry=tuple(_worth(s, 0.0, 0.15) for s in spots),
        today=tuple(_worth(s, 28 / 365, 0.15) for s in spots),
        break_evens=(5488.6, 6211.4),
        one_sd=(5624.0, 6112.0),
        two_sd=(5380.0, 6356.0),
        pop=0.847,
    )


def heat() -> HeatMap:
    spot_shocks = (-0.10, -0.07, -0.05, -0.03, 0.0, 0.03, 0.05, 0.07, 0.10)
    vol_shocks = (-0.05, 0.0, 0.05, 0.10, 0.20)
    now = _worth(5868.4, 28 / 365, 0.15)
    return HeatMap(
        spot_shocks,
        vol_shocks,
        tuple(
            tuple(
                round(_worth(5868.4 * (1 + s), 28 / 365, 0.15 + v) - now + 9000 * v + 900 * (s < -0.04), 2)
                for s in spot_shocks
            )
            for v in vol_shocks
        ),
    )


def nav() -> tuple[NavPoint, ...]:
    start = date(2026, 10, 30)
    points = []
    for day in range(22):
        on = start + timedelta(days=day)
        put_in = usd(25_000) if day == 9 else usd(0)
        condor = 812_000 + 420 * day + 2600 * sin(day * 0.9) + (25_000 if day >= 9 else 0)
        defi = 168_000 + 61 * day - 1900 * exp(-((day - 13) ** 2) / 6)
        transit = usd(12_000) if 14 <= day <= 16 else usd(0)
        points.append(NavPoint(on, Money.rounded(condor, USD) - transit, Money.rounded(defi, USD), transit, put_in))
    points[-1] = NavPoint(ASOF.date(), usd("846482.16"), usd("169618.84"), usd(0))
    return tuple(points)


def returns() -> tuple[EngineReturn, ...]:
    def over(rate: float) -> PeriodReturn:
        return PeriodReturn(rate, 21, annualised=False)

    return (
        EngineReturn(
            "Condor",
            over(0.0118),
            over(0.0109),
            over(0.0107),
            (Wedge("Fees", -5.1), Wedge("Slippage", -3.6), Wedge("Funding", 0.0)),
        ),
        EngineReturn(
            "DeFi",
            over(0.0095),
            over(0.0071),
            over(0.0069),
            (Wedge("Gas", -11.0), Wedge("Slippage", -4.2), Wedge("Funding", -8.7)),
        ),
        EngineReturn(
            "Blended",
            over(0.0114),
            over(0.0102),
            over(0.0101),
            (Wedge("Fees", -4.2), Wedge("Slippage", -3.7), Wedge("Gas", -1.9), Wedge("Funding", -1.5)),
        ),
    )


def wacc() -> tuple[WaccRow, ...]:
    return (
        WaccRow("Equity", 0.70, 0.072, (CostPart("risk-free", 0.042), CostPart("beta 0.60 x premium", 0.030))),
        WaccRow(
            "USDC debt, Aave v3",
            0.20,
            0.065,
            (CostPart("borrow", 0.055), CostPart("gas", 0.004), CostPart("liquidation, peg, protocol", 0.006)),
        ),
        WaccRow("Credit line", 0.10, 0.065, (CostPart("rate", 0.065),)),
    )


def limits() -> tuple[LimitRow, ...]:
    return (
        LimitRow("DeFi sleeve of risk capital", "S39", 0.20, 0.1693, Unit.SHARE),
        LimitRow("Drawdown at 2 SD", "S40", 0.06, 0.0418, Unit.SHARE),
        LimitRow("New outer risk per session", "S41", 0.25, 0.0, Unit.SHARE),
        LimitRow("Portfolio beta", "S42", 0.70, 0.21, Unit.PLAIN),
        LimitRow("Quick ratio, consolidated", "D13", 1.0, 1.62, Unit.RATIO, floor=True),
        LimitRow("Health factor after 2 SD", "D16", 1.50, 1.44, Unit.PLAIN, floor=True),
        LimitRow("Gas per plan", "costs", 150.0, 38.2, Unit.USD),
    )


def positions() -> tuple[PositionRow, ...]:
    def row(sleeve: str, venue: str, name: str, n: str, mark: str, value: str) -> PositionRow:
        share = float(Decimal(value)) / 1_016_101.0
        return PositionRow(sleeve, venue, name, Decimal(n), mark, usd(value), share)

    return (
        row("condor", "paper", "SPX 2026-12-18 P5450", "20", "+12.35", "24700.00"),
        row("condor", "paper", "SPX 2026-12-18 P5500", "-20", "+15.80", "-31600.00"),
        row("condor", "paper", "SPX 2026-12-18 C6200", "-20", "+9.10", "-18200.00"),
        row("condor", "paper", "SPX 2026-12-18 C6250", "20", "+5.70", "11400.00"),
        row("condor", "paper", "VX 2026-12-16", "3", "+18.42", "1260.00"),
        row("condor", "paper", "USD", "858922.16", "+1.00", "858922.16"),
        row("defi", "aave", "aWETH", "52.318442", "+3,412.07", "178514.12"),
        row("defi", "aave", "debt USDC", "-61240.118223", "+0.9998", "-61227.87"),
        row("defi", "lyra", "ETH 2026-12-25 P2800", "40", "+31.15", "1246.00"),
        row("defi", "safe", "USDC", "51204.550000", "+0.9998", "51086.59"),
    )


def fills() -> tuple[FillRow, ...]:
    def row(minute: int, step: str, venue: str, cash: str, mid: str, gas: str, seen: str) -> FillRow:
        at = ASOF - timedelta(minutes=60 - minute)
        fee = usd("25.60") if venue == "paper" else usd(0)
        return FillRow(at, step, venue, usd(cash), usd(mid), fee, usd(gas), seen, minute < 40)

    return (
        row(2, "Sell 20 condors", "paper", "22800.00", "23100.00", "0", "exec 0000e0d5.6740d1"),
        row(31, "Buy 40 ETH puts", "lyra", "-1262.40", "-1246.00", "6.12", "0x8d3c...41ff log 14"),
        row(44, "Repay 12,000 USDC", "aave", "-12000.00", "-12000.00", "3.88", "0x41b0...9c07 log 3"),
    )


def sample(**changes: object) -> BlendedReport:
    """The report, with fields replaced."""
    given: dict[str, object] = {
        "title": "Blended book report",
        "asof": ASOF,
        "since": date(2026, 10, 30),
        "state": BookState.OPEN,
        "status": "One condor and one hedge layer are open; figures use marks of 20 Nov 2026, 16:15 New York.",
        "headline": Headline(
            nav=usd("1016101.00"),
            by_engine=(
                EngineNav("Condor", usd("846482.16")),
                EngineNav("DeFi", usd("169618.84")),
                EngineNav("In transit", usd(0)),
            ),
            irr=PeriodReturn(0.0102, 21, annualised=False),
            irr_note="90 % interval +0.71 % to +1.29 %, from open marks",
            wacc=0.0699,
            sleeve_share=0.1693,
            sleeve_cap=0.20,
        ),
        "provenance": Provenance(DIGEST, DIGEST[::-1], DIGEST[8:] + DIGEST[:8], DIGEST[32:] + DIGEST[:32], "0.1.0"),
        "modelled": (
            "ETH option marks: Black-76 on the venue's implied volatility, not traded prices",
            "VIX futures between listed expiries: interpolated variance",
        ),
        "nav": nav(),
        "returns": returns(),
        "attribution": (
            Attribution("Theta", usd("11840.20")),
            Attribution("Delta and gamma", usd("-2310.75")),
            Attribution("Vega", usd("1902.40")),
            Attribution("Hedge layers", usd("-1655.00")),
            Attribution("Lending, net", usd("1204.11")),
            Attribution("Fees and gas", usd("-431.90")),
            Attribution("Slippage", usd("-372.05")),
            Attribution("Peg", usd("-12.25")),
        ),
        "wacc": wacc(),
        "limits": limits(),
        "positions": positions(),
        "greeks": (
            GreekRow("0-7", 0.0, 0.0, 0.0, 0.0),
            GreekRow("15-45", -1840.0, -2210.0, -9120.0, 612.0),
            GreekRow("60+", 320.0, 140.0, 2410.0, -71.0),
            GreekRow("All", -1520.0, -2070.0, -6710.0, 541.0),
        ),
        "payoff": payoff(),
        "heat": heat(),
        "scenarios": (
            ScenarioRow("Feb 2018", "spot -4.1 %, VIX +20 points", usd("-31204.00"), -0.0307),
            ScenarioRow("Mar 2020", "spot -12.0 %, VIX +25 points", usd("-58816.00"), -0.0579),
            ScenarioRow("Mar 2023", "USDC -12 %, ETH -8 %", usd("-9120.00"), -0.0090),
            ScenarioRow("Aug 2024", "spot -3.0 %, VIX +15 points", usd("-22410.00"), -0.0221),
        ),
        "lending": (
            LendingRow("Aave v3 WETH/USDC", usd("178514.12"), usd("61227.87"), 2.27, 0.56, 0.0512),
            LendingRow("Morpho wstETH/USDC", usd("0"), usd("0"), float("inf"), 1.0, 0.0634, 38.0),
        ),
        "quick_ratios": (
            QuickRatioRow("condor", 1.0, 812_000.0, 0.0, float("inf")),
            QuickRatioRow("both", 3.0, 862_000.0, 532_000.0, 1.62),
        ),
        "liquidity": (
            LiquidityRow("paper", (812_000.0, 812_000.0, 812_000.0), (812_000.0, 812_000.0, 812_000.0)),
            LiquidityRow("safe", (50_064.9, 50_064.9, 50_064.9), (0.0, 0.0, 50_064.9)),
        ),
        "plan": (
            PlanRow("Sell 20 SPX condors 18 Dec", "paper", "-20 condors", usd("22600.00"), "filled"),
            PlanRow("Buy 40 ETH puts 2,800", "lyra", "+40 options", usd("-1290.00"), "filled"),
            PlanRow("Repay USDC debt", "aave", "-12,000.00 USDC", usd("-12000.00"), "awaits finality"),
        ),
        "fills": fills(),
        "threshold": 2,
        "approvals": (
            ApprovalRow("Amira", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", ASOF - timedelta(hours=3)),
            ApprovalRow("Bao", "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC", ASOF - timedelta(hours=2)),
            ApprovalRow("Chidi", "0x90F79bf6EB2c4f870365E785982E1f101E93b906"),
        ),
        "ledger": (
            AccountTotal("assets:condor:paper", usd("858922.16"), usd("858922.16")),
            AccountTotal("assets:defi:safe", Money.of("14.972118330000000000", ETH), usd("51086.01")),
            AccountTotal("equity:capital:condor", usd("-837000.00")),
            AccountTotal("expenses:gas:defi", usd("38.20")),
        ),
        "breaks": (
            BreakRow("assets:condor:paper", usd("858922.16"), usd("858920.06"), date(2026, 11, 19), "exchange fee"),
        ),
        "method": (
            "Both engines are valued at 16:15 New York; the chain at its last final block before that.",
            "Returns under 30 days are shown over the period and are not scaled to a year.",
            "Stable coins are marked at market, not at one dollar.",
        ),
    }
    return BlendedReport(**{**given, **changes})  # type: ignore[arg-type]
