"""What every broker must do, whichever it is: subclass it, give a venue, and inherit the proof."""

from dataclasses import replace

import pytest

from engine.errors import VenueUnavailable
from engine.instruments import VanillaOption
from engine.money import USD, Money, usd
from engine.orders import OrderId
from engine.ports import AckState
from tests.engine.plans import condor_order, hedge_order


class BrokerVenueContract:
    """`venue` quotes the condor of `tests.engine.plans` at 620 credit and the hedge at 40.00 offered."""

    def test_an_order_it_never_saw_is_unknown(self, venue):
        assert venue.status(OrderId("never")).state is AckState.UNKNOWN
        assert list(venue.fills(OrderId("never"))) == []

    def test_submitting_the_same_order_twice_trades_once(self, venue):
        venue.submit(condor_order())
        held = venue.positions()
        venue.submit(condor_order())

        assert venue.positions() == held
        assert len(venue.fills(condor_order().id)) == 1

    def test_legs_of_a_combo_fill_in_ratio_or_not_at_all(self, venue):
        venue.submit(condor_order(lots=3))

        quantities = [
            change.quantity
            for fill in venue.fills(condor_order().id)
            for change in fill.changes
            if isinstance(change.instrument, VanillaOption)
        ]
        assert quantities == [3, -3, -3, 3]

    def test_a_fill_is_never_worse_than_its_limit(self, venue):
        venue.submit(condor_order())

        (fill,) = venue.fills(condor_order().id)
        cash = next(c.held for c in fill.changes if c.held.currency == USD)
        assert condor_order().limit <= cash

    def test_an_order_beyond_the_market_rests_and_can_be_cancelled(self, venue):
        greedy = replace(condor_order(), limit=usd(5_000))

        assert venue.submit(greedy).state is AckState.WORKING
        assert venue.cancel(greedy.id).state is AckState.CANCELLED
        assert list(venue.fills(greedy.id)) == []

    def test_its_book_is_its_fills_less_its_fees(self, venue):
        before = venue.positions().get("USD", 0)
        venue.submit(hedge_order())

        (fill,) = venue.fills(hedge_order().id)
        paid = sum((c.held for c in fill.changes if c.held.currency == USD), Money.zero(USD))
        fees = sum(fill.fees.values(), Money.zero(USD))
        assert venue.positions()["USD"] - before == (paid - fees).units

    def test_a_quote_is_what_the_trade_then_costs(self, venue):
        quoted = venue.quote(condor_order())
        venue.submit(condor_order())

        (fill,) = venue.fills(condor_order().id)
        cash = next(c.held for c in fill.changes if c.held.currency == USD)
        assert quoted == cash - sum(fill.fees.values(), Money.zero(USD))

    def test_slippage_is_the_distance_to_the_mid_at_decision(self, venue):
        venue.submit(condor_order())

        (fill,) = venue.fills(condor_order().id)
        cash = next(c.held for c in fill.changes if c.held.currency == USD)
        assert fill.slippage == cash - condor_order().arrival

    def test_a_contract_nobody_quotes_is_refused_before_anything_is_sent(self, venue, unquoted):
        with pytest.raises(VenueUnavailable, match="nothing was sent"):
            venue.submit(unquoted)

        assert venue.status(unquoted.id).state is AckState.UNKNOWN
