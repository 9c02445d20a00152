"""What an observation may say: the unit of each name and the range in which its values make sense."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Admissible:
    """
    Unit and bounds, both included, of one observed quantity.

    A value outside is a slip of unit or a missing one written as 0, not a market: bounds lie well beyond
    anything recorded. A unit of "%" goes with decimals (0.71 is 71 %).
    """

    unit: str
    low: float
    high: float

    def __str__(self) -> str:
        """The range as a reader sees it."""
        return f"{self.low:,.9g} to {self.high:,.9g}"


def _each(names: str, unit: str, low: float, high: float) -> dict[str, Admissible]:
    return dict.fromkeys(names.split(), Admissible(unit, low, high))


ADMISSIBLE: dict[str, Admissible] = {
    **_each("spx", "points", 1, 1e6),
    **_each("vix vix3m vix9d vx_front vx_second vx_30d", "points", 1, 300),
    **_each("vvix", "points", 1, 1000),
    **_each("vx_gap", "years", 0.001, 2),
    **_each("iv7 iv30 iv45", "%", 0.01, 5),
    **_each("advances declines", "issues", 0, 100_000),
    **_each("hyg ief spy_nav vxx_nav", "USD", 0.001, 1e6),
    **_each("hy_oas", "%", 0.001, 0.5),
    **_each("cpi ppi reer reer_12m neer", "index", 1, 10_000),
    **_each("cpi_change cpi_consensus gdp_growth gdp_consensus", "%", -0.5, 0.5),
    **_each("gdp_dispersion", "%", 0, 1),
    **_each("usd_3m foreign_3m bond_wacc ois_12m sep_median", "%", -0.1, 1),
    **_each("fomc_dissents", "votes", 0, 12),
    **_each("pe pcf_top50", "x", 0.1, 1000),
    **_each("spy_shares vxx_shares", "shares", 1, 1e12),
    **_each("eth btc tvl_price dex_mid cex_mid", "USD", 1e-12, 1e9),
    **_each("tvl_usd pool_liquidity", "USD", 0, 1e13),
    **_each("pool_outflow_24h", "USD", -1e13, 1e13),
    **_each("tvl_units", "tokens", 0, 1e18),
    **_each("funding_8h funding_8h_2 funding_8h_3", "%", -0.1, 0.1),
    **_each("utilisation", "%", 0, 1),
    **_each("borrow_rate supply_rate", "%", 0, 2),
    **_each("usdc_peg", "x", 0.001, 2),
    **_each("pool_fee", "%", 1e-6, 0.5),
    **_each("gas_price", "wei", 1, 1e15),
    **_each("oracle_lag", "x", 0, 10_000),
    **_each("treasury_quick_ratio quick_ratio", "x", 0, 1e6),
}
"""Every name that signals read, and the recorded ones."""
