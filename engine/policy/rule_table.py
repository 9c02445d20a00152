"""The default rules and the seats of the committee, each with the article's line it comes from."""

from collections.abc import Sequence

from engine.policy.layers import DEFAULT
from engine.policy.rule_text import MemberText, RuleText
from engine.signals.panel import Family


def _rule(id: str, when: Sequence[str], then: Sequence[str], source: str, says: str, **more: object) -> RuleText:
    return RuleText.model_validate(
        {"id": id, "when": tuple(when), "then": tuple(then), "source": source, "says": says} | more
    )


def _seat(name: str, family: Family, more: Sequence[str], less: Sequence[str], source: str) -> MemberText:
    return MemberText(name=name, family=family, more=tuple(more), less=tuple(less), source=source)


LAYERS = tuple(layer.name for layer in DEFAULT)
"""What rules may arm where a policy lists no layers of its own."""

RULES: tuple[RuleText, ...] = (
    _rule(
        "vix-second-layer",
        ["ad_divergence is yes", "rsi_spx < 45 points"],
        ["arm vix-second", "score +25%"],
        "S23, X14: B line 4",
        "the second VIX layer wakes when breadth parts from price or RSI falls under 45",
        quorum=1,
        until=["rsi_spx > 50 points"],
    ),
    _rule(
        "bond-wacc-jump",
        ["bond_wacc_jump >= 2 sd"],
        ["arm vix-increment"],
        "S24: D line 16",
        "VIX call spreads are added in steps when bond-implied WACC rises sharply",
    ),
    _rule(
        "outer-intermediate",
        ["iv_percentile >= 70%", "macd_diverges is yes"],
        ["arm outer-intermediate"],
        "S09, S59, S63, X15: C line 4",
        "outer wings when volatility is in its upper range and momentum denies price",
        until=["iv_percentile < 50%"],
    ),
    _rule(
        "outer-short",
        ["backwardation is yes", "pcf_compressed is yes"],
        ["arm outer-short"],
        "S10, S64, S65, X15: C line 6",
        "near wings when the VIX curve inverts and cash-flow multiples compress",
        until=["term_slope >= 2%", "pcf_compressed is no"],
    ),
    _rule(
        "short-overlay",
        ["front_carry_press is yes"],
        ["arm overlay"],
        "S06, S78, D28: B line 7, D line 16",
        "the 15-20 day condor when the front end is dear and the market near its high",
    ),
    _rule(
        "tail-in-backwardation",
        ["backwardation is yes"],
        ["arm tail", "score +50%"],
        "S64, X10: C line 6, E line 7",
        "an inverted curve asks for more hedge",
    ),
    _rule(
        "high-volatility",
        ["vix >= 25 points"],
        ["score +50%"],
        "S77, X10: B line 4, E line 7",
        "above 25 the hedge leans to 1:1.3",
    ),
    _rule(
        "calm-hedge",
        ["vix < 16 points", "backwardation is no", "ad_divergence is no"],
        ["score -50%"],
        "S53, X10: E line 7",
        "a quiet, rising, confirmed market bears a leaner hedge",
    ),
    _rule(
        "credit-widens",
        ["hy_spread_change >= 50 bp", "credit_widening >= 2 sd"],
        ["score +25%"],
        "S76: C line 4",
        "widening credit spreads count as a surge of volatility",
        quorum=1,
    ),
    _rule(
        "breadth-falls-off",
        ["ad_deviation <= -2 sd"],
        ["score +25%"],
        "S62, D18: D line 12",
        "breadth lies far under what the index says",
    ),
    _rule(
        "breadth-before-meeting",
        ["ad_divergence is yes", "fomc_watch is yes"],
        ["score +25%"],
        "S62, S75: A line 5",
        "breadth that parts from price ahead of a policy meeting rebalances towards the hedge",
    ),
    _rule(
        "momentum-turns-down",
        ["macd_cross_spx < 0 sign"],
        ["score +25%"],
        "S59: E line 5",
        "a downward crossing warns of delta to come",
    ),
    _rule(
        "exhaustion",
        ["exhausted is yes"],
        ["score +25%"],
        "S61, X14: C line 4",
        "a move that is spent rather than driven asks for protection",
    ),
    _rule(
        "tvl-run",
        ["tvl_change <= -8%", "inflation_rising is yes"],
        ["arm defi-protection", "freeze defi"],
        "S66, D22: C line 7",
        "value locked falls 8 % in 48 hours while CPI or PPI rises",
    ),
    _rule(
        "lending-stress",
        ["lending_differential <= -300 bp", "lending_differential_z <= -2 sd"],
        ["arm defi-protection", "freeze loan"],
        "S67: C line 7",
        "borrowing costs far more than lending pays",
        quorum=1,
    ),
    _rule(
        "funding-spike",
        ["funding_z >= 3 sd", "funding_annual >= 50%"],
        ["arm defi-protection"],
        "S71: C line 5",
        "perpetual funding spikes",
        quorum=1,
    ),
    _rule(
        "treasury-drains",
        ["treasury_change <= -20%", "treasury_quick_ratio < 1 x"],
        ["arm defi-protection"],
        "S72, D13: C line 5",
        "a protocol's treasury loses its liquid means",
        quorum=1,
    ),
    _rule(
        "collateral-currency",
        ["currency_shaken >= 2 sd"],
        ["arm defi-protection"],
        "S70: C line 5",
        "the currency of the collateral begins to swing",
    ),
    _rule(
        "coins-break",
        ["rsi_eth < 30 points", "macd_eth < 0 points"],
        ["arm defi-protection"],
        "S59: A line 5",
        "the sleeve's own coins lose their momentum",
    ),
    _rule(
        "borrow-too-dear",
        ["borrow_rate > 6%"],
        ["freeze loan"],
        "S43: B line 5",
        "no new draw above six percent",
    ),
    _rule(
        "depeg",
        ["peg <= -200 bp"],
        ["freeze defi"],
        "S84, D21: E line 14",
        "a stablecoin two percent under its redemption value stops the sleeve",
    ),
    _rule(
        "oracle-late",
        ["oracle_lag > 1 x"],
        ["freeze defi"],
        "S55, S79, D22: A line 8",
        "an oracle older than its heartbeat prices nothing",
    ),
    _rule(
        "dislocation",
        ["dislocation > 3 x"],
        ["freeze defi"],
        "S83: D line 14",
        "pool and exchange prices part by more than three fees",
    ),
    _rule(
        "crypto-leans-on-spx",
        ["eth_beta_rising is yes", "btc_beta_rising is yes"],
        ["favour defi"],
        "S52, D19: C line 8",
        "when the coins' beta rises their protection comes first",
        quorum=1,
    ),
    _rule(
        "meeting-freeze",
        ["fomc_window is yes"],
        ["freeze all"],
        "S75, X08: A line 6, E line 7",
        "no new risk one session around a policy meeting",
    ),
    _rule(
        "policy-divergence",
        ["fomc_minutes is yes", "policy_divergence is yes"],
        ["roll core"],
        "S75, S92, X08: B line 6",
        "minutes that hint at divergence roll the short leg into the next month",
    ),
    _rule(
        "prices-surprise",
        ["cpi_surprise >= 2 sd", "gdp_surprise <= -2 sd"],
        ["score +25%"],
        "S73, S74, D23: A line 6, C line 10",
        "a print two deviations off its consensus asks for more hedge",
        quorum=1,
    ),
    _rule(
        "producer-prices-outrun",
        ["cpi_ppi_spread <= -5%"],
        ["freeze loan"],
        "S73: B line 6",
        "leverage waits while producer prices outrun consumer prices",
    ),
    _rule(
        "dollar-curve",
        ["reer_slope >= 3%", "reer_slope <= -3%"],
        ["freeze loan"],
        "S69, D23: B line 6",
        "leverage waits while the dollar's curve is steep",
        quorum=1,
    ),
    _rule(
        "rates-apart",
        ["rate_differential >= 3%"],
        ["score +25%"],
        "S68: D line 16, E line 6",
        "a wide rate differential asks for more hedge",
    ),
    _rule(
        "growth-uncertain",
        ["gdp_uncertainty >= 80%"],
        ["bind beta"],
        "S42, D20: D line 18",
        "beta under 0.7 while growth is uncertain",
    ),
    _rule(
        "short-future-rich",
        ["vx_residual >= 2 sd"],
        ["favour far-vix"],
        "S48, D13: E line 10",
        "the short VIX future is dear against the longer one",
    ),
    _rule(
        "short-future-cheap",
        ["vx_residual <= -2 sd"],
        ["favour near-vix"],
        "S48, D13: E line 10",
        "the short VIX future is cheap against the longer one",
    ),
    _rule(
        "flows-into-volatility",
        ["flow_imbalance >= 2 sd"],
        ["score +25%"],
        "S81: E line 11",
        "money moves from the index into volatility products",
    ),
)
"""
The default table. Scores, and the levels of seats not quoted from a seed, are this policy's own choice (X10).

So are the bands of the two add-rules (X15): a percentile under 50 % is the lower half of its range, and a curve up
by 2 % is eight times what enters contango (D09).
"""

MEMBERS: tuple[MemberText, ...] = (
    _seat(
        "rsi",
        Family.TECHNICAL,
        ["rsi_spx >= 45 points", "rsi_spx < 70 points"],
        ["rsi_spx < 30 points", "rsi_spx >= 70 points"],
        "S61, X14",
    ),
    _seat("macd", Family.TECHNICAL, ["macd_divergence_spx >= 0 sign"], ["macd_divergence_spx < 0 sign"], "S59"),
    _seat("breadth", Family.TECHNICAL, ["ad_divergence is no"], ["ad_divergence is yes"], "S62"),
    _seat("earnings-multiple", Family.FUNDAMENTAL, ["pe_rank <= 80%"], ["pe_rank > 95%"], "S82"),
    _seat("cash-flow-multiple", Family.FUNDAMENTAL, ["pcf_compressed is no"], ["pcf_compressed is yes"], "S65"),
    _seat("fund-flows", Family.FUNDAMENTAL, ["flow_imbalance < 1 sd"], ["flow_imbalance >= 2 sd"], "S81"),
    _seat("inflation", Family.FUNDAMENTAL, ["inflation_rising is no"], ["inflation_rising is yes"], "S73"),
    _seat("growth", Family.FUNDAMENTAL, ["gdp_uncertainty < 80%"], ["gdp_uncertainty >= 80%"], "S74"),
    _seat("dollar", Family.FUNDAMENTAL, ["reer_level < 2 sd"], ["reer_level >= 3 sd"], "S69"),
    _seat("tvl", Family.ONCHAIN, ["tvl_change > -4%"], ["tvl_change <= -8%"], "S66"),
    _seat("funding", Family.ONCHAIN, ["funding_z < 2 sd"], ["funding_z >= 3 sd", "funding_annual >= 50%"], "S71"),
    _seat("lending", Family.ONCHAIN, ["utilisation < 85%"], ["utilisation >= 95%"], "S79"),
    _seat("peg", Family.ONCHAIN, ["peg > -50 bp"], ["peg <= -200 bp"], "S84"),
    _seat("gas", Family.ONCHAIN, ["gas_z < 2 sd"], ["gas_z >= 5 sd"], "S79"),
    _seat("vix-zone", Family.VOLATILITY, ["vix >= 12 points", "vix < 25 points"], ["vix >= 25 points"], "S77"),
    _seat("vix-curve", Family.VOLATILITY, ["backwardation is no"], ["backwardation is yes"], "S64"),
    _seat("weekly-vix", Family.VOLATILITY, ["macd_vix_weekly < 0 points"], ["macd_vix_weekly >= 1 points"], "S60"),
    _seat("quick-ratio", Family.LIQUIDITY, ["quick_ratio >= 1.5 x"], ["quick_ratio < 1 x"], "S47"),
    _seat("pool", Family.LIQUIDITY, ["pool_quick_ratio >= 1.5 x"], ["pool_quick_ratio < 1 x"], "S47"),
)
"""The default seats (D29)."""
