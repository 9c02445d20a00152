from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from adapters.files.observation import demo_day
from engine.errors import MissingQuote
from engine.market import LendingMarket, OnchainState
from engine.policy.evidence import observed, session_closes
from engine.policy.judgement import judgement
from engine.policy.settings import Policy
from engine.signals.observations import Observations
from tests.engine.signals.stores import daily

MARKET = demo_day(date(2018, 4, 25))
NO_CHAIN = OnchainState(0, 0, "", MARKET.asof, {"USDC": 1.0}, (), (), 0)


def lender(name: str, rate: float, asset: str = "DAI") -> LendingMarket:
    return LendingMarket(name, asset, rate, 0.03, 0.8, 0.75, 1e6, 0.6, 0.0, 0.04, 0.6, 0.8)


ON_CHAIN = replace(NO_CHAIN, chain_id=31337, block=7, lending=(lender("dear", 0.14), lender("cheap", 0.045)))


def test_the_snapshots_closes_are_read_under_the_names_of_the_signals():
    found = observed(MARKET.with_chain(NO_CHAIN))

    assert list(found) == ["spx", "vix"]
    assert found["vix"].values[-1] == 17.84


def test_what_no_chain_says_is_not_observed():
    assert "usdc_peg" not in observed(MARKET.with_chain(NO_CHAIN), asset="DAI")


def test_the_cheapest_market_of_the_borrowed_token_is_read():
    found = observed(MARKET.with_chain(ON_CHAIN), asset="DAI")

    assert found["borrow_rate"].values.tolist() == [0.045]
    assert found["borrow_rate"].source == "cheap, block 7"
    assert "borrow_rate" not in observed(MARKET.with_chain(ON_CHAIN), asset="USDT")


def test_what_an_operator_supplies_replaces_what_the_snapshot_carries():
    mine = Observations.of([daily("vix", [30.0]), daily("advances", [900.0])])

    found = observed(MARKET.with_chain(NO_CHAIN), mine)

    assert found["vix"].values.tolist() == [30.0]
    assert "advances" in found


def test_the_axis_ends_at_the_instant_that_is_decided_on():
    axis = session_closes(MARKET.with_chain(NO_CHAIN))

    assert axis.last() == MARKET.asof
    assert len(axis) == 400
    assert np.all(np.diff(axis.closes.astype(np.int64)) > 0)


def test_a_snapshot_judges_itself():
    snapshot = MARKET.with_chain(ON_CHAIN)

    found = judgement(observed(snapshot, asset="DAI"), session_closes(snapshot), Policy())

    assert found.regime.vix == 17.84
    assert found.may_add
    assert found.leverage == 1.0


def test_without_a_history_there_is_no_axis():
    bare = replace(MARKET.with_chain(NO_CHAIN), histories={})

    with pytest.raises(MissingQuote, match="SPX history"):
        session_closes(bare)


def test_a_snapshot_beyond_its_history_is_read_at_its_own_levels():
    later = replace(MARKET.with_chain(NO_CHAIN), vix=31.0, asof=MARKET.asof.replace(year=2023, month=2, day=7))

    axis = session_closes(later)
    found = judgement(observed(later), axis, Policy())

    assert len(axis) == 1
    assert found.regime.vix == 31.0
    assert found.table.panel()["rsi_spx"].value is None
    assert not [rule for rule in found.findings if rule.fires and rule.rule.until]
