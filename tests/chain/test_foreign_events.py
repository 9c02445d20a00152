"""What strangers and other owners do to our positions is found, keyed, and posted once."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from adapters.evm.deploy_aave import set_price
from adapters.evm.deploy_builder import Builder, account
from adapters.evm.foreign_events import ForeignEvents, ForeignKind
from adapters.evm.world import advance
from adapters.safe.eip712 import safe_tx
from engine.entries import EntryStatus
from engine.errors import VenueError
from engine.instruments import Cash, LendingDebt, LendingSupply
from engine.money import Money
from engine.positions import Book, Position, Sleeve
from tests.chain.vault_stage import EXPIRY, SUSD, USDC, WETH, Stage, debt, order, stage, supply

pytestmark = [pytest.mark.chain]
WAD = 10**18


@pytest.fixture(scope="module")
def built() -> Iterator[Stage]:
    with stage() as made:
        yield made


@pytest.fixture
def s(built: Stage) -> Iterator[Stage]:
    """The stage, put back afterwards."""
    snapshot = built.chain.snapshot()
    yield built
    built.chain.request("anvil_dropAllTransactions")
    built.chain.revert(snapshot)


def watcher(s: Stage, *ours: str) -> ForeignEvents:
    return ForeignEvents(s.chain, s.holder, (s.cheap, s.dear), s.lyra, list(s.tokens.values()), lambda: ours)


def stranger(s: Stage) -> Builder:
    return Builder(s.chain, account(5))


def liquidate(s: Stage, units: int = 3_000 * 10**6) -> None:
    s.world.mint(s.chain, "USDC", account(5).address, units)
    stranger(s).send(s.tokens["USDC"].contract, "approve", s.world["aave-cheap-pool"], units)
    call = s.world["WETH"], s.world["USDC"], s.holder.safe, units, False
    stranger(s).send(s.cheap.pool.contract, "liquidationCall", *call)


def final(s: Stage) -> int:
    return s.chain.mine_to_final().number


def in_debt(s: Stage) -> int:
    """20 WETH behind 10,000 USDC, then WETH at 600: 1.00 of health is 606.06."""
    receipt = s.run((s.cheap, supply("aave-cheap", WETH, "20")), (s.cheap, debt("aave-cheap", USDC, "-10000")))
    set_price(s.chain, s.world.addresses, "WETH", Decimal(600))
    return receipt.block


@pytest.mark.fault("F98")
class TestLiquidation:
    def test_what_was_seized_and_repaid_is_one_balanced_entry_with_its_bonus(self, s):
        mark = in_debt(s)
        before = s.cheap.balances(s.holder.safe)
        liquidate(s)
        after = s.cheap.balances(s.holder.safe)
        final(s)

        sync = watcher(s, *executed(s)).since(mark)

        (found,) = sync.events
        moved = {leg.instrument: leg.amount.units for leg in found.entries[0].legs if leg.account.startswith("assets")}
        taken = after["aave-cheap supply WETH"] - before["aave-cheap supply WETH"]
        # 3,000 USDC at 600 buy 5 WETH, and the market's bonus of 5 % on top (deploy_aave: 10,500)
        assert moved[LendingSupply("aave-cheap", WETH)] == -5_250_000_000_000_000_000
        assert moved[LendingSupply("aave-cheap", WETH)] == pytest.approx(taken, abs=10**12)  # and its interest
        assert moved[LendingDebt("aave-cheap", USDC)] == 3_000 * 10**6
        (bonus,) = [leg.amount.units for leg in found.entries[0].legs if leg.account == "expenses:liquidation:defi"]
        assert bonus == 250_000_000_000_000_000
        assert (found.kind, found.alarms) == (ForeignKind.LIQUIDATION, True)
        assert found.entries[0].status is EntryStatus.FINAL
        assert found.entries[0].evidence["sender"] == account(5).address

    def test_the_safes_nonce_is_untouched_and_the_next_sync_finds_nothing_more(self, s):
        mark = in_debt(s)
        nonce = s.vault.state().nonce
        liquidate(s)
        final(s)

        first = watcher(s, *executed(s)).since(mark)
        again = watcher(s, *executed(s)).since(first.through)

        assert s.vault.state().nonce == nonce
        assert again.events == ()
        assert watcher(s, *executed(s)).since(mark) == replace(first, through=again.through)

    def test_somebody_elses_liquidation_in_the_same_receipt_is_not_ours(self, s):
        mark = in_debt(s)
        liquidate(s)
        final(s)
        (found,) = watcher(s, *executed(s)).since(mark).events
        me, them = (who[2:].lower().rjust(64, "0") for who in (s.holder.safe, account(7).address))
        logs = tuple({**log, "topics": [t.replace(me, them) for t in log["topics"]]} for log in found.receipt.logs)

        assert list(watcher(s, *executed(s)).of(replace(found.receipt, logs=logs))) == []

    def test_one_that_is_not_final_is_not_read_yet(self, s):
        mark = in_debt(s)
        liquidate(s)

        assert watcher(s, *executed(s)).since(mark).events == ()

    @pytest.mark.fault("F99")
    def test_mined_again_behind_another_transaction_it_has_the_same_key(self, s):
        mark = in_debt(s)
        s.world.mint(s.chain, "USDC", account(5).address, 3_000 * 10**6)
        stranger(s).send(s.tokens["USDC"].contract, "approve", s.world["aave-cheap-pool"], 3_000 * 10**6)
        liquidator, other = account(5), account(6)
        data = s.cheap.pool.contract.encode(
            "liquidationCall", s.world["WETH"], s.world["USDC"], s.holder.safe, 3_000 * 10**6, False
        )
        fields = {"chainId": s.chain.chain_id, "gas": 2_000_000, "maxFeePerGas": 10**11, "maxPriorityFeePerGas": 10**9}
        raw = liquidator.sign_transaction(
            {**fields, "nonce": s.chain.nonce(liquidator.address), "to": s.world["aave-cheap-pool"], "data": data}
        ).raw_transaction
        approve = s.tokens["DAI"].contract.encode("approve", other.address, 1)
        front = other.sign_transaction(
            {**fields, "nonce": s.chain.nonce(other.address), "to": s.world["DAI"], "data": approve}
        ).raw_transaction
        early = s.chain.mined(s.chain.send_raw(bytes(raw)))
        (before,) = watcher(s, *executed(s)).of(early)
        s.chain.request("anvil_reorg", 1, [["0x" + front.hex(), 0], ["0x" + raw.hex(), 0]])
        final(s)

        (after,) = watcher(s, *executed(s)).since(mark).events

        place = [int(each.receipt.logs[0]["logIndex"], 16) for each in (before, after)]
        assert place[0] < place[1]
        assert after.key == before.key == after.entries[0].key


def executed(s: Stage) -> list[str]:
    """Hashes of every Safe transaction so far: ours, in these tests."""
    logs = s.chain.logs(address=s.holder.safe, topics=[s.safe.topic("ExecutionSuccess")])
    return [log["topics"][1] for log in logs]


class TestSettlement:
    @pytest.mark.fault("F98")
    def test_a_strangers_settlement_is_posted_and_alarms_nobody(self, s):
        asked = order("lyra", s.put(), "10", Money.of("-2100", SUSD))
        mark = s.run((s.lyra, asked)).block
        advance(s.chain, s.world, at=EXPIRY, eth_usd=Decimal(1500))
        stranger(s).send(s.world.contract("lyra-short-collateral"), "settleOptions", [1])
        final(s)

        (found,) = watcher(s, *executed(s)).since(mark).events

        moved = {leg.instrument: leg.amount.units for leg in found.entries[0].legs if leg.account.startswith("assets")}
        assert moved[Cash(SUSD)] == 3_000 * WAD
        assert (found.kind, found.alarms) == (ForeignKind.SETTLEMENT, False)

    @pytest.mark.fault("F99")
    def test_our_own_settlement_has_the_key_of_our_own_fill(self, s):
        asked, closing = (
            order("lyra", s.put(), q, Money.of(limit, SUSD)) for q, limit in (("10", "-2100"), ("-10", "1"))
        )
        mark = s.run((s.lyra, asked)).block
        advance(s.chain, s.world, at=EXPIRY, eth_usd=Decimal(1500))
        (fill,) = s.lyra.read(closing, s.run((s.lyra, closing)))

        (found,) = watcher(s, *executed(s)).since(mark).events

        assert found.key == found.entries[0].key == fill.key


@pytest.mark.fault("F98")
class TestTransfers:
    def give(self, s: Stage, units: int) -> None:
        s.world.mint(s.chain, "USDC", account(5).address, units)
        stranger(s).send(s.tokens["USDC"].contract, "transfer", s.holder.safe, units)

    def test_tokens_a_stranger_sent_are_owed_an_explanation_and_alarm_nobody(self, s):
        mark = s.chain.height()
        self.give(s, 12_500_000)
        final(s)

        (found,) = watcher(s).since(mark).events

        (entry,) = found.entries
        assert (found.kind, found.alarms) == (ForeignKind.DEPOSIT, False)
        assert [(leg.account, leg.amount.units) for leg in entry.legs] == [
            ("assets:defi:vault", 12_500_000),
            ("equity:suspense:defi", -12_500_000),
        ]
        assert found.key == entry.key == f"chain:{s.chain.chain_id}:{found.receipt.transaction_hash}:USDC"
        assert entry.evidence["by"] == account(5).address

    def test_what_left_without_a_word_of_the_safe_alarms(self, s):
        self.give(s, 12_500_000)
        mark = s.chain.height()
        data = s.tokens["USDC"].contract.encode("transfer", account(7).address, 5_000_000)
        s.chain.request("anvil_setBalance", s.holder.safe, hex(WAD))
        s.chain.request("anvil_impersonateAccount", s.holder.safe)
        call = {"from": s.holder.safe, "to": s.world["USDC"], "data": "0x" + data.hex()}
        s.chain.mined(s.chain.request("eth_sendTransaction", call))
        final(s)

        (found,) = watcher(s).since(mark).events

        assert (found.kind, found.alarms) == (ForeignKind.WITHDRAWAL, True)
        assert found.entries[0].legs[0].amount == Money.of(-5, USDC)

    def test_a_settlement_explains_what_it_pays_and_a_gift_on_top_of_it_is_not_explained(self, s):
        s.run((s.lyra, order("lyra", s.put(), "10", Money.of("-2100", SUSD))))
        mark = s.chain.height()
        advance(s.chain, s.world, at=EXPIRY, eth_usd=Decimal(1500))
        stranger(s).send(s.world.contract("lyra-short-collateral"), "settleOptions", [1])
        final(s)
        (settled,) = watcher(s, *executed(s)).since(mark).events
        paid = next(log for log in settled.receipt.logs if log["address"].lower() == s.world["sUSD"].lower())
        gift = {**paid, "data": "0x" + (7 * WAD).to_bytes(32, "big").hex()}

        found = list(watcher(s).of(replace(settled.receipt, logs=(*settled.receipt.logs, gift))))

        assert [each.kind for each in found] == [ForeignKind.SETTLEMENT, ForeignKind.DEPOSIT]
        assert found[1].entries[0].legs[0].amount == Money.of(7, SUSD)

    def test_tokens_that_moved_in_a_batch_of_ours_belong_to_its_fills(self, s):
        mark = s.chain.height()
        s.run((s.cheap, supply("aave-cheap", WETH, "1")))
        final(s)

        assert watcher(s, *executed(s)).since(mark).events == ()

    @pytest.mark.fault("F99")
    def test_another_block_gives_the_same_key(self, s):
        mark = s.chain.height()
        self.give(s, 1_000_000)
        final(s)
        (found,) = watcher(s).since(mark).events
        moved = replace(found.receipt, block=found.receipt.block + 1, block_hash="0x" + "ab" * 32)

        assert [each.key for each in watcher(s).of(moved)] == [found.key]


class TestExecution:
    def other_owners(self, s: Stage):
        data = s.tokens["USDC"].contract.encode("transfer", account(7).address, 12 * 10**6)
        tx = safe_tx(
            chain_id=s.chain.chain_id, safe=s.holder.safe, to=s.world["USDC"], value=0, data=data, operation=0, nonce=0
        )
        stranger(s).send_data(s.holder.safe, s.vault.calldata(s.sign(tx, owners=(2, 3))))
        final(s)
        return tx

    @pytest.mark.fault("F98")
    def test_one_that_other_owners_sent_is_named_and_its_tokens_leave_the_books(self, s):
        mark = s.chain.height()
        tx = self.other_owners(s)

        (found,) = watcher(s).since(mark).events

        (entry,) = found.entries
        assert found.kind is ForeignKind.EXECUTION
        assert tx.hash in found.says
        assert [(leg.account, leg.amount.units) for leg in entry.legs] == [
            ("assets:defi:vault", -12 * 10**6),
            ("equity:capital:defi", 12 * 10**6),
        ]
        assert found.key == f"chain:{s.chain.chain_id}:{s.holder.safe}:{tx.hash}"

    @pytest.mark.fault("F20")
    def test_one_of_our_own_plans_sent_by_anybody_is_not_foreign(self, s):
        mark = s.chain.height()
        tx = self.other_owners(s)

        assert watcher(s, tx.hash).since(mark).events == ()

    @pytest.mark.fault("F27")
    def test_one_that_failed_with_status_1_moves_nothing_and_is_named(self, s):
        mark = s.chain.height()
        tx = self.other_owners(s)
        receipt = watcher(s).since(mark).events[0].receipt
        failed = s.safe.topic("ExecutionFailure")
        logs = tuple(  # what its inner call logged went with it
            {**log, "topics": [failed, *log["topics"][1:]]} for log in receipt.logs if log["topics"][1:2] == [tx.hash]
        )

        (found,) = watcher(s).of(replace(receipt, logs=logs))

        assert (found.kind, found.entries) == (ForeignKind.FAILED_EXECUTION, ())


def test_interest_explains_what_a_supply_and_a_debt_grew_by(s):
    s.run((s.cheap, supply("aave-cheap", WETH, "20")), (s.cheap, debt("aave-cheap", USDC, "-10000")))
    day = s.chain.block().at + timedelta(days=1)
    s.chain.warp(day)
    s.chain.mine(3)
    held = {LendingSupply("aave-cheap", WETH): 20 * WAD, LendingDebt("aave-cheap", USDC): -10_000 * 10**6}
    book = Book(tuple(Position(i, Money(units, i.unit), Sleeve.DEFI, "vault") for i, units in held.items()))

    entries = watcher(s).interest(book, day.date())

    rate = s.cheap.lending().borrow_rate
    costs = {leg.account: leg.amount.units for entry in entries for leg in entry.legs}
    assert costs["expenses:interest:defi"] == pytest.approx(10_000 * 10**6 * rate / 365, rel=1e-3)
    assert {entry.key for entry in entries} >= {f"accrual:aave-cheap debt USDC:{day.date().isoformat()}"}


def test_a_liquidation_of_a_token_that_is_not_configured_stops_the_sync(s):
    mark = in_debt(s)
    liquidate(s)
    final(s)
    watching = watcher(s, *executed(s))
    bare = replace(s.cheap.pool, tokens={"USDC": s.tokens["USDC"]})
    pool, s.cheap.pool = s.cheap.pool, bare
    try:
        with pytest.raises(VenueError, match="not configured"):
            watching.since(mark)
    finally:
        s.cheap.pool = pool
