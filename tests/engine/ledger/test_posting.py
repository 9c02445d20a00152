from collections import defaultdict
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given

from engine.entries import EntryStatus
from engine.errors import InputError, LedgerError
from engine.instruments import Cash
from engine.ledger import balances, lending, posting, reversal, settlement, transfer
from engine.money import ETH, USD, Money, usd
from engine.positions import Book, Sleeve
from tests.engine.ledger.events import DEBT, PUT, START, SUPPLY, USDC, cash, fill, held, journals, steady, wide


def by_account(*entries):
    totals = defaultdict(int)
    for entry in entries:
        for leg in entry.legs:
            totals[leg.account, leg.instrument.id] += leg.amount.units
    return {key: units for key, units in totals.items() if units}


def test_a_trade_stands_at_mid_and_its_slippage_and_fees_stand_apart():
    bought = fill("f1", held(PUT, 1), cash(usd(-500)), fees={"commission": usd("1.10")}, slippage=usd(-10))

    assert by_account(posting.entry_for(bought)) == {
        ("assets:condor:paper", PUT.id): 1,
        ("equity:trading", PUT.id): -1,
        ("assets:condor:paper", "USD"): -501_10,
        ("equity:trading", "USD"): 490_00,
        ("expenses:slippage:condor", "USD"): 10_00,
        ("expenses:commission:condor", "USD"): 1_10,
    }


def test_gas_is_paid_by_the_executor_whoever_made_the_fill():
    lent = fill(
        "f1",
        held(SUPPLY, 10, Sleeve.DEFI, "aave-v3"),
        cash(Money(-10, ETH), Sleeve.DEFI, "safe"),
        fees={"gas": Money(3, ETH)},
    )

    accounts = by_account(posting.entry_for(lent))

    assert accounts["assets:defi:executor", "ETH"] == -3
    assert accounts["expenses:gas:defi", "ETH"] == 3


def test_a_fill_into_another_sleeve_moves_capital_that_cancels_in_the_blend():
    ramp = fill(
        "f1",
        cash(Money(-1_000_000_000, USDC), Sleeve.DEFI, "safe"),
        cash(usd(999), Sleeve.TRANSIT, "offramp"),
    )

    flows = balances.capital_flows([posting.entry_for(ramp)])

    assert {(f.sleeve, str(f.paid)) for f in flows} == {
        (Sleeve.DEFI, "999.00 USD"),
        (Sleeve.TRANSIT, "-999.00 USD"),
    }
    assert not balances.blended(flows)


def test_a_fill_without_changes_is_refused():
    with pytest.raises(InputError, match="changes nothing"):
        posting.entry_for(fill("f1"))


@pytest.mark.requirement("D34")
@steady
@given(journals())
def test_every_sequence_of_events_sums_to_zero_in_every_commodity(entries):
    assert balances.imbalance(entries) == {}


@pytest.mark.requirement("D15")
@steady
@given(journals())
def test_flows_of_the_sleeves_sum_to_the_portfolio_flows_on_every_day(entries):
    put_in = defaultdict(int)
    for entry in entries:
        if entry.memo.startswith("capital "):
            put_in[balances.valuation_day(entry.at)] -= entry.legs[0].amount.units

    blend = balances.blended(balances.capital_flows(entries))

    assert {day: paid.units for (day, _), paid in blend.items()} == dict(put_in)


@steady
@given(journals())
def test_final_and_in_flight_entries_and_their_voids_make_one_book(entries):
    final = balances.book(entries, final_only=True)
    rest = [e for e in entries if e.status is not EntryStatus.FINAL]

    everything = balances.book(entries)

    assert set(final.plus(balances.book(rest))) == set(everything)


class TestInFlight:
    def seen(self, block, *, final=False):
        changes = (
            held(DEBT, -100, Sleeve.DEFI, "aave-v3"),
            cash(Money(100, USDC), Sleeve.DEFI, "safe"),
        )
        return fill("chain:1:safe:0xh:0", *changes, final=final, evidence={"block_hash": block})

    def test_it_counts_for_limits_and_not_for_reconciliation(self):
        entry = posting.entry_for(self.seen("0xa"))

        assert entry.status is EntryStatus.IN_FLIGHT
        assert balances.book([entry]).held(DEBT).units == -100
        assert balances.book([entry], final_only=True) == Book()

    @pytest.mark.fault("F24")
    @pytest.mark.fault("F99")
    def test_the_same_event_in_another_block_replaces_the_first_sighting(self):
        journal = list(reversal.resolved(self.seen("0xa"), []))
        journal += reversal.resolved(self.seen("0xa"), journal)
        journal += reversal.resolved(self.seen("0xb"), journal)
        journal += reversal.resolved(self.seen("0xa"), journal)
        journal += reversal.resolved(self.seen("0xa"), journal)

        assert balances.book(journal).held(DEBT).units == -100
        assert len(reversal.open_in_flight(journal)) == 1
        assert len({entry.key for entry in journal}) == len(journal) == 5

    def test_the_final_sighting_posts_the_business_key_once(self):
        journal = list(reversal.resolved(self.seen("0xa"), []))
        journal += reversal.resolved(self.seen("0xa", final=True), journal)
        journal += reversal.resolved(self.seen("0xa", final=True), journal)

        assert reversal.open_in_flight(journal) == ()
        assert balances.book(journal) == balances.book(journal, final_only=True)
        assert [e.key for e in journal].count("chain:1:safe:0xh:0") == 1

    def test_a_final_entry_is_reversed_not_voided(self):
        entry = posting.entry_for(self.seen("0xa", final=True))

        with pytest.raises(LedgerError, match="cannot be voided"):
            reversal.void(entry, at=START, reason="x")
        assert balances.book([entry, reversal.reversed_entry(entry, at=START, reason="x", posted=[entry])]) == Book()


@pytest.mark.fault("F32")
def test_a_correction_takes_the_first_execution_back_and_posts_the_second():
    first = posting.entry_for(fill("fill:paper:0001", held(PUT, 2), cash(usd(-500))))

    pair = reversal.correction(
        first, fill("fill:paper:0001", held(PUT, 1), cash(usd(-250))), revision="02", posted=[first]
    )

    assert balances.book([first, *pair]).held(PUT).units == 1
    assert balances.book([first, *pair]).held(Cash(USD)) == usd(-250)
    assert len({first.key, *(entry.key for entry in pair)}) == 3


def revised(revision, lots):
    again = fill("fill:paper:0001", held(PUT, lots), cash(usd(-250 * lots)))
    return lambda journal: reversal.correction(journal[0], again, revision=revision, posted=journal)


@pytest.mark.fault("F32")
def test_a_second_revision_takes_back_the_first_and_is_posted_once():
    journal = [posting.entry_for(fill("fill:paper:0001", held(PUT, 2), cash(usd(-500))))]
    for again in (revised("02", 1), revised("03", 3), revised("03", 3), revised("02", 1)):
        journal += again(journal)

    assert balances.book(journal).held(PUT).units == 3
    assert len({entry.key for entry in journal}) == len(journal) == 5


def test_a_correction_of_a_correction_is_refused():
    first = posting.entry_for(fill("fill:paper:0001", held(PUT, 2), cash(usd(-500))))
    pair = reversal.correction(
        first, fill("fill:paper:0001", held(PUT, 1), cash(usd(-250))), revision="02", posted=[first]
    )

    for entry in pair:
        with pytest.raises(LedgerError, match="is not corrected"):
            reversal.correction(entry, fill("x", held(PUT, 1)), revision="03", posted=[first, *pair])
        with pytest.raises(LedgerError, match="is not corrected"):
            reversal.reversed_entry(entry, at=START, reason="undo the undoing", posted=[first, *pair])


@pytest.mark.fault("F94")
def test_what_was_taken_back_by_hand_is_not_taken_back_twice():
    first = posting.entry_for(fill("fill:paper:0001", held(PUT, 2), cash(usd(-500))))
    back = reversal.reversed_entry(first, at=START, reason="bust", posted=[first])
    journal = [first, back]
    journal += revised("02", 1)(journal)

    assert balances.book(journal).held(PUT).units == 1


@pytest.mark.fault("F94")
def test_taking_back_a_corrected_entry_takes_back_what_stands():
    journal = [posting.entry_for(fill("fill:paper:0001", held(PUT, 2), cash(usd(-500))))]
    journal += revised("02", 1)(journal)
    journal.append(reversal.reversed_entry(journal[0], at=START, reason="bust", posted=journal))

    assert balances.book(journal) == Book()


@pytest.mark.fault("F94")
def test_a_revision_that_arrives_after_a_later_one_changes_nothing():
    journal = [posting.entry_for(fill("fill:paper:0001", held(PUT, 2), cash(usd(-500))))]
    for again in (revised("10", 3), revised("9", 1)):
        journal += again(journal)

    assert balances.book(journal).held(PUT).units == 3


def imported(journal, entries):
    """What a journal does: append what has a new key."""
    known = {entry.key for entry in journal}
    return [*journal, *(entry for entry in entries if entry.key not in known)]


@pytest.mark.requirement("D34")
@steady
@given(journals())
def test_importing_twice_changes_nothing_and_replay_gives_the_same_books(entries):
    once = imported([], entries)

    assert len(once) == len(entries)
    assert imported(once, entries) == once
    assert balances.trial_balance(imported([], once)) == balances.trial_balance(entries)
    assert set(balances.book(reversed(once))) == set(balances.book(entries))


@pytest.mark.requirement("D34")
@steady
@given(journals())
def test_reversing_every_original_leaves_nothing(entries):
    originals = [e for e in entries if not {"reverses", "corrects"} & e.evidence.keys()]
    back = []
    for each in originals:
        with suppress(LedgerError):  # taken back already
            back.append(reversal.reversed_entry(each, at=each.at, reason="all", posted=entries))

    assert balances.trial_balance([*entries, *back]) == {}


@pytest.mark.fault("F17")
@steady
@given(wide, wide.filter(lambda units: abs(units) < 2**200))
def test_any_256_bit_amount_passes_through_an_entry_unchanged(units, other):
    entry = posting.capital(cash(Money(units, ETH), Sleeve.DEFI, "safe"), key="c", at=START)
    again = posting.capital(cash(Money(other, ETH), Sleeve.DEFI, "safe"), key="d", at=START)

    found = balances.book([entry, again]).held(Cash(ETH))

    assert found.units == units + other
    assert Money.of(str(found.amount), ETH) == found


class TestSettlement:
    @pytest.mark.parametrize(
        ("lots", "level", "paid"), [(2, "3750", "10000"), (-2, "3750", "-10000"), (-2, "3800", "0")]
    )
    def test_cash_is_multiplier_times_intrinsic_times_contracts(self, lots, level, paid):
        assert settlement.payout(PUT, held(PUT, lots).held, Decimal(level)) == usd(paid)

    def test_a_worthless_option_leaves_the_book_without_cash(self):
        entry = settlement.settled(held(PUT, -2), usd(0), at=START)

        assert by_account(entry) == {("assets:condor:paper", PUT.id): 2, ("equity:trading", PUT.id): -2}
        assert "expired worthless" in entry.memo

    def test_on_chain_cash_arrives_where_it_is_told(self):
        option = held(PUT, 1, Sleeve.DEFI, "lyra")

        entry = settlement.settled(option, Money(5, USDC), at=START, key="chain:1:x:0", cash_venue="safe")

        assert by_account(entry)["assets:defi:safe", "USDC"] == 5

    def test_a_short_option_never_pays(self):
        with pytest.raises(InputError, match="never costs"):
            settlement.settled(held(PUT, -1), usd(5), at=START)


class TestTransfer:
    def move(self):
        due = START + timedelta(days=2)
        sent = Money(1_000_000_000, USDC)
        return transfer.Transfer("t1", sent, Sleeve.DEFI, "safe", Sleeve.CONDOR, "paper", due)

    @pytest.mark.requirement("S56")
    def test_money_under_way_is_in_neither_engine(self):
        sent = transfer.sent(self.move(), at=START)

        book = balances.book([sent])

        assert [(p.sleeve, p.held.units) for p in book] == [
            (Sleeve.DEFI, -1_000_000_000),
            (Sleeve.TRANSIT, 1_000_000_000),
        ]
        assert transfer.in_transit([sent]) == {"t1": START + timedelta(days=2)}

    def test_its_fee_is_a_cost_of_the_transit_sleeve(self):
        sent = transfer.sent(self.move(), at=START)
        arrived = transfer.arrived(self.move(), usd("998.50"), fee=usd("1.50"), at=START)

        accounts = by_account(sent, arrived)

        assert accounts["expenses:ramp:transit", "USD"] == 1_50
        assert accounts["assets:condor:paper", "USD"] == 998_50
        assert not any(account.startswith("assets:transit") for account, _ in accounts)
        assert transfer.in_transit([sent, arrived]) == {}

    def test_in_one_currency_the_fee_must_explain_the_difference(self):
        move = transfer.Transfer("t2", usd(100), Sleeve.CONDOR, "paper", Sleeve.DEFI, "safe", START)

        with pytest.raises(InputError, match="differ by something else"):
            transfer.arrived(move, usd(98), fee=usd(1), at=START)


class TestAccruals:
    def book(self):
        return Book(
            (
                held(SUPPLY, 10**18, Sleeve.DEFI, "aave-v3"),
                held(DEBT, -(10**9), Sleeve.DEFI, "aave-v3"),
            )
        )

    def due(self, units, posted=()):
        return lending.accruals(self.book(), units, date(2023, 2, 7), at=START, block=7, posted=posted)

    def test_interest_earned_and_owed_explains_what_the_chain_says(self):
        entries = self.due({SUPPLY.id: 10**18 + 5_000, DEBT.id: -(10**9) - 40})

        assert by_account(*entries) == {
            ("assets:defi:aave-v3", SUPPLY.id): 5_000,
            ("income:interest:defi", SUPPLY.id): -5_000,
            ("assets:defi:aave-v3", DEBT.id): -40,
            ("expenses:interest:defi", DEBT.id): 40,
        }
        assert [entry.key for entry in entries] == [
            f"accrual:{SUPPLY.id}:2023-02-07",
            f"accrual:{DEBT.id}:2023-02-07",
        ]

    def test_a_liquidation_is_not_interest(self):
        assert self.due({SUPPLY.id: 9 * 10**17, DEBT.id: -(10**9) // 2}) == ()
        assert self.due({SUPPLY.id: 2 * 10**18}) == ()

    def test_a_second_accrual_of_a_day_is_named_by_its_block(self):
        (entry,) = self.due({DEBT.id: -(10**9) - 40}, posted={f"accrual:{DEBT.id}:2023-02-07"})

        assert entry.key == f"accrual:{DEBT.id}:2023-02-07:7"

    def test_cash_accrues_nothing(self):
        with pytest.raises(InputError, match="accrues nothing"):
            lending.accrual(cash(usd(1)), date(2023, 2, 7), at=START, evidence={})
