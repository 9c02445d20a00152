"""Recorded VIX futures by contract month, with settlement days from the rule rather than the file."""

import csv
from calendar import month_abbr
from datetime import datetime
from functools import cache

import numpy as np

from adapters.files.calendar import vix_settles_at
from tests.adapters.files.chains import recorded

_MONTHS = {name: at for at, name in enumerate(month_abbr[1:], start=1)}


def rows(name):
    with recorded(name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def column(name, field="close", day="date"):
    """A recorded series by day."""
    return {np.datetime64(row[day][:10]): float(row[field]) for row in rows(name)}


@cache
def settlements():
    """Days, and for each the settlement price by (year, month) of the contract."""
    prices = {}
    for levels, symbols in zip(
        rows("volatility/vx-settle-2004-2017.csv"), rows("volatility/vx-symbols-2004-2017.csv"), strict=True
    ):
        day = {}
        for at in range(1, 9):
            if levels[f"M{at}"] != "NA" and float(levels[f"M{at}"]) > 0:  # both stand for no price
                month, year = symbols[f"M{at}"].split("(")[1].rstrip(")").split()
                day[2000 + int(year), _MONTHS[month]] = float(levels[f"M{at}"])
        prices[np.datetime64(levels["date"])] = day
    return np.array(list(prices)), prices


@cache
def settles(contract):
    """The settlement day of a contract month."""
    settled: datetime = vix_settles_at(*contract)
    return np.datetime64(settled.date())
