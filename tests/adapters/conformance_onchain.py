"""What every protocol reached from a vault must do: subclass it, give `s`, `venue` and `asked`, inherit the proof."""

from dataclasses import replace
from decimal import Decimal

import pytest

from adapters.evm.capabilities import capability
from engine.errors import EngineError
from engine.orders import OrderLeg

CONDITIONAL = {"requestRedeem"}
"""Calls that a venue needs only where one of its listings has them."""


class OnchainVenueContract:
    """`asked` is an order within its limit on the stage `s`; `funded` makes what it needs beforehand."""

    def paid(self, asked, fill):
        """Cash of the limit's currency in a fill, fees included; a margined venue books none and overrides this."""
        currency = asked.limit.currency
        cash = sum(c.held.units for c in fill.changes if c.instrument.id == currency.code and c.venue == "vault")
        return cash - sum(fee.units for fee in fill.fees.values() if fee.currency == currency)

    def test_its_name_is_the_one_orders_carry(self, venue, asked):
        assert venue.name == asked.venue

    def test_its_capability_table_names_just_the_calls_it_asks_for(self, venue, asked):
        table = capability(venue)

        assert set(table.calls) - CONDITIONAL <= {permit.function for permit in venue.permits()} <= set(table.calls)
        known = {each.contract.address: each.contract for each in venue.permits()}
        assert {known[c.to].decode_call(c.data)[0] for c in venue.calls(asked)} <= set(table.calls)

    def test_a_quote_is_in_the_limits_currency_and_its_sign_says_who_pays(self, venue, asked):
        quoted = venue.quote(asked)

        assert quoted.currency == asked.limit.currency
        assert (quoted.units > 0) == (asked.limit.units > 0)
        assert quoted.units >= asked.limit.units

    def test_calls_depend_on_the_order_alone(self, venue, asked):
        assert venue.calls(asked) == venue.calls(replace(asked))

    def test_its_words_come_from_its_bytes(self, s, venue, asked):
        bare = [replace(call, description="") for call in venue.calls(asked)]

        assert s.vault.describe(bare) == venue.calls(asked)

    def test_it_approves_exactly_and_takes_every_approval_back(self, s, venue, asked):
        approvals: dict[tuple[str, str], list[int]] = {}
        for call in venue.calls(asked):
            if call.data[:4].hex() == "095ea7b3":
                spender, units = call.data[16:36].hex(), int.from_bytes(call.data[36:68], "big")
                approvals.setdefault((call.to, spender), []).append(units)

        assert all(given[-1] == 0 and 0 < given[0] < 2**128 and len(given) == 2 for given in approvals.values())

    def test_it_reads_just_what_the_chain_did(self, s, venue, asked):
        before = {token: s.balance(token) for token in s.tokens}

        receipt = s.run((venue, asked))
        (fill,) = venue.read(asked, receipt)

        legs = {c.instrument.id: c.held.units for c in fill.changes}
        wanted = asked.legs[0]
        assert legs[wanted.instrument.id] != 0
        for code, units in before.items():
            cash = sum(c.held.units for c in fill.changes if c.instrument.id == code and c.venue == "vault")
            fees = sum(fee.units for fee in fill.fees.values() if fee.currency.code == code)
            assert s.balance(code) - units == cash - fees, code
        assert all(fee.units > 0 for fee in fill.fees.values())

    def test_a_fill_is_identified_by_the_safe_transaction_and_its_place(self, s, venue, asked):
        receipt = s.run((venue, asked))
        (fill,) = venue.read(asked, receipt)

        chain_id, safe, executed, ordinal = fill.key.removeprefix("chain:").split(":")
        assert (int(chain_id), safe) == (s.chain.chain_id, s.holder.safe)
        assert executed == s.holder.execution(receipt)
        assert 0 <= int(ordinal) < len(receipt.logs)
        assert fill.final

    def test_a_fill_is_never_worse_than_its_limit(self, s, venue, asked):
        (fill,) = venue.read(asked, s.run((venue, asked)))

        assert self.paid(asked, fill) >= asked.limit.units

    def test_reading_again_or_elsewhere_finds_no_more(self, s, venue, asked):
        receipt = s.run((venue, asked))

        assert venue.read(asked, receipt) == venue.read(asked, receipt)
        assert list(venue.read(asked, replace(receipt, logs=()))) == []

    def test_an_order_with_its_legs_twice_is_refused(self, venue, asked):
        with pytest.raises(EngineError, match="refused"):
            venue.calls(replace(asked, legs=asked.legs * 2))

    def test_an_order_of_nothing_is_refused(self, venue, asked):
        nothing = OrderLeg(asked.legs[0].instrument, Decimal(0))

        with pytest.raises(EngineError, match="refused"):
            venue.calls(replace(asked, legs=(nothing, *asked.legs[1:])))

    def test_a_stranger_holds_nothing(self, venue, asked):
        assert venue.positions("0x" + "77" * 20) == {}
