"""The part of a market that a book stands on, as text, so that tomorrow's result can be taken apart against it."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from datetime import date, datetime
from typing import Any, TypeVar

import numpy as np

from engine.errors import LedgerError
from engine.instruments import VanillaOption
from engine.market import FundMark, LendingMarket, OptionListing, PerpetualMark, PoolState, PowerMark
from engine.positions import Book
from engine.risk.pricing_view import PricingView
from engine.risk.smile import Smile, Smiles

SCHEMA = "market/1"
_Row = TypeVar("_Row", OptionListing, PerpetualMark, PowerMark, PoolState, FundMark, LendingMarket)


def written_view(day: date, view: PricingView, book: Book) -> str:
    """
    The market of a day without its quotes, with the smiles of the expiries held; floats to the last digit.

    Half spreads stay out: what is kept values a book and its sensitivities, not what leaving it costs.
    """
    expiries = {p.instrument.expiry for p in book if isinstance(p.instrument, VanillaOption)}
    plain = {
        "schema": SCHEMA,
        "day": day.isoformat(),
        "asof": view.asof.isoformat(),
        "spot": view.spot,
        "smiles": [_smile(root, smile) for (root, expiry), smile in view.smiles.items() if expiry in expiries],
        "token_usd": dict(view.token_usd),
        "token_vol": dict(view.token_vol),
        "vix_smiles": [_smile(root, smile) for (root, expiry), smile in view.vix_smiles.items() if expiry in expiries],
        "vix_futures": [[expiry.isoformat(), level] for expiry, level in view.vix_futures.items()],
        "listings": [_flat(row) for (_, expiry, _), row in view.listings.items() if expiry in expiries],
        "perpetuals": [_flat(row) for row in view.perpetuals.values()],
        "powers": [_flat(row) for row in view.powers.values()],
        "pools": [_flat(row) for row in view.pools.values()],
        "funds": [_flat(row) for row in view.funds.values()],
        "lending": [_flat(row) for row in view.lending.values()],
    }
    return json.dumps(plain, separators=(",", ":"), sort_keys=True)


def read_view(text: str) -> tuple[date, PricingView]:
    """The day and market of a kept text; raises `LedgerError` for one that was never written."""
    try:
        found = json.loads(text)
        listings, perpetuals = _rows(OptionListing, found["listings"]), _rows(PerpetualMark, found["perpetuals"])
        return date.fromisoformat(found["day"]), PricingView(
            asof=datetime.fromisoformat(found["asof"]),
            spot=found["spot"],
            smiles=_smiles(found["smiles"]),
            token_usd=found["token_usd"],
            token_vol=found["token_vol"],
            vix_smiles=_smiles(found["vix_smiles"]),
            vix_futures={datetime.fromisoformat(expiry): level for expiry, level in found["vix_futures"]},
            listings=_keyed(listings, lambda row: (row.venue, row.expiry, row.strike)),
            perpetuals=_keyed(perpetuals, lambda row: (row.venue, row.underlying)),
            powers=_keyed(_rows(PowerMark, found["powers"]), lambda row: (row.venue, row.underlying)),
            pools=_keyed(_rows(PoolState, found["pools"]), lambda row: row.pool),
            funds=_keyed(_rows(FundMark, found["funds"]), lambda row: row.symbol),
            lending=_keyed(_rows(LendingMarket, found["lending"]), lambda row: (row.name, row.asset)),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as broken:
        raise LedgerError(
            "a kept market cannot be read",
            why=f"{type(broken).__name__}: {broken}",
            todo="run `hedge ledger verify`, restore a backup",
        ) from broken


def _smile(root: str, smile: Smile) -> list[Any]:
    return [
        root,
        smile.expiry.isoformat(),
        smile.years,
        smile.forward,
        smile.rate,
        smile.moneyness.tolist(),
        smile.vols.tolist(),
    ]


def _smiles(rows: Iterable[list[Any]]) -> Smiles:
    read = (
        (root, Smile(datetime.fromisoformat(expiry), years, forward, rate, np.array(moneyness), np.array(vols)))
        for root, expiry, years, forward, rate, moneyness, vols in rows
    )
    return {(root, smile.expiry): smile for root, smile in read}


def _flat(row: Any) -> dict[str, Any]:
    values = ((each.name, getattr(row, each.name)) for each in fields(row))
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values}


def _rows(kind: type[_Row], rows: Iterable[dict[str, Any]]) -> list[_Row]:
    return [
        kind(**({**row, "expiry": datetime.fromisoformat(row["expiry"])} if "expiry" in row else row)) for row in rows
    ]


def _keyed(rows: Iterable[_Row], key: Callable[[_Row], Any]) -> Mapping[Any, _Row]:
    return {key(row): row for row in rows}
