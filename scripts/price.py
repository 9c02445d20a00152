"""`hedge price`: what contracts are worth, what they were priced on, and how they answer the market."""

from typing import TYPE_CHECKING, Any

import typer

from scripts.mark_option import MARKS

if TYPE_CHECKING:
    from engine.positions import Book
    from engine.risk.book_greeks import Sensitivities
    from engine.risk.price_sheet import PriceRow
    from engine.risk.pricing_view import PricingView
    from scripts.inputs import Stage

_SCHEMA = "hedge/price/1"
_COLUMNS = ("delta", "skew", "gamma", "vega", "theta", "vanna", "volga")
_UNITS = {
    "value": "USD per unit; a future's or perpetual's is its notional",
    "extrinsic": "USD per contract beyond discounted intrinsic value",
    "delta": "USD per 100 % move of the domain, volatility at each strike unmoved",
    "skew": "USD that moving the smile with the underlying adds to delta",
    "gamma": "change of delta per 1 % move",
    "vega": "USD per volatility point",
    "theta": "USD per calendar day",
    "vanna": "change of delta per volatility point",
    "volga": "change of vega per volatility point",
}


def price(
    instruments: list[str] = typer.Argument(None, help='Contracts as the tables write them: "SPXW 2018-05-18 P 2600".'),
    chain: str = typer.Option("", "--chain", help="Option-chain file; without it the desk's market or the demo's day."),
    book: str = typer.Option("", "--book", help="Book file: every position in it is priced, and the whole."),
    folder: str = typer.Option("", "-C", help="A desk made by `hedge init`, whose chain is up."),
    mark: list[str] = MARKS,
    as_json: bool = typer.Option(False, "--json", help="One JSON document."),
) -> None:
    """Value, implied volatility, greeks and extrinsic value of contracts or of a book."""
    from adapters.files.book_file import read_instrument
    from engine.errors import InputError
    from engine.risk.price_sheet import price_row
    from scripts.inputs import stage

    asked = [read_instrument(written) for written in instruments or []]
    found = stage(chain, book, folder, marks=mark)
    held = [] if asked and not book else [position.instrument for position in found.book]
    wanted = list(dict.fromkeys([*asked, *held]))
    if not wanted:
        raise InputError("nothing to price", why="no contract and no book is given", todo="name one, or give --book")
    rows = [price_row(instrument, found.view) for instrument in wanted]
    if as_json:
        _write_json(found, rows, whole=bool(held))
    else:
        _print(found, rows, whole=bool(held))


def _notes(found: "Stage", rows: "list[PriceRow]", *, whole: bool) -> list[str]:
    from engine.money import Money
    from engine.positions import Book, Position, Sleeve
    from engine.risk.exits import assumed

    alone = (Position(r.instrument, Money(1, r.instrument.unit), Sleeve.CONDOR, "") for r in rows)
    lines = [*found.assumptions, *(note for row in rows for note in row.notes)]
    return list(dict.fromkeys([*lines, *assumed(found.book if whole else Book(tuple(alone)), found.view)]))


def _write_json(found: "Stage", rows: "list[PriceRow]", *, whole: bool) -> None:
    from scripts.output import emit_json

    document: dict[str, Any] = {
        "schema": _SCHEMA,
        "status": "priced",
        "next": [],
        "asof": found.view.asof.isoformat(),
        "spot": found.view.spot,
        "units": _UNITS,
        "instruments": [_row(row) for row in rows],
    }
    if whole:
        value, moves = _whole(found.book, found.view)
        document["book"] = {"value": round(value, 2), "greeks": {name: _moves(one) for name, one in moves.items()}}
    emit_json(document | {"assumptions": _notes(found, rows, whole=whole)})


def _row(row: "PriceRow") -> dict[str, Any]:
    told: dict[str, Any] = {
        "instrument": row.instrument.id,
        "kind": row.instrument.kind,
        "value": round(row.value, 6),
        "holding": row.holding,
    }
    if (option := row.option) is not None:
        told["option"] = {
            "forward": round(option.forward, 6),
            "years": round(option.years, 8),
            "vol": round(option.vol, 8),
            "quoted_vol": None if option.quoted_vol is None else round(option.quoted_vol, 8),
            "bid": option.bid,
            "ask": option.ask,
            "delta_per_point": round(option.delta, 8),
            "gamma_per_point": round(option.gamma, 10),
            "extrinsic": round(option.extrinsic, 4),
        }
    return told | {"greeks": {name: _moves(one) for name, one in row.greeks.items()}, "notes": list(row.notes)}


def _moves(one: "Sensitivities") -> dict[str, float]:
    return {name: round(getattr(one, name), 6) for name in _COLUMNS}


def _whole(book: "Book", view: "PricingView") -> "tuple[float, dict[str, Sensitivities]]":
    from engine.risk.book_greeks import book_greeks
    from engine.risk.price_sheet import reachable
    from engine.risk.scenarios import Scenarios
    from engine.risk.valuation import book_values

    for position in book:
        view, _ = reachable(position.instrument, view)
    return float(book_values(book, view, Scenarios.now())[0]), book_greeks(book, view)


def _print(found: "Stage", rows: "list[PriceRow]", *, whole: bool) -> None:
    from scripts.output import say, table

    say(f"as of {found.view.asof:%Y-%m-%d %H:%M} UTC, spot {found.view.spot:,.2f}")
    say()
    table(
        "Prices, USD per unit (* notional); forward, bid and ask in quote units, volatility in % a year",
        ("instrument", "value", "extrinsic", "forward", "vol", "quoted", "bid", "ask", "delta", "gamma"),
        [_price_cells(row) for row in rows],
        numeric=range(1, 10),
    )
    say()
    _print_moves("Sensitivities of one unit, USD", [(row.instrument.id, row.greeks) for row in rows])
    if whole:
        value, moves = _whole(found.book, found.view)
        say()
        _print_moves(f"The book, worth {value:+,.2f} USD: sensitivities, USD", [("book", moves)])
    for name in _COLUMNS:
        say(f"  {name}: {_UNITS[name]}")
    if notes := _notes(found, rows, whole=whole):
        say()
        say("Assumed")
        for line in notes:
            say(f"  {line}")


def _print_moves(title: str, parts: "list[tuple[str, dict[str, Sensitivities]]]") -> None:
    from scripts.output import table

    cells = [
        (name, domain, *(f"{round(getattr(one, column), 2) + 0.0:+,.2f}" for column in _COLUMNS))
        for name, moves in parts
        for domain, one in moves.items()
    ]
    table(title, ("instrument", "moves with", *_COLUMNS), cells, numeric=range(2, 9))


def _price_cells(row: "PriceRow") -> tuple[str, ...]:
    value = f"{row.value:,.2f}{'' if row.holding else '*'}"
    if (option := row.option) is None:
        return (row.instrument.id, value, *("-" for _ in range(8)))
    return (
        row.instrument.id,
        value,
        f"{option.extrinsic:,.2f}",
        f"{option.forward:,.2f}",
        f"{100 * option.vol:.2f}",
        "-" if option.quoted_vol is None else f"{100 * option.quoted_vol:.2f}",
        "-" if option.bid is None else f"{option.bid:,.2f}",
        "-" if option.ask is None else f"{option.ask:,.2f}",
        f"{option.delta:+.4f}",
        f"{option.gamma:.6f}",
    )
