"""What plans begun so far used of the session's cap, read from what was sent and filled."""

from dataclasses import replace
from datetime import timedelta

import pytest

from engine.orders import OrderLeg
from engine.plan.session_orders import outer_events
from engine.risk.session_cap import session_use
from tests.engine.plans import NOW, condor_order, hedge_order, plan

CLOSES = [NOW - timedelta(days=1), NOW, NOW + timedelta(days=1)]


def used(*orders, filled, sent=(), at=NOW):
    known = {order.id: NOW - timedelta(hours=1) for order in (sent or orders)}
    events = outer_events([plan(orders=orders, batches=())], known, lambda order: filled[order.id])
    return session_use(events, at, CLOSES)


@pytest.mark.requirement("D12", "S41")
def test_a_hedge_that_filled_counts_with_its_premium_in_its_own_session_only():
    hedge = hedge_order(lots=2)  # bought for at most 8,000 USD

    assert used(hedge, filled={hedge.id: 2}) == 8_000.0
    assert used(hedge, filled={hedge.id: 1}) == 4_000.0
    assert used(hedge, filled={hedge.id: 2}, at=NOW + timedelta(hours=20)) == 0.0


@pytest.mark.requirement("D12")
def test_what_was_never_sent_is_no_outer_layer_or_only_sells_uses_nothing():
    hedge, condor = hedge_order(), condor_order()
    sold = replace(hedge, legs=tuple(OrderLeg(leg.instrument, -leg.quantity) for leg in hedge.legs))

    assert used(hedge, filled={hedge.id: 1}, sent=(condor,)) == 0.0
    assert used(condor, filled={condor.id: 2}) == 0.0
    assert used(sold, filled={sold.id: 1}) == 0.0
