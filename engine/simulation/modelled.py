"""
A market modelled from two recorded closes: the S&P 500 and VIX of one day.

What is recorded is the spot and VIX; everything else follows from the parameters. The smile is
power-law SSVI around a mean-reverting at-the-money variance, hence free of butterfly and calendar
arbitrage, and its level is solved so that VIX, worked out from the modelled quotes by Cboe's method,
is the recorded close. Quotes stand on exchange ticks around the model's values, which always lie
inside them, so the quotes hold no riskless profit either.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice

import numpy as np

from engine.errors import InputError, MissingQuote
from engine.instruments import MARKET_ZONE, Settlement
from engine.market import DailySeries, ExpiryQuotes, Floats, OptionChain, RateCurve
from engine.pricing.black import forward_value, greeks
from engine.pricing.forward import mid, parity_forward
from engine.pricing.variance import strip_variance
from engine.simulation.parameters import ModelParameters, Smile, SpreadRule, SpxModel

SOURCE = "modelled from recorded closes"
MODELLED = (
    "SPX option chain",
    "VIX futures",
    "VIX option chain",
    "rate curve",
    "ETH price",
    "ETH volatility and beta",
)
AM, PM, ASOF, VIX_SETTLES = time(9, 30), time(16, 0), time(16, 15), time(9, 0)
MINUTES_30_DAYS = 43_200.0
IsSession = Callable[[date], bool]


@dataclass(frozen=True, slots=True, eq=False)
class ModelledMarket:
    """
    One day's market, ready to become a `MarketSnapshot`.

    `vix` and `spx.spot` are recorded, the rest is modelled and named in `modelled`. `vix_futures` are
    (settlement instant, points); `level` is the solved instantaneous at-the-money vol (decimal);
    `eth` ends on the market's day, in USD; `crypto_vol` is a decimal per year.
    """

    asof: datetime
    spx: OptionChain
    vix: float
    vix_futures: tuple[tuple[datetime, float], ...]
    vix_options: OptionChain
    rates: RateCurve
    eth: DailySeries
    crypto_vol: float
    crypto_beta: float
    level: float
    parameters: ModelParameters
    seed: int
    modelled: tuple[str, ...] = MODELLED

    @property
    def eth_price(self) -> float:
        """USD per ether at the as-of."""
        return float(self.eth.values[-1])

    @property
    def assumptions(self) -> Mapping[str, str]:
        """What was assumed, in words, for the snapshot's own record."""
        p = self.parameters
        return {
            "SPX smile": f"SSVI rho {p.spx.smile.rho}, eta {p.spx.smile.eta}, gamma {p.spx.smile.gamma}; "
            f"level solved to VIX {self.vix}",
            "SPX dividend yield": f"{p.spx.dividend_yield:.2%}",
            "rates": p.rates.source,
            "ETH": f"beta {p.eth.beta} to recorded SPX returns, idiosyncratic vol "
            f"{p.eth.idiosyncratic_vol:.0%}, seed {self.seed}",
        }

    def atm_vol(self, years: float) -> float:
        """SPX volatility at the forward, decimal per year, for `years` > 0."""
        return float(np.sqrt(self.parameters.variance.surface_at(self.level, years) / years))


def modelled_market(
    parameters: ModelParameters,
    spx: DailySeries,
    vix: DailySeries,
    day: date,
    *,
    seed: int,
    is_session: IsSession | None = None,
) -> ModelledMarket:
    """
    The whole market at 16:15 ET of `day`, deterministic in its arguments.

    Parameters
    ----------
    parameters : what the closes do not say
    spx, vix : recorded closes in points; both must have `day`, else `MissingQuote`
    seed : of ether's own moves; the option chains draw nothing
    is_session : whether a date is a trading day; by default read off `spx` (see `sessions_of`)

    Source
    ------
    D02, D04, D05, D06 and the demo paragraph of the requirements.
    """
    return _built(parameters, spx, vix, day, seed, is_session or sessions_of(spx), held=())


def remark(
    market: ModelledMarket,
    spx: DailySeries,
    vix: DailySeries,
    day: date,
    *,
    is_session: IsSession | None = None,
) -> ModelledMarket:
    """
    The same market on a later `day`, at that day's recorded closes.

    Every strike and expiry listed before stays listed until it settles, so whatever is held can be
    marked; strikes and expiries that the exchange would have added since are there as well.
    """
    sessions = is_session or sessions_of(spx)
    return _built(market.parameters, spx, vix, day, market.seed, sessions, held=market.spx.slices)


def eth_path(
    parameters: ModelParameters, spx: DailySeries, start: date, end: date, seed: int | np.random.Generator
) -> DailySeries:
    """
    Ether in USD at each SPX close from `start` to `end`, both included.

    Log return = beta times the recorded SPX log return, plus an independent normal of the
    idiosyncratic vol over the calendar time since the last close (weekends move too), less half its
    variance. The path passes through `parameters.eth.level` on `level_on`. One seed draws one path:
    asking for other dates of the same `spx` shows another stretch of it, and later closes never
    change earlier draws.
    """
    eth = parameters.eth
    years = np.diff(spx.days).astype(float) / 365.0
    own = eth.idiosyncratic_vol * np.sqrt(years) * np.random.default_rng(seed).standard_normal(len(years))
    moves = eth.beta * np.diff(np.log(spx.values)) + own - 0.5 * eth.idiosyncratic_vol**2 * years
    logs = np.concatenate(([0.0], np.cumsum(moves)))
    pinned = np.searchsorted(spx.days, np.datetime64(eth.level_on))
    asked = (spx.days >= np.datetime64(start)) & (spx.days <= np.datetime64(end))
    if spx.on(eth.level_on) is None or not asked.any():
        raise MissingQuote(
            f"no ether path from {start} to {end}",
            why=f"{spx.name} must have closes there and on {eth.level_on}, where the level is stated",
            todo="choose dates inside the recorded closes",
        )
    values = eth.level * np.exp(logs - logs[pinned])
    return DailySeries("ETH", spx.days[asked], values[asked], SOURCE)


def sessions_of(closes: DailySeries) -> IsSession:
    """A day is a session when it has a close; outside the recorded span, when it is a weekday."""
    known = frozenset(closes.days.astype(object))
    first, last = min(known), max(known)
    return lambda day: day in known if first <= day <= last else day.weekday() < 5


def asof_instant(day: date) -> datetime:
    """16:15 in New York, when SPX options stop trading, as aware UTC."""
    return _instant(day, ASOF)


def _built(
    parameters: ModelParameters,
    spx: DailySeries,
    vix: DailySeries,
    day: date,
    seed: int,
    is_session: IsSession,
    *,
    held: tuple[ExpiryQuotes, ...],
) -> ModelledMarket:
    spot, vix_close, asof = _close(spx, day), _close(vix, day), asof_instant(day)
    pricer = _SpxPricer(parameters, spot, asof)
    listing = _listing(parameters.spx, spot, asof, is_session, held)
    level = _anchored(pricer, listing, vix_close)
    slices = tuple(pricer.quotes(terms, level) for terms in listing)
    expiries = islice(
        (e for e in _vix_expiries(day, is_session) if e > asof),
        parameters.vix.months,
    )
    futures = tuple((e, float(parameters.variance.future(vix_close, _years(e, asof)))) for e in expiries)
    return ModelledMarket(
        asof=asof,
        spx=OptionChain("SPX", asof, spot, slices, SOURCE, asof),
        vix=vix_close,
        vix_futures=futures,
        vix_options=_vix_chain(parameters, vix_close, futures, asof),
        rates=parameters.rates,
        eth=eth_path(parameters, spx, spx.days[0].astype(object), day, seed),
        crypto_vol=parameters.eth.implied_vol,
        crypto_beta=parameters.eth.beta,
        level=level,
        parameters=parameters,
        seed=seed,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Terms:
    root: str
    expiry: datetime
    settlement: Settlement
    strikes: Floats


@dataclass(frozen=True, slots=True)
class _SpxPricer:
    parameters: ModelParameters
    spot: float
    asof: datetime

    def quotes(self, terms: _Terms, level: float) -> ExpiryQuotes:
        years, spx = _years(terms.expiry, self.asof), self.parameters.spx
        rate = self.parameters.rates.rate(years)
        forward = self.spot * np.exp((rate - spx.dividend_yield) * years)
        atm = float(self.parameters.variance.surface_at(level, years))
        return _quoted(terms, forward, years, rate, atm, spx.smile, spx.spread)


def _vix_chain(
    parameters: ModelParameters, vix: float, futures: tuple[tuple[datetime, float], ...], asof: datetime
) -> OptionChain:
    model, reversion = parameters.vix, parameters.variance.reversion
    slices = []
    for expiry, future in futures:
        years = _years(expiry, asof)
        # a future on a reverting level has the instantaneous vol exp(-reversion * time left)
        atm = model.vol_of_vix**2 * -np.expm1(-2 * reversion * years) / (2 * reversion)
        terms = _Terms("VIX", expiry, Settlement.AM, np.array(model.strikes, float))
        rate = parameters.rates.rate(years)
        slices.append(_quoted(terms, future, years, rate, float(atm), model.smile, model.spread))
    return OptionChain("VIX", asof, vix, tuple(slices), SOURCE, asof)


def _quoted(
    terms: _Terms, forward: float, years: float, rate: float, atm: float, smile: Smile, rule: SpreadRule
) -> ExpiryQuotes:
    strikes, discount = terms.strikes, np.exp(-rate * years)
    log_moneyness = np.log(strikes / forward)
    vols = np.sqrt(smile.variance(log_moneyness, atm) / years)
    vega_point = 0.01 * discount * greeks(forward, strikes, years, vols, sign=1).vega
    away = np.abs(log_moneyness) / np.sqrt(atm)
    common = rule.floor + vega_point * (rule.vol_points + rule.vol_points_per_sd * away)
    bids, asks = [], []
    for sign in (1, -1):
        worth = discount * forward_value(forward, strikes, years, vols, sign=sign)
        half = common + rule.itm_share * discount * np.maximum(sign * (forward - strikes), 0.0)
        bids.append(_on_tick(np.maximum(worth - half, 0.0), np.floor))
        asks.append(_on_tick(worth + half, np.ceil))
    return ExpiryQuotes(
        terms.root, terms.expiry, terms.settlement, strikes, bids[0], asks[0], bids[1], asks[1], vols, vols
    )


def _on_tick(prices: Floats, rounded: Callable[[Floats], Floats]) -> Floats:
    """0.05 under 3.00 and 0.10 above; a price already on its tick stays there."""
    ticks_per_point = np.where(prices < 3.0, 20.0, 10.0)
    return np.asarray(rounded(np.round(prices * ticks_per_point, 9)) / ticks_per_point)


def _anchored(pricer: _SpxPricer, listing: tuple[_Terms, ...], vix: float) -> float:
    """The instantaneous vol at which the modelled quotes give the recorded VIX."""
    from scipy.optimize import brentq  # noqa: PLC0415 (heavy)

    month = MINUTES_30_DAYS * 60.0
    left = np.array([(terms.expiry - pricer.asof).total_seconds() for terms in listing])
    near = int(np.searchsorted(left, month, side="right")) - 1
    pair, n = listing[near : near + 2], left[near : near + 2]

    def excess(level: float) -> float:
        variance = [_strip(pricer.quotes(terms, level), pricer.asof, pricer.parameters.rates) for terms in pair]
        total = np.array(variance) * n / (365.0 * 86_400.0)
        mixed = (total[0] * (n[1] - month) + total[1] * (month - n[0])) / (n[1] - n[0])
        return 100.0 * float(np.sqrt(mixed * 525_600.0 / MINUTES_30_DAYS)) - vix

    low, high = 0.01, 4.0
    if not (excess(low) < 0.0 < excess(high)):
        raise InputError(
            f"VIX of {vix} cannot be modelled",
            why=f"no vol from {low:.0%} to {high:.0%} gives it with these parameters",
            todo="correct variance.long_run_atm or choose another day",
        )
    return float(brentq(excess, low, high, xtol=1e-6))


def _strip(quotes: ExpiryQuotes, asof: datetime, rates: RateCurve) -> float:
    """One term's annual variance by Cboe's method (D05), as a reader of the quotes sees it; 0 without a strip."""
    years = quotes.years(asof)
    rate = rates.rate(years)
    call, put = mid(quotes.call_bid, quotes.call_ask), mid(quotes.put_bid, quotes.put_ask)
    found = parity_forward(quotes.strikes, call, put, years=years, rate=rate)
    if found is None:
        return 0.0
    sides = (quotes.call_bid, quotes.call_ask, quotes.put_bid, quotes.put_ask)
    strip = strip_variance(quotes.strikes, *sides, years=years, rate=rate, forward=found.forward)
    return strip.variance if strip else 0.0


def _listing(
    spx: SpxModel,
    spot: float,
    asof: datetime,
    is_session: IsSession,
    held: tuple[ExpiryQuotes, ...],
) -> tuple[_Terms, ...]:
    """Fresh strikes and expiries joined with what was listed before, by settlement instant."""
    grid, today = spx.grid.strikes(spot), asof.astimezone(MARKET_ZONE).date()
    listed = {(old.root, old.expiry): old.strikes for old in held}
    for root, expiry in _spx_expiries(spx, today, is_session):
        known = listed.get((root, expiry), grid)
        listed[root, expiry] = np.union1d(known, grid)
    return tuple(
        _Terms(root, expiry, Settlement.AM if root == "SPX" else Settlement.PM, strikes)
        for (root, expiry), strikes in sorted(listed.items(), key=lambda row: (row[0][1], row[0][0]))
        if expiry > asof
    )


def _spx_expiries(spx: SpxModel, today: date, is_session: IsSession) -> Iterator[tuple[str, datetime]]:
    """SPXW at the close of each Friday, SPX at the open of each third one; Thursday where it is shut."""
    friday = today + timedelta(days=(4 - today.weekday() - 1) % 7 + 1)
    for week in range(spx.weeks):
        nominal = friday + timedelta(weeks=week)
        if nominal != _third_friday(nominal.year, nominal.month):
            yield "SPXW", _instant(_session_upto(nominal, is_session), PM)
    thirds = (_third_friday(*_month_after(today, ahead)) for ahead in range(spx.months + 1))
    for nominal in islice((third for third in thirds if third > today), spx.months):
        yield "SPX", _instant(_session_upto(nominal, is_session), AM)


def _vix_expiries(today: date, is_session: IsSession) -> Iterator[datetime]:
    """30 days before the next month's SPX expiry, the session before where that is no session (D06)."""
    ahead = 0
    while True:
        spx_expiry = _session_upto(_third_friday(*_month_after(today, ahead + 1)), is_session)
        yield _instant(_session_upto(spx_expiry - timedelta(days=30), is_session), VIX_SETTLES)
        ahead += 1


def _third_friday(year: int, month: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(4 - first.weekday()) % 7 + 14)


def _month_after(day: date, ahead: int) -> tuple[int, int]:
    years, month = divmod(day.month - 1 + ahead, 12)
    return day.year + years, month + 1


def _session_upto(day: date, is_session: IsSession) -> date:
    while not is_session(day):
        day -= timedelta(days=1)
    return day


def _close(series: DailySeries, day: date) -> float:
    found = series.on(day)
    if found is None:
        raise MissingQuote(
            f"no close of {series.name} on {day}",
            why=f"{series.source} has {series.days[0]} to {series.days[-1]}, sessions only",
            todo="choose a session inside both histories",
        )
    return found


def _instant(day: date, at: time) -> datetime:
    return datetime.combine(day, at, MARKET_ZONE).astimezone(UTC)


def _years(expiry: datetime, asof: datetime) -> float:
    return (expiry - asof).total_seconds() / (365.0 * 86_400.0)
