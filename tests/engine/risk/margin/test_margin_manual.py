"""
Books of the exchange's margin manual, worked by hand: index 7,350, every option at 5 points, 100 dollars a point.

An uncovered 7000 put or 7700 call is held against 5 + 15 % of 7,350 - 350 out of the money = 757.5 points, more
than its floor (5 + 700 and 5 + 735); an uncovered 7500 call against 5 + 1,102.5 - 150 = 957.5.
"""

from datetime import timedelta

import pytest

from engine.risk.margin import MarginRule, requirement
from tests.engine.risk.contracts import FRIDAY, leg

NEAR, FAR = FRIDAY, FRIDAY + timedelta(days=28)
NAKED = 75_750.0

BOOKS = {
    "credit put spread": ("-1 7100P +1 7000P", 10_000),
    "debit put spread": ("+1 7100P -1 7000P", 0),
    "credit call spread": ("-1 7500C +1 7600C", 10_000),
    "debit call spread": ("+1 7500C -1 7600C", 0),
    "iron condor": ("+1 7000P -1 7100P -1 7500C +1 7600C", 10_000),
    "iron condor of 50 and 100 points is two spreads": ("+1 7050P -1 7100P -1 7500C +1 7600C", 15_000),
    "iron butterfly": ("+1 7250P -1 7350P -1 7350C +1 7450C", 10_000),
    "iron condor bought": ("-1 7000P +1 7100P +1 7500C -1 7600C", 0),
    "iron condor of two expiries is two spreads": ("+1 7000P -1 7100P -1 7500C* +1 7600C*", 20_000),
    "calendar": ("-1 7000P +1 7000P*", 0),
    "diagonal": ("-1 7100P +1 7000P*", 10_000),
    "calendar sold: the long is gone first": ("+1 7000P -1 7000P*", NAKED),
    "butterfly": ("+1 7000C -2 7050C +1 7100C", 0),
    "butterfly sold": ("-1 7000C +2 7050C -1 7100C", 5_000),
    "put condor": ("+1 7000P -1 7050P -1 7100P +1 7150P", 0),
    "put condor sold": ("-1 7000P +1 7050P +1 7100P -1 7150P", 5_000),
    "box sold": ("-1 7000C +1 7050C -1 7050P +1 7000P", 5_000),
    "box bought": ("+1 7000C -1 7050C +1 7050P -1 7000P", 0),
    "broken-wing butterfly": ("+1 7150P -2 7100P +1 7000P", 10_000),
    "bare put": ("-1 7000P", NAKED),
    "bare put and call: one side and the other's 5 points": ("-1 7000P -1 7700C", NAKED + 500),
    "ratio spread: one put is bare": ("+1 7100P -2 7000P", NAKED),
    "backspread: the second long is free": ("-1 7100P +2 7000P", 10_000),
    "a call spread beside a bare put, cheaper than a strangle of 957.5 and 5": (
        "-1 7000P -1 7500C +1 7600C", NAKED + 10_000,
    ),
}  # fmt: skip


def _book(written):
    words = written.split()
    return [
        leg(int(count), int(name[:4]), name[4], expiry=FAR if name.endswith("*") else NEAR)
        for count, name in zip(words[::2], words[1::2], strict=True)
    ]


@pytest.mark.requirement("D32")
@pytest.mark.parametrize(("written", "usd"), BOOKS.values(), ids=BOOKS)
def test_a_book_of_the_manual_is_held_against_its_figure(written, usd):
    assert requirement(MarginRule.CBOE, _book(written)).usd == pytest.approx(usd)


@pytest.mark.requirement("D32")
@pytest.mark.parametrize("name", [name for name in BOOKS if name != "put condor"])
def test_the_broker_holds_the_same_figure_but_knows_no_long_condor(name):
    written, usd = BOOKS[name]

    assert requirement(MarginRule.IB, _book(written)).usd == pytest.approx(usd)
    assert requirement(MarginRule.IB, _book(BOOKS["put condor"][0])).usd == 5_000.0
