"""The demo's committed parameter file, read strictly: an unknown key or a NaN is refused by its path."""

import tomllib
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from engine.errors import ConfigError, InputError, UnknownKey
from engine.market import RateCurve
from engine.simulation.parameters import (
    EthModel,
    ModelParameters,
    Smile,
    SpreadRule,
    SpxModel,
    StrikeGrid,
    VarianceCurve,
    VixModel,
)

DEMO_MARKET = Path(__file__).with_name("demo_market.toml")

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Vol = Annotated[float, Field(gt=0, le=5)]
Rate = Annotated[float, Field(ge=-0.05, le=0.5)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)


class _Rates(_Section):
    tenors: Annotated[tuple[Positive, ...], Field(min_length=1)]
    rates: Annotated[tuple[Rate, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_rate_per_rising_tenor(self) -> Self:
        if len(self.tenors) != len(self.rates) or not _rising(self.tenors):
            raise ValueError("tenors must rise and each needs one rate")
        return self


class _Variance(_Section):
    reversion: Annotated[float, Field(gt=0, le=50)]
    long_run_atm: Vol
    vix_mean: Annotated[float, Field(gt=0, le=200)]


class _Smile(_Section):
    rho: Annotated[float, Field(gt=-1, lt=1)]
    eta: Annotated[float, Field(gt=0, le=2)]
    gamma: Annotated[float, Field(gt=0, le=0.5)]


class _Spread(_Section):
    floor: NotNegative
    vol_points: NotNegative
    vol_points_per_sd: NotNegative
    itm_share: Annotated[float, Field(ge=0, lt=0.1)]


class _Grid(_Section):
    near_step: Positive
    far_step: Positive
    near_low: Positive
    near_high: Positive
    low: Positive
    high: Positive

    @model_validator(mode="after")
    def _near_inside_far(self) -> Self:
        if not self.low <= self.near_low < 1 < self.near_high <= self.high:
            raise ValueError("low <= near_low < 1 < near_high <= high must hold")
        return self


class _Spx(_Section):
    dividend_yield: Rate
    weeks: Annotated[int, Field(ge=6, le=52)]
    months: Annotated[int, Field(ge=2, le=24)]
    smile: _Smile
    spread: _Spread
    grid: _Grid


class _Vix(_Section):
    vol_of_vix: Vol
    months: Annotated[int, Field(ge=2, le=12)]
    strikes: Annotated[tuple[Positive, ...], Field(min_length=3)]
    smile: _Smile
    spread: _Spread

    @model_validator(mode="after")
    def _strikes_rise(self) -> Self:
        if not _rising(self.strikes):
            raise ValueError("strikes must rise")
        return self


class _Eth(_Section):
    level: Positive
    level_on: date
    implied_vol: Vol
    idiosyncratic_vol: NotNegative
    beta: Annotated[float, Field(ge=-5, le=10)]


class _File(_Section):
    rates: _Rates
    variance: _Variance
    spx: _Spx
    vix: _Vix
    eth: _Eth


def demo_parameters(path: Path = DEMO_MARKET) -> ModelParameters:
    """
    The modelled market's parameters from a TOML file, by default the committed one.

    Raises `UnknownKey` for a key no parameter has, `ConfigError` for anything else that is wrong;
    both name the path of the key (`spx.smile.rho`).
    """
    try:
        written = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as broken:
        raise _refused(path.name, str(broken)) from broken
    return parameters_from(written, name=path.name)


def parameters_from(written: str, *, name: str = "parameters") -> ModelParameters:
    """The same from the text of such a file; `name` is how errors call it."""
    try:
        read = _File.model_validate(tomllib.loads(written))
        return _parameters(read, name)
    except tomllib.TOMLDecodeError as broken:
        raise _refused(name, str(broken)) from broken
    except ValidationError as broken:
        faults = broken.errors(include_url=False, include_input=False)
        sentence = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
        kind = UnknownKey if any(fault["type"] == "extra_forbidden" for fault in faults) else ConfigError
        raise _refused(name, sentence, kind) from broken
    except InputError as broken:
        raise _refused(name, f"spx.smile or vix.smile: {broken.why}") from broken


def _parameters(read: _File, name: str) -> ModelParameters:
    spx, vix = read.spx, read.vix
    return ModelParameters(
        rates=RateCurve(read.rates.tenors, read.rates.rates, source=f"modelled: {name}"),
        variance=VarianceCurve(**read.variance.model_dump()),
        spx=SpxModel(
            spx.dividend_yield,
            spx.weeks,
            spx.months,
            Smile(**spx.smile.model_dump()),
            SpreadRule(**spx.spread.model_dump()),
            StrikeGrid(**spx.grid.model_dump()),
        ),
        vix=VixModel(
            vix.vol_of_vix,
            vix.months,
            Smile(**vix.smile.model_dump()),
            SpreadRule(**vix.spread.model_dump()),
            vix.strikes,
        ),
        eth=EthModel(**read.eth.model_dump()),
    )


def _rising(values: tuple[float, ...]) -> bool:
    return all(low < high for low, high in pairwise(values))


def _refused(name: str, why: str, kind: type[ConfigError] = ConfigError) -> ConfigError:
    return kind(f"{name} refused", why=why, todo="correct the file or restore the committed one")
