"""What a plan stands on is in its digest: one quote, one key, one block more or less changes it."""

from dataclasses import fields, replace
from datetime import date
from enum import StrEnum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.files.config import policy_digest
from adapters.files.observation import demo_day
from engine.market import LendingMarket, OnchainState
from engine.policy.settings import Policy
from tests.engine.plans import plan

MARKET = demo_day(date(2018, 4, 24))
STATE = OnchainState(
    31337, 10, "0xb", MARKET.asof, {"WETH": 700.0},
    (LendingMarket("m", "DAI", 0.04, 0.03, 0.8, 0.75, 1e6, 0.5, 0.0, 0.04, 0.6, 0.8),), (), 10**9,
)  # fmt: skip
SNAPSHOT = MARKET.with_chain(STATE)
COLUMNS = ["strikes", "call_bid", "call_ask", "put_bid", "put_ask"]


@given(st.integers(0, len(SNAPSHOT.spx.slices) - 1), st.sampled_from(COLUMNS), st.integers(0, 10_000))
def test_one_changed_quote_changes_the_snapshot(part, column, position):
    quotes = SNAPSHOT.spx.slices[part]
    changed = getattr(quotes, column).copy()
    at = position % len(changed)
    changed[at] = np.nextafter(changed[at], np.inf)
    slices = list(SNAPSHOT.spx.slices)
    slices[part] = replace(quotes, **{column: changed})

    other = replace(SNAPSHOT, spx=replace(SNAPSHOT.spx, slices=tuple(slices)))

    assert other.digest != SNAPSHOT.digest
    assert plan(snapshot_digest=other.digest).digest != plan(snapshot_digest=SNAPSHOT.digest).digest


def test_the_same_market_read_twice_has_one_digest():
    assert demo_day(date(2018, 4, 24)).with_chain(STATE).digest == SNAPSHOT.digest


@pytest.mark.parametrize("change", [{"block": 11}, {"block_hash": "0xc"}, {"prices": {"WETH": 700.01}}])
def test_another_block_or_price_on_chain_changes_the_snapshot(change):
    assert MARKET.with_chain(replace(STATE, **change)).digest != SNAPSHOT.digest


def test_another_block_changes_the_plan():
    state = plan().state

    assert plan(state=replace(state, block=11, block_hash="0xc")).digest != plan().digest


@pytest.mark.parametrize("section", list(Policy.model_fields))
def test_every_policy_key_is_in_its_digest(section):
    default = Policy()
    part = getattr(default, section)
    changed = (
        [part[1:]]
        if isinstance(part, tuple)
        else [part.model_copy(update={key: _other(value)}) for key, value in part.model_dump().items()]
    )
    for other in changed:
        assert policy_digest(default.model_copy(update={section: other})) != policy_digest(default)


def _other(value):
    match value:
        case StrEnum():
            return next(member for member in type(value) if member is not value)
        case str():
            return value + "X"
        case tuple() | list():
            return value[:-1]
        case bool():
            return not value
        case None:
            return 1
        case _:
            return value + 1


def test_every_field_of_a_snapshot_is_in_its_digest():
    assert {field.name for field in fields(SNAPSHOT)} >= {"asof", "spx", "vix", "rates", "histories", "chain"}
    assert replace(SNAPSHOT, vix=SNAPSHOT.vix + 1e-9).digest != SNAPSHOT.digest
    assert replace(SNAPSHOT, crypto_beta=0.0).digest != SNAPSHOT.digest
