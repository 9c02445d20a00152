"""The numbers of the method, as an operator writes them, with the range each may take."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def share(written: Any) -> Decimal:
    """A percentage in quotes as a decimal share: "15%" is 0.15; anything else is refused."""
    if isinstance(written, Decimal):
        return written
    if not isinstance(written, str) or not written.strip().endswith("%"):
        raise ValueError(f'a share is written as a percentage in quotes, "15%", not {written!r}')
    try:
        share = Decimal(written.strip()[:-1]) / 100
    except InvalidOperation:
        raise ValueError(f"{written!r} is not a percentage") from None
    if not share.is_finite():
        raise ValueError(f"{written!r} is not finite")
    return share


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


Share = Annotated[Decimal, BeforeValidator(share)]
Dollars = Annotated[Decimal, BeforeValidator(_money), Field(gt=0)]


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True, validate_default=True
    )


class BookSettings(_Section):
    """Whose money it is."""

    base: str = Field(default="USD", pattern="^USD$")
    risk_capital: Dollars = Decimal(1_000_000)


class Limits(_Section):
    """Hard limits. A plan that breaks one is refused, never trimmed silently."""

    sleeve_cap: Annotated[Share, Field(gt=0, le=Decimal("0.25"))] = Field(default=share("20%"))  # S39, X05
    sleeve_target: Annotated[Share, Field(ge=0, le=Decimal("0.25"))] = Field(default=share("15%"))  # S39
    drawdown_2sd: Annotated[Share, Field(gt=0, le=Decimal("0.5"))] = Field(default=share("6%"))  # S40, D11
    session_new_outer: Annotated[Share, Field(gt=0, le=1)] = Field(default=share("25%"))  # S41, D12
    quick_ratio_min: Annotated[float, Field(ge=1)] = 1.0  # D13
    health_factor_min: Annotated[float, Field(ge=1.25)] = 1.5  # D17
    borrow_rate_max: Annotated[Share, Field(gt=0, le=Decimal("0.5"))] = Field(default=share("6%"))  # S43


class CoreSettings(_Section):
    """The core condor (S01-S05)."""

    dte_min: Annotated[int, Field(ge=1)] = 30
    dte_max: Annotated[int, Field(le=400)] = 60
    dte_target: int = 45
    short_sd_min: Annotated[float, Field(gt=0)] = 1.5  # S03
    short_sd_max: Annotated[float, Field(gt=0)] = 2.0  # S03
    width_min: Annotated[float, Field(gt=0)] = 25.0  # points
    width_max: Annotated[float, Field(gt=0)] = 100.0  # points
    own_margin: Annotated[Share, Field(gt=0, le=1)] = Field(default=share("3%"))  # S46: of risk capital
    defined_risk: Annotated[Share, Field(gt=0, le=1)] = Field(default=share("30%"))  # D12: of risk capital
    risk_aversion: Annotated[float, Field(ge=0, le=1)] = 0.02  # D33: USD charged per USD of expected shortfall
    expectation_vrp_shrink: Annotated[float, Field(ge=0, le=1)] = 0.5  # D33


class HedgeSettings(_Section):
    """The tail hedge (D10)."""

    ratio: Annotated[float, Field(ge=0.7, le=1.3)] = 1.0  # S53
    carry_budget: Annotated[Share, Field(ge=0, le=1)] = Field(default=share("2%"))  # S57: a year, of risk capital
    put_moneyness_min: Annotated[float, Field(gt=0.3, lt=1)] = 0.75
    put_moneyness_max: Annotated[float, Field(gt=0.3, lt=1)] = 0.97


class LoopSettings(_Section):
    """Borrowing against the sleeve to fund more condors (S43-S46, D16)."""

    asset: str = "DAI"
    horizon_days: Annotated[int, Field(ge=7, le=365)] = 45
    ramp_fee: Annotated[Share, Field(ge=0, le=Decimal("0.05"))] = Field(default=share("0.10%"))
    ramp_days: Annotated[int, Field(ge=1, le=7)] = 2
    protocol_loss: Annotated[Share, Field(ge=0, le=1)] = Field(default=share("0.50%"))  # a year, of collateral
    liquidation_probability: Annotated[Share, Field(ge=0, le=1)] = Field(default=share("0.10%"))  # over the horizon
    liquidation_penalty: Annotated[Share, Field(ge=0, le=1)] = Field(default=share("5%"))
    gas_usd: Dollars = Decimal(60)  # to open and close


class CostSettings(_Section):
    """What execution may cost."""

    slippage: Annotated[Share, Field(ge=0, le=Decimal("0.1"))] = Field(default=share("1%"))  # of an on-chain trade
    plan_ttl_hours: Annotated[int, Field(ge=1, le=72)] = 4


class CapitalSettings(_Section):
    """What equity costs (D14)."""

    beta_levered: Annotated[float, Field(ge=0, le=5)] = 0.6
    equity_premium: Annotated[Share, Field(ge=0, le=1)] = Field(default=share("5%"))
    tax: Annotated[Share, Field(ge=0, lt=1)] = Field(default=share("0%"))


class Policy(_Section):
    """Every number of the method, limits included."""

    book: BookSettings = BookSettings()
    limits: Limits = Limits()
    core: CoreSettings = CoreSettings()
    hedge: HedgeSettings = HedgeSettings()
    loop: LoopSettings = LoopSettings()
    costs: CostSettings = CostSettings()
    capital: CapitalSettings = CapitalSettings()
