"""The vault on a chain of its own: what it carries out, and everything it refuses."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.evm.chain import Reverted
from adapters.evm.deploy_builder import Builder, account
from adapters.evm.transactions import Executor, GasPolicy
from adapters.evm.wire import hex0x
from adapters.safe.eip712 import safe_tx
from adapters.safe.multisend import encode_batch
from adapters.safe.signatures import sign_transaction
from adapters.safe.simulation import try_execution, written_slots
from adapters.safe.state import SafeSettings, fingerprint
from adapters.safe.vault import SafeVault
from engine.errors import (
    ChainMismatch,
    ConfigError,
    OrderRejected,
    OutcomeUnknown,
    PlanChanged,
    ThresholdNotMet,
)
from engine.instruments import Cash
from engine.money import Money
from engine.orders import Call, OrderId, VaultBatch
from engine.ports import SignedSafeTx
from tests.chain.vault_stage import SUSD, USDC, WETH, Stage, buy, debt, order, owner, stage, supply

pytestmark = [pytest.mark.chain]
NOBODY = account(7).address


@pytest.fixture(scope="module")
def built() -> Iterator[Stage]:
    with stage() as made:
        yield made


@pytest.fixture
def s(built: Stage) -> Iterator[Stage]:
    """The stage, put back afterwards."""
    snapshot = built.chain.snapshot()
    built.remembered.clear()
    yield built
    built.chain.revert(snapshot)


def supplied(s: Stage) -> int:
    return s.cheap.balances(s.holder.safe).get("aave-cheap supply WETH", 0)


def stranger(s: Stage) -> Builder:
    return Builder(s.chain, account(5))


def test_one_batch_swaps_buys_a_put_supplies_borrows_and_pays_out(s):
    put = order("lyra", s.put(), "10", Money.of("-2100", SUSD))
    plan = [
        (s.uniswap, buy(SUSD, "1000", Money.of("-1010", USDC))),
        (s.lyra, put),
        (s.cheap, supply("aave-cheap", WETH, "20")),
        (s.cheap, debt("aave-cheap", USDC, "-10000")),
        (s.ramp, order("ramp", Cash(USDC), "10000", Money.of("-10000", USDC))),
    ]
    before = {code: s.balance(code) for code in ("USDC", "sUSD", "WETH")}

    receipt = s.run(*plan)

    option_token = s.world.contract("lyra-option-token")
    assert receipt.final
    assert option_token.read(s.chain, "ownerOf", 1) == s.holder.safe
    held = s.cheap.balances(s.holder.safe, block=receipt.block)
    assert held == {"aave-cheap supply WETH": 20 * 10**18, "aave-cheap debt USDC": -10_000 * 10**6}
    assert s.dear.balances(s.holder.safe) == {}
    assert s.vault.state().nonce == 1
    fills = [fill for venue, asked in plan for fill in venue.read(asked, receipt)]
    assert len(fills) == len({fill.key for fill in fills}) == 5
    for code, units in before.items():
        moved = sum(c.held.units for f in fills for c in f.changes if c.instrument.id == code and c.venue == "vault")
        paid = sum(fee.units for f in fills for fee in f.fees.values() if fee.currency.code == code)
        assert s.balance(code) - units == moved - paid, code


@pytest.mark.fault("F51")
def test_no_approval_is_left_after_a_batch(s):
    spenders = [("sUSD", "lyra-market"), ("USDC", "uniswap-router"), ("WETH", "aave-cheap-pool")]

    s.run(
        (s.uniswap, buy(SUSD, "1000", Money.of("-1010", USDC))),
        (s.lyra, order("lyra", s.put(), "1", Money.of("-300", SUSD))),
        (s.cheap, supply("aave-cheap", WETH, "1")),
    )

    assert [s.allowance(code, s.world[name]) for code, name in spenders] == [0, 0, 0]


def test_the_offline_hash_is_the_contracts(s):
    tx = s.small()
    zeros = [0, 0, 0, "0x" + "0" * 40, "0x" + "0" * 40]

    found = s.safe.read(s.chain, "getTransactionHash", tx.to, tx.value, tx.data, tx.operation, *zeros, tx.nonce)

    assert hex0x(found) == tx.hash


def test_the_bytes_of_what_was_sent_are_known_before_it_leaves(s):
    receipt = s.vault.execute(s.sign(s.small()))

    assert [name for name, _ in s.remembered] == [receipt.transaction_hash]


class TestRefused:
    def test_one_signature(self, s):
        tx = s.small()

        with pytest.raises(ThresholdNotMet, match="1 of 2"):
            s.vault.execute(SignedSafeTx(tx, sign_transaction(tx, owner(1))))
        assert s.remembered == []

    @pytest.mark.fault("F60")
    def test_an_edited_batch(self, s):
        signed = s.sign(s.small())
        more = s.vault.propose(s.cheap.calls(supply("aave-cheap", WETH, "2")), deadline=s.deadline())

        with pytest.raises(PlanChanged):
            s.vault.derive(replace(signed.transaction, data=more.data))
        with pytest.raises(PlanChanged):
            s.vault.execute(SignedSafeTx(replace(signed.transaction, data=more.data), signed.signatures))
        with pytest.raises(OrderRejected, match="not an owner"):
            s.vault.execute(SignedSafeTx(more, signed.signatures))
        assert s.remembered == []

    @pytest.mark.fault("F61")
    def test_words_that_the_bytes_do_not_say(self, s):
        tx, calls = s.small(), s.cheap.calls(supply("aave-cheap", WETH, "1"))
        deadline = s.vault.derive(tx).deadline
        good = VaultBatch("b", (OrderId("o"),), deadline, calls, tx, s.vault.cancel(tx.nonce))
        lying = replace(calls[1], description="supply 0.5 WETH to aave-cheap")

        assert s.vault.confirm(good).calls == calls
        for bad in (
            replace(good, calls=(calls[0], lying, calls[2])),
            replace(good, deadline=deadline + timedelta(hours=1)),
            replace(good, cancel=s.vault.cancel(tx.nonce + 1)),
            replace(good, transaction=s.vault.cancel(tx.nonce)),
        ):
            with pytest.raises(PlanChanged, match="do not say what the plan shows"):
                s.vault.confirm(bad)

    @pytest.mark.fault("F29")
    def test_the_second_of_two_batches_on_one_nonce(self, s):
        first, second = s.sign(s.small()), s.sign(s.small(deadline=s.deadline(7200)))
        s.vault.execute(first)

        with pytest.raises(OrderRejected, match="nonce 0, the Safe is at 1"):
            s.vault.execute(second)

    @pytest.mark.fault("F53")
    def test_a_signature_of_an_owner_who_left(self, s):
        signed = s.sign(s.small(nonce=1))
        linked = s.vault.state().owners
        before = linked[linked.index(owner(1).address) - 1] if linked[0] != owner(1).address else "0x" + "0" * 39 + "1"
        s.as_stranger(s.sign(s.administer("swapOwner", before, owner(1).address, NOBODY)))

        with pytest.raises(OrderRejected, match="not an owner"):
            s.vault.execute(signed)
        assert s.remembered == []

    @pytest.mark.fault("F53")
    def test_a_threshold_that_rose_since_it_was_signed(self, s):
        signed = s.sign(s.small(nonce=1))
        s.as_stranger(s.sign(s.administer("changeThreshold", 3)))

        with pytest.raises(ThresholdNotMet, match="2 of 3"):
            s.vault.execute(signed)
        assert s.remembered == []

    @pytest.mark.fault("F28")
    def test_a_target_without_code(self, s):
        weth = s.world["WETH"]
        tx = s.sign(s.small())
        s.chain.request("anvil_setCode", weth, "0x")

        with pytest.raises(OrderRejected, match="no contract"):
            s.vault.execute(tx)
        s.chain.request("anvil_setCode", weth, "0xef0100" + s.world["DAI"][2:])  # EIP-7702: still an account
        with pytest.raises(OrderRejected, match="no contract"):
            fingerprint(s.chain, weth)
        s.chain.request("anvil_setCode", weth, "0x")
        with pytest.raises(OrderRejected, match="no contract"):
            s.small()

    @pytest.mark.fault("F63")
    def test_a_proxy_whose_implementation_changed(self, s):
        tx = s.sign(s.small())
        slot = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
        s.chain.request(
            "anvil_setStorageAt", s.world["aave-cheap-pool"], slot, "0x" + s.world["aave-dear-pool"][2:].rjust(64, "0")
        )

        with pytest.raises(OrderRejected, match="its code changed since set-up"):
            s.vault.execute(tx)

    def test_a_batch_that_would_revert_names_the_call_and_its_reason(self, s):
        calls = s.cheap.calls(debt("aave-cheap", USDC, "-10000"))

        with pytest.raises(OrderRejected, match=r"would revert: call 0xa415bcad .*: 34"):
            s.vault.propose(calls, deadline=s.deadline())

    @pytest.mark.fault("F47")
    def test_gas_over_its_budget(self, s):
        executor = Executor(s.chain, owner(4), remember=s.remember, policy=GasPolicy(max_fee_wei=10**9), local=True)
        vault = SafeVault(s.chain, s.settings, s.permits, executor)

        with pytest.raises(OrderRejected, match="gas is over its budget"):
            vault.execute(s.sign(s.small()))
        assert s.remembered == []

    def test_an_executor_without_ether(self, s):
        tx = s.sign(s.small())
        s.chain.request("anvil_setBalance", owner(4).address, hex(10**12))

        with pytest.raises(OrderRejected, match="fund the executor"):
            s.vault.execute(tx)
        assert s.remembered == []


@pytest.mark.fault("F62")
class TestNotOnTheList:
    def wrapped(self, s: Stage, call: Call):
        """A well-signed batch of one call that `propose` would not make."""
        return safe_tx(
            chain_id=s.chain.chain_id,
            safe=s.holder.safe,
            to=s.settings.multi_send,
            value=0,
            data=encode_batch([call], deadline=s.deadline(), router=s.settings.router),
            operation=1,
            nonce=0,
        )

    def refused(self, s: Stage, call: Call, match: str) -> None:
        with pytest.raises(OrderRejected, match=match):
            s.vault.execute(s.sign(self.wrapped(s, call)))
        with pytest.raises(OrderRejected, match=match):
            s.vault.propose([call], deadline=s.deadline())
        assert s.remembered == []

    def test_an_owner_change(self, s):
        data = s.safe.encode("addOwnerWithThreshold", NOBODY, 1)
        self.refused(s, Call(s.holder.safe, data, 0, "harmless"), "not on the list")

    def test_a_transfer_to_somebody(self, s):
        usdc = s.tokens["USDC"]
        self.refused(s, Call(usdc.address, usdc.contract.encode("transfer", NOBODY, 1), 0, ""), "only the off-ramp")

    def test_a_transfer_from(self, s):
        usdc = s.tokens["USDC"]
        data = usdc.contract.encode("transferFrom", s.holder.safe, NOBODY, 1)
        self.refused(s, Call(usdc.address, data, 0, ""), "not on the list")

    def test_an_approval_of_somebody(self, s):
        self.refused(s, s.tokens["USDC"].approve(NOBODY, 5, "lyra"), "may be taken by")

    def test_an_infinite_approval(self, s):
        self.refused(s, s.tokens["USDC"].approve(s.world["aave-cheap-pool"], 2**256 - 1, ""), "infinite|may be taken")

    @pytest.mark.fault("F51")
    def test_an_approval_left_standing(self, s):
        self.refused(s, s.tokens["WETH"].approve(s.world["aave-cheap-pool"], 5, ""), "not taken back")

    def test_native_value(self, s):
        call = s.cheap.calls(supply("aave-cheap", WETH, "1"))[2]
        self.refused(s, replace(call, value=1), "sends 1 wei")

    def test_a_supply_for_somebody_else(self, s):
        data = s.cheap.pool.contract.encode("supply", s.world["WETH"], 1, NOBODY, 0)
        self.refused(s, Call(s.world["aave-cheap-pool"], data, 0, ""), "only the vault")

    def test_a_stable_rate(self, s):
        data = s.cheap.pool.contract.encode("borrow", s.world["USDC"], 1, 1, 0, s.holder.safe)
        self.refused(s, Call(s.world["aave-cheap-pool"], data, 0, ""), "variable rate")

    def test_a_written_option(self, s):
        terms = (1, 0, 1, 4, 10**18, 10**18, 0, 10**20)
        data = s.lyra.market.contract.encode("openPosition", terms)
        self.refused(s, Call(s.world["lyra-market"], data, 0, ""), "only long options")

    def test_a_swap_without_a_bound(self, s):
        terms = (s.world["USDC"], s.world["sUSD"], 100, s.holder.safe, 10**6, 0, 0)
        data = s.uniswap.router.encode("exactInputSingle", terms)
        self.refused(s, Call(s.world["uniswap-router"], data, 0, ""), "any price")

    def test_a_swap_to_somebody_else(self, s):
        terms = (s.world["USDC"], s.world["sUSD"], 100, NOBODY, 10**6, 1, 0)
        data = s.uniswap.router.encode("exactInputSingle", terms)
        self.refused(s, Call(s.world["uniswap-router"], data, 0, ""), "only the vault")

    @pytest.mark.parametrize("change", [{"operation": 0}, {"value": 1}, {"to": NOBODY}])
    def test_another_way_to_the_batch(self, s, change):
        tx = self.wrapped(s, s.cheap.calls(supply("aave-cheap", WETH, "1"))[2])
        fields = {"to": tx.to, "value": 0, "operation": 1} | change
        bad = safe_tx(chain_id=tx.chain_id, safe=tx.safe, data=tx.data, nonce=0, **fields)

        with pytest.raises(OrderRejected, match="neither a batch"):
            s.vault.execute(s.sign(bad))


class TestDeadline:
    def expired(self, s: Stage, after: int):
        tx = s.small(deadline=s.deadline(100))
        s.chain.request("evm_setNextBlockTimestamp", int(s.vault.derive(tx).deadline.timestamp()) + after)
        return tx

    @pytest.mark.parametrize("after", [-1, 0])
    def test_up_to_the_deadline_a_stranger_can_send_it(self, s, after):
        signed = s.sign(self.expired(s, after))

        s.as_stranger(signed)

        assert s.vault.state().nonce == 1
        assert supplied(s) >= 10**18

    def test_one_second_later_it_reverts_and_the_nonce_is_kept(self, s):
        signed = s.sign(self.expired(s, 1))

        with pytest.raises(Reverted):
            s.as_stranger(signed)
        assert supplied(s) == 0
        assert s.vault.state().nonce == 0

    def test_our_own_executor_does_not_pay_for_it(self, s):
        signed = s.sign(self.expired(s, 1))
        s.chain.mine()

        with pytest.raises(OrderRejected, match="past its deadline"):
            s.vault.execute(signed)
        assert s.remembered == []

    def test_a_deadline_in_the_past_is_not_proposed(self, s):
        with pytest.raises(OrderRejected, match="past its deadline"):
            s.small(deadline=s.deadline(-10))


class TestOnce:
    @pytest.mark.fault("F20")
    def test_asking_twice_acts_once(self, s):
        signed = s.sign(s.small())

        first, second = s.vault.execute(signed), s.vault.execute(signed)

        assert second == first
        assert s.vault.state().nonce == 1
        assert len(s.remembered) == 1

    @pytest.mark.fault("F20")
    def test_a_stranger_who_sent_it_first_has_carried_out_our_plan(self, s):
        signed, asked = s.sign(s.small()), supply("aave-cheap", WETH, "1")
        s.as_stranger(signed)

        receipt = s.vault.execute(signed)

        assert receipt.sender == account(5).address
        assert s.remembered == []
        (fill,) = s.cheap.read(asked, receipt)
        assert fill.key.startswith(f"chain:{s.chain.chain_id}:{s.holder.safe}:{signed.transaction.hash}:")

    @pytest.mark.fault("F20")
    def test_a_stranger_who_is_faster_by_a_moment_has_too(self, s):
        signed = s.sign(s.small())

        class Overtaken(Executor):
            def send(self, to, data):
                stranger(s).send_data(to, data)
                return super().send(to, data)

        vault = SafeVault(s.chain, s.settings, s.permits, Overtaken(s.chain, owner(4), remember=s.remember, local=True))
        receipt = vault.execute(signed)

        assert receipt.sender == account(5).address
        assert vault._outcome(signed.transaction, replace(receipt, status=0)) == receipt

    def test_on_chain_the_second_sending_reverts(self, s):
        signed = s.sign(s.small())
        s.vault.execute(signed)

        with pytest.raises(Reverted, match="GS026"):
            s.as_stranger(signed)

    def test_cancel_burns_the_nonce_and_with_it_the_batch(self, s):
        signed, cancel = s.sign(s.small()), s.vault.cancel(0)

        receipt = s.vault.execute(s.sign(cancel))

        assert receipt.status == 1
        assert s.vault.state().nonce == 1
        assert supplied(s) == 0
        with pytest.raises(OrderRejected, match="nonce 0"):
            s.vault.execute(signed)

    @pytest.mark.fault("F27")
    def test_a_failure_that_mined_with_status_1_is_no_success(self, s):
        tx = s.vault.cancel(0)
        receipt = s.vault.execute(s.sign(tx))
        assert s.holder.execution(receipt) == tx.hash
        assert s.holder.execution(replace(receipt, status=0)) is None
        failed = s.safe.topic("ExecutionFailure")
        logs = tuple({**log, "topics": [failed, *log["topics"][1:]]} for log in receipt.logs)

        with pytest.raises(OrderRejected, match="logged ExecutionFailure"):
            s.vault._outcome(tx, replace(receipt, logs=logs))
        with pytest.raises(OutcomeUnknown, match="left no word"):
            s.vault._outcome(tx, replace(receipt, logs=()))


@pytest.mark.fault("F64")
class TestStart:
    def restart(self, s: Stage, **changes) -> SafeVault:
        return SafeVault(s.chain, replace(s.settings, **changes), [])

    @pytest.mark.parametrize("part", ["singleton", "guard", "fallback_handler"])
    def test_another_part_than_configured(self, s, part):
        with pytest.raises(ConfigError, match=part.replace("_", " ")):
            self.restart(s, **{part: NOBODY})

    def test_another_chain(self, s):
        with pytest.raises(ChainMismatch):
            self.restart(s, chain_id=1)

    def test_an_account_that_is_no_contract(self, s):
        with pytest.raises(ConfigError, match="no contract"):
            self.restart(s, safe=NOBODY)

    def test_a_router_without_a_pin(self, s):
        with pytest.raises(ConfigError, match="not pinned"):
            self.restart(s, pins={})

    def test_a_module_that_appeared_is_refused_before_sending(self, s):
        tx = s.vault.cancel(1)
        s.as_stranger(s.sign(s.administer("enableModule", NOBODY)))
        signed = s.sign(tx)

        with pytest.raises(ConfigError, match=f"module {NOBODY} is enabled"):
            s.vault.execute(signed)
        with pytest.raises(ConfigError, match=f"module 0 {NOBODY}: its code was never pinned"):
            self.restart(s, modules=frozenset({NOBODY}))

    def test_a_named_module_whose_code_is_the_pinned_one(self, s):
        module = s.world["lyra-pricer"]  # any contract
        s.as_stranger(s.sign(s.administer("enableModule", module)))
        pinned = {**s.settings.pins, module: fingerprint(s.chain, module)}

        assert self.restart(s, modules=frozenset({module}), pins=pinned).state().modules == (module,)
        s.chain.request("anvil_setCode", module, "0x00")
        with pytest.raises(ConfigError, match="its code changed since set-up"):
            self.restart(s, modules=frozenset({module}), pins=pinned)

    def test_settings_show_no_pins(self, s):
        assert "pins" not in repr(s.settings)
        assert isinstance(s.settings, SafeSettings)


def test_only_the_nonce_of_the_safes_own_storage_changes(s):
    harmless, sender = s.vault.calldata(s.sign(s.small())), owner(4).address
    grab = s.administer("changeThreshold", 1)

    assert written_slots(s.chain, s.holder.safe, harmless, sender=sender) == {5}
    data = s.vault.calldata(s.sign(grab))
    assert written_slots(s.chain, s.holder.safe, data, sender=sender) == {4, 5}
    with pytest.raises(OrderRejected, match=r"writes the Safe's own storage at .*0x4"):
        try_execution(s.chain, s.safe, data, sender=sender, transaction=grab)
