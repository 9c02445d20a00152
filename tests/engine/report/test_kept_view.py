"""A market kept as text: what it says of a book's result is what the market itself says, to the last digit."""

from dataclasses import replace

import pytest

from engine.errors import LedgerError
from engine.ledger.explained import unit_explained, unit_worth
from engine.report.kept_view import read_view, written_view
from tests.engine.ledger.test_attribution import START_BOOK, next_day
from tests.engine.risk import cross_domain as x

DAY = x.ASOF.date()


def kept(book=START_BOOK):
    return read_view(written_view(DAY, x.view(), book))


@pytest.mark.requirement("D36")
@pytest.mark.parametrize("position", list(START_BOOK), ids=lambda p: p.instrument.id)
def test_a_kept_market_prices_and_explains_as_the_market_did(position):
    day, view = kept()
    tomorrow = next_day(spot=-0.02, vol=0.01, ether=0.04, peg=0.999, vix=0.2)

    assert day == DAY
    assert unit_worth(position.instrument, view) == unit_worth(position.instrument, x.view())
    assert unit_explained(position.instrument, view, tomorrow) == unit_explained(
        position.instrument, x.view(), tomorrow
    )


def test_every_mark_but_quotes_is_read_back_as_it_was():
    _, view = kept()

    same = (
        "asof",
        "spot",
        "token_usd",
        "token_vol",
        "vix_futures",
        "perpetuals",
        "powers",
        "pools",
        "funds",
        "lending",
    )
    for name in same:
        assert getattr(view, name) == getattr(x.view(), name), name
    assert view.quotes == {}


def test_only_the_expiries_held_are_kept_and_the_same_market_gives_the_same_text():
    assert written_view(DAY, x.view(), START_BOOK) == written_view(DAY, x.view(), START_BOOK)
    assert len(written_view(DAY, x.view(), type(START_BOOK)())) < len(written_view(DAY, x.view(), START_BOOK))


def test_a_market_that_was_edited_is_refused():
    with pytest.raises(LedgerError, match="kept market cannot be read"):
        read_view(written_view(DAY, x.view(), START_BOOK).replace('"spot"', '"spit"'))


def test_floats_are_kept_to_the_last_digit():
    old = x.view()
    key = ("SPXW", x.SPX_EXPIRY)
    odd = replace(old.smiles[key], vols=old.smiles[key].vols / 3.0, moneyness=old.smiles[key].moneyness * (1 / 7))

    _, view = read_view(written_view(DAY, replace(old, smiles={key: odd}, spot=x.SPOT / 3.0), START_BOOK))

    assert view.spot == x.SPOT / 3.0
    assert view.smiles[key].vols.tolist() == odd.vols.tolist()
    assert view.smiles[key].moneyness.tolist() == odd.moneyness.tolist()
