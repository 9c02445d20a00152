"""How a policy file writes where money goes: lending pools and their terms, and the shares of realised gains."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from engine.policy.shares import Share, share
from engine.policy.waterfall import Stage, WaterfallShares


class _Text(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True, validate_default=True
    )


class WaterfallSettings(_Text):
    """How realised gains are shared out; together 100%."""

    fees: Share = Field(default=share("5%"), description="X13: fees and gas, within it beyond what is due; own choice")
    margin: Share = Field(default=share("20%"), description="X13: margin and quick ratio; this policy's own choice")
    hedge: Share = Field(default=share("25%"), description="X13, S25: longer protection; this policy's own choice")
    debt: Share = Field(default=share("15%"), description="X13: debt service; this policy's own choice")
    reinvest: Share = Field(default=share("20%"), description="X13, S38: reinvested; this policy's own choice")
    routed: Share = Field(default=share("15%"), description="X13, X06: routed to the sleeve; this policy's own choice")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        self.shares()
        return self

    def shares(self) -> WaterfallShares:
        """The shares by stage. Raises `ConfigError` unless they are 100 % together."""
        return WaterfallShares({stage: getattr(self, stage.name.lower()) for stage in Stage})


class PoolText(_Text):
    """What a lending market does not say on chain: whose it is, and on which terms it lends."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="the market's name in the books")
    protocol: str = Field(min_length=1, description="S55: whose contracts it runs")
    oracle: str = Field(min_length=1, description="S55: whose prices it believes")
    recourse: bool = Field(default=True, description="S45: whether the lender may reach beyond the collateral")
    cross_default: bool = Field(default=False, description="S45: whether a default elsewhere calls the loan")
    change_delay_hours: Annotated[float, Field(ge=0)] = Field(
        default=0.0, description="S36: between deciding a parameter and changing it"
    )


LOCAL_POOLS = tuple(
    PoolText(name=name, protocol="aave-v3", oracle="aave-v3", recourse=False, change_delay_hours=24.0)
    for name in ("aave-cheap", "aave-dear")
)
"""The markets of a local desk: pool debt has no recourse; a day is the least delay of the protocol's governance."""
