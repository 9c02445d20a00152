"""The numbers of the method, as an operator writes them, with the range each may take."""

from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from engine.errors import ConfigError
from engine.policy.bands import Band, GapPolicy
from engine.policy.layer_text import LAYER_TEXTS, LayerText, layer_of
from engine.policy.layers import Combine, Layer, LayerTable
from engine.policy.money_text import LOCAL_POOLS, PoolText, WaterfallSettings
from engine.policy.outer_layer import OuterMode
from engine.policy.rule_table import MEMBERS, RULES
from engine.policy.rule_text import MemberText, RuleText
from engine.policy.ruling import MeetingAction
from engine.policy.shares import Share, share
from engine.policy.wings import WingsRefused
from engine.signals.panel import Family


def _money(written: Any) -> Decimal:
    if isinstance(written, Decimal):
        return written
    if not isinstance(written, str):
        raise ValueError(f'money is written in quotes, "1000000", not {written!r}')  # noqa: TRY004
    try:
        sum_ = Decimal(written.replace("_", ""))
    except InvalidOperation:
        raise ValueError(f"{written!r} is not a sum of money") from None
    if not sum_.is_finite():
        raise ValueError(f"{written!r} is not finite")
    return sum_


Dollars = Annotated[Decimal, BeforeValidator(_money), Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True, validate_default=True
    )


class BookSettings(_Section):
    """Whose money it is."""

    base: str = Field(default="USD", pattern="^USD$", description="the numeraire of every report")
    risk_capital: Dollars = Field(default=Decimal(1_000_000), description="USD committed to both engines (D11)")


class Limits(_Section):
    """Hard limits. A plan that breaks one is refused, never trimmed silently."""

    sleeve_cap: Annotated[Share, Field(gt=0, le=Decimal("0.25"))] = Field(
        default=share("20%"), description="S39, X05: sleeve equity of NAV; never above 25%"
    )
    sleeve_target: Annotated[Share, Field(ge=0, le=Decimal("0.25"))] = Field(
        default=share("15%"), description="S39, X05: soft cap and target"
    )
    drawdown_2sd: Annotated[Share, Field(gt=0, le=Decimal("0.5"))] = Field(
        default=share("6%"), description="S40, D11: of committed capital"
    )
    session_new_outer: Annotated[Share, Field(gt=0, le=Decimal("0.25"))] = Field(
        default=share("25%"), description="S41, D12, X12: of defined-risk capital, in high volatility; never above 25%"
    )
    quick_ratio_min: Annotated[float, Field(ge=1)] = Field(default=1.0, description="S47, D13")
    health_factor_min: Annotated[float, Field(ge=1.25)] = Field(default=1.5, description="D16, D17: after stress")
    borrow_rate_max: Annotated[Share, Field(gt=0, le=Decimal("0.5"))] = Field(
        default=share("6%"), description="S43: no new draw above it"
    )
    protocol_cap: Annotated[Share, Field(gt=0, le=Decimal("0.25"))] = Field(
        default=share("15%"), description="S55, D22: gross on one protocol, of NAV; this policy's own choice"
    )
    oracle_cap: Annotated[Share, Field(gt=0, le=Decimal("0.25"))] = Field(
        default=share("15%"), description="S55, D22: gross on one price oracle, of NAV; this policy's own choice"
    )
    chain_cap: Annotated[Share, Field(gt=0, le=Decimal("0.5"))] = Field(
        default=share("25%"), description="S55, D22: gross on one chain, of NAV; this policy's own choice"
    )


class CoreSettings(_Section):
    """The core condor."""

    dte_min: Annotated[int, Field(ge=1)] = Field(default=30, description="S02, X01: calendar days")
    dte_max: Annotated[int, Field(le=400)] = Field(default=60, description="S04, X01: calendar days")
    dte_target: int = Field(default=45, description="S05, X01: the one tenor in three seeds")
    short_sd_min: Annotated[float, Field(gt=0)] = Field(default=1.5, description="S03: standard deviations")
    short_sd_max: Annotated[float, Field(gt=0)] = Field(default=2.0, description="S03: standard deviations")
    width_min: Annotated[float, Field(gt=0)] = Field(default=25.0, description="points; this policy's own choice")
    width_max: Annotated[float, Field(gt=0)] = Field(default=100.0, description="points; this policy's own choice")
    own_margin: Annotated[Share, Field(gt=0, le=1)] = Field(
        default=share("3%"), description="S46: own-funded margin, of risk capital; this policy's own choice"
    )
    defined_risk: Annotated[Share, Field(gt=0, le=1)] = Field(
        default=share("30%"), description="D12: of risk capital; this policy's own choice"
    )
    risk_aversion: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.004,
        description="D33: USD charged per USD of expected shortfall; beta 0.6 x equity premium 5% over 45 days",
    )
    expectation_vrp_shrink: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.5, description="D33: share of the recorded variance premium expected"
    )


class HedgeSettings(_Section):
    """The hedge layers."""

    ratio: Annotated[float, Field(ge=0.7, le=1.3)] = Field(default=1.0, description="S53, D10: at a score of zero")
    carry_budget: Annotated[Share, Field(ge=0, le=1)] = Field(
        default=share("2%"), description="S57: a year, of committed capital"
    )
    put_moneyness_min: Annotated[float, Field(gt=0.3, lt=1)] = Field(
        default=0.75, description="strike over forward; this policy's own choice"
    )
    put_moneyness_max: Annotated[float, Field(gt=0.3, lt=1)] = Field(
        default=0.97, description="strike over forward; this policy's own choice"
    )


class LoopSettings(_Section):
    """Borrowing against the sleeve to fund more condors."""

    asset: str = Field(default="DAI", description="S43: the token that is borrowed")
    horizon_days: Annotated[int, Field(ge=7, le=365)] = Field(default=45, description="D16: one core tenor")
    ramp_fee: Annotated[Share, Field(ge=0, le=Decimal("0.05"))] = Field(
        default=share("0.10%"), description="D14: each way, of the amount"
    )
    ramp_days: Annotated[int, Field(ge=1, le=7)] = Field(default=2, description="D13: days in transit")
    protocol_loss: Annotated[Share, Field(ge=0, le=1)] = Field(
        default=share("0.50%"), description="S55, D14: a year, of collateral"
    )
    liquidation_probability: Annotated[Share, Field(ge=0, le=1)] = Field(
        default=share("0.10%"), description="D14: over the horizon"
    )
    liquidation_penalty: Annotated[Share, Field(ge=0, le=1)] = Field(
        default=share("5%"), description="D14: of what is liquidated"
    )
    gas_usd: Dollars = Field(default=Decimal(60), description="D14: USD to open and close")
    governance_loss: Annotated[Share, Field(ge=0, le=1)] = Field(
        default=share("0.25%"),
        description="S36, D14: a year, of collateral, while a loan can be changed before it is left; own choice",
    )
    recourse: bool = Field(
        default=False,
        description="S45: whether a loan may reach beyond its collateral or be called by another's default",
    )


class CostSettings(_Section):
    """What execution may cost."""

    slippage: Annotated[Share, Field(ge=0, le=Decimal("0.1"))] = Field(
        default=share("1%"), description="S50, D35: of an on-chain trade"
    )
    plan_ttl_hours: Annotated[int, Field(ge=1, le=72)] = Field(default=4, description="hours a plan may be signed")


class CapitalSettings(_Section):
    """What equity costs."""

    beta_unlevered: Annotated[float, Field(ge=0, le=5)] = Field(
        default=0.42, description="D14: CAPM beta of the equity as it would be without debt"
    )
    equity_premium: Annotated[Share, Field(ge=0, le=1)] = Field(default=share("5%"), description="D14: a year")
    tax: Annotated[Share, Field(ge=0, lt=1)] = Field(default=share("0%"), description="D14: one rate for all sources")


class RegimeSettings(_Section):
    """Where one regime ends and the next begins."""

    vix_calm: Annotated[float, Field(gt=0)] = Field(default=16.0, description="X07: VIX points; full from here")
    vix_strained: Annotated[float, Field(gt=0)] = Field(default=20.0, description="X07: VIX points; full to here")
    vix_high: Annotated[float, Field(gt=0)] = Field(default=25.0, description="S77, X07: VIX points; no leverage above")
    vix_none: Annotated[float, Field(gt=0)] = Field(default=12.0, description="X07: VIX points; no leverage below")
    vix_step: Annotated[float, Field(ge=0)] = Field(default=1.0, description="X07: VIX points that change the leverage")
    freeze_before: Annotated[int, Field(ge=0, le=5)] = Field(default=1, description="X08: sessions before a meeting")
    freeze_after: Annotated[int, Field(ge=0, le=5)] = Field(default=1, description="X08: sessions after a meeting")
    minutes_days: Annotated[int, Field(ge=1, le=60)] = Field(default=21, description="D23: days to the minutes")


class FomcSettings(_Section):
    """What a policy meeting does to risk."""

    action: MeetingAction = Field(
        default=MeetingAction.FREEZE,
        description="X08: freeze around a meeting, reduce from the watch before it on, or increase after the minutes",
    )


class ConsensusSettings(_Section):
    """Who must agree before risk is added."""

    needed: Annotated[int, Field(ge=1, le=5)] = Field(default=2, description="S87, D29: families for more risk")
    families: Annotated[tuple[Family, ...], Field(min_length=1)] = Field(
        default=(Family.TECHNICAL, Family.FUNDAMENTAL, Family.ONCHAIN),
        description="S87, D29: add volatility and liquidity for 3-of-5",
    )
    expected: tuple[Family, ...] = Field(
        default=(Family.TECHNICAL, Family.ONCHAIN),
        description="D29: families always supplied, so that none heard is a loss; name each that is; own choice",
    )

    @field_validator("families", "expected")
    @classmethod
    def _each_once(cls, named: tuple[Family, ...]) -> tuple[Family, ...]:
        twice = sorted({family.value for family in named if named.count(family) > 1})
        if twice:
            raise ValueError(f"{twice[0]} stands twice, and a family has one voice")
        return named


class LayeringSettings(_Section):
    """How armed layers are opened."""

    outer_mode: OuterMode = Field(default=OuterMode.BUY_TAIL, description="X04: buy_tail, sell_outer_condor, monetize")
    combine: Combine = Field(default=Combine.ANY, description="X15: any or all of the rules that arm outer wings")
    gap_policy: GapPolicy = Field(
        default=GapPolicy.NEAREST, description="X01: nearest_band or none, for what is held between two outer bands"
    )
    wing_width_min: Annotated[float, Field(gt=0)] = Field(
        default=25.0, description="X03: points between a short and its wing at least; this policy's own choice"
    )
    step: Annotated[Share, Field(gt=0, le=Decimal("0.25"))] = Field(
        default=share("25%"), description="S24: of a paced layer's target, a session"
    )
    cap_always: bool = Field(default=False, description="D12: the session's cap binds outside high volatility too")
    monetize_from: Annotated[Share, Field(gt=0, le=1)] = Field(
        default=share("70%"), description="X04, S63: rank of implied volatility from which tails held are sold"
    )
    monetize_share: Annotated[Share, Field(gt=0, le=1)] = Field(
        default=share("50%"), description="X04: of the tails held; this policy's own choice"
    )
    futures: bool = Field(default=True, description="X11: whether the account may hold VIX futures rather than funds")


class LadderSettings(_Section):
    """How staggered the condors should be."""

    expiries: Annotated[int, Field(ge=1, le=24)] = Field(default=2, description="S08: distinct expiries at least")
    widths: Annotated[int, Field(ge=1, le=24)] = Field(default=2, description="S08: distinct widths at least")
    spread: Annotated[Share, Field(ge=0, le=1)] = Field(
        default=share("50%"), description="S08: (1 - HHI)/(1 - 1/N) of maximum loss by expiry at least"
    )


class RollSettings(_Section):
    """When a condor is due to be rolled."""

    days_min: Annotated[int, Field(ge=0, le=60)] = Field(default=21, description="D25, S22: days left")
    tested_sd: Annotated[float, Field(ge=0, le=2)] = Field(
        default=0.5, description="D25: standard deviations to the nearer short"
    )


class Policy(_Section):
    """Every number of the method, limits included."""

    book: BookSettings = BookSettings()
    limits: Limits = Limits()
    core: CoreSettings = CoreSettings()
    hedge: HedgeSettings = HedgeSettings()
    loop: LoopSettings = LoopSettings()
    costs: CostSettings = CostSettings()
    capital: CapitalSettings = CapitalSettings()
    regime: RegimeSettings = RegimeSettings()
    fomc: FomcSettings = FomcSettings()
    consensus: ConsensusSettings = ConsensusSettings()
    layering: LayeringSettings = LayeringSettings()
    ladder: LadderSettings = LadderSettings()
    roll: RollSettings = RollSettings()
    waterfall: WaterfallSettings = WaterfallSettings()
    pools: tuple[PoolText, ...] = LOCAL_POOLS
    layers: Annotated[tuple[LayerText, ...], Field(min_length=1)] = LAYER_TEXTS
    rules: tuple[RuleText, ...] = RULES
    members: tuple[MemberText, ...] = MEMBERS

    @model_validator(mode="after")
    def _levels_rise(self) -> Self:
        zones, limits, core, hedge = self.regime, self.limits, self.core, self.hedge
        rising: tuple[tuple[str, tuple[float | Decimal, ...]], ...] = (
            ("limits: sleeve_target <= sleeve_cap (S39, X05)", (limits.sleeve_target, limits.sleeve_cap)),
            ("core: dte_min <= dte_target <= dte_max (X01)", (core.dte_min, core.dte_target, core.dte_max)),
            ("core: short_sd_min <= short_sd_max (S03)", (core.short_sd_min, core.short_sd_max)),
            ("core: width_min <= width_max", (core.width_min, core.width_max)),
            ("hedge: put_moneyness_min <= put_moneyness_max", (hedge.put_moneyness_min, hedge.put_moneyness_max)),
            ("consensus: needed <= families (D29)", (self.consensus.needed, len(self.consensus.families))),
            (
                "regime: vix_none <= vix_calm <= vix_strained <= vix_high (X07)",
                (zones.vix_none, zones.vix_calm, zones.vix_strained, zones.vix_high),
            ),
        )
        for what, numbers in rising:
            if any(float(low) > float(high) for low, high in pairwise(numbers)):
                raise ValueError(f"{what} must hold, got {', '.join(str(number) for number in numbers)}")
        levels = (zones.vix_none, zones.vix_calm, zones.vix_strained, zones.vix_high)
        if any(low == high for low, high in pairwise(levels)) or zones.vix_step >= zones.vix_strained - zones.vix_calm:
            raise ValueError(
                f"regime: no two levels may be one, and vix_step lie under vix_strained - vix_calm (X07), got {levels} "
                f"with a step of {zones.vix_step:g}"
            )
        self.layer_table()
        return self

    def pool(self, name: str) -> PoolText | None:
        """What the policy says of a lending market, None where it says nothing."""
        return next((pool for pool in self.pools if pool.name == name), None)

    def layer_table(self) -> LayerTable:
        """The layers the rules may arm. Raises `ConfigError` for windows that overlap or shares that are not whole."""
        core = Band("core", self.core.dte_min, self.core.dte_max)
        layers = tuple(_layer(text, core) for text in self.layers)
        return LayerTable(layers, self.layering.outer_mode, self.layering.combine, self.layering.gap_policy)


def _layer(text: LayerText, core: Band) -> Layer:
    try:
        return layer_of(text, core)
    except WingsRefused as refused:
        raise ConfigError(f"layers.{text.name}.wings = {text.wings!r}", why=refused.why, todo=refused.todo) from None
