"""`hedge ledger show --why`: a figure taken apart into the entries that give it."""

from decimal import Decimal
from typing import Any

from engine.report.figures import Figure, Why
from engine.report.period_tables import shown
from engine.report.plain_values import plain_value
from engine.report.wording import money, number
from scripts.output import say, table


def as_document(name: str, found: Why) -> dict[str, Any]:
    """The figure, the entries that count in it, and the sums it is worked out from."""
    return {
        "schema": "hedge.ledger-why/1",
        "status": "done",
        "figure": name,
        "value": plain_value(found.figure.value),
        "unit": found.figure.unit,
        "formula": found.figure.formula,
        "of": list(found.figure.of),
        "daily": {day.isoformat(): f"{usd.amount:f}" for day, usd in found.figure.daily},
        "entries": [
            {
                "serial": row.serial,
                "key": row.key,
                "day": row.day.isoformat(),
                "memo": row.memo,
                "account": row.account,
                "instrument": row.instrument.id,
                "amount": f"{row.amount.amount:f}",
            }
            for row in found.counted
        ],
        "totals": [
            {
                "account": row.account,
                "instrument": row.instrument,
                "day": row.day.isoformat() if row.day else None,
                "amount": f"{row.amount.amount:f}",
                "usd_per_unit": row.rate,
                "usd": f"{row.worth.amount:f}",
            }
            for row in found.totals
        ],
    }


def say_why(name: str, found: Why) -> None:
    """The figure and its formula, then the entries and their sums as tables."""
    figure = found.figure
    say(f"{name} = {shown(figure)}")
    say(f"  {figure.formula}")
    for part in figure.of:
        say(f"  made of: hedge ledger show --why {name.partition('.')[0]}.{part}")
    if figure.daily:
        table("by day", ["day", "USD"], [[f"{day}", money(usd)] for day, usd in figure.daily], numeric=(1,))
    if found.counted:
        _entries(found)
    if found.totals and _in_usd(figure):
        _totals(found)


def _entries(found: Why) -> None:
    rows = [
        [f"{row.serial}", f"{row.day}", row.account, _exact(row.amount.amount), row.instrument.id, row.memo]
        for row in found.counted
    ]
    table(f"{len(rows)} legs", ["entry", "day", "account", "amount", "instrument", "memo"], rows, numeric=(0, 3))


def _totals(found: Why) -> None:
    rows = [
        [
            row.account,
            row.instrument,
            f"{row.day or ''}",
            _exact(row.amount.amount),
            number(row.rate, 6),
            money(row.worth),
        ]
        for row in found.totals
    ]
    rows.append(["sum", "", "", "", "", money(found.worth)])
    table("sums", ["account", "instrument", "day", "amount", "USD per unit", "worth"], rows, numeric=(3, 4, 5))


def _in_usd(figure: Figure) -> bool:
    return figure.unit == "USD"


def _exact(amount: Decimal) -> str:
    return f"{amount:+,f}"
