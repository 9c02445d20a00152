"""Safes of both versions and several sizes, owners that are contracts, and everything a start refuses in one."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from eth_utils.crypto import keccak

from adapters.evm.abi import selector
from adapters.evm.chain import Reverted
from adapters.evm.deploy_builder import Builder, account, interface
from adapters.evm.deploy_safe import deploy_safe
from adapters.evm.packages import package
from adapters.evm.wire import ZERO_ADDRESS, hex0x
from adapters.safe.contract_owners import SafeOwner
from adapters.safe.editions import EDITIONS, HANDLERS, MULTI_SENDS, PROXIES
from adapters.safe.eip712 import preimage, safe_message_hash
from adapters.safe.signatures import pack, sign_plan, sign_transaction, verify
from adapters.safe.state import fingerprint, read_state
from adapters.safe.vault import SafeVault
from contracts_abi import load
from engine.errors import ApprovalError, ConfigError, OrderRejected, ThresholdNotMet
from engine.orders import OrderId, Plan, StateMark, VaultBatch
from engine.ports import SignedSafeTx
from tests.chain.vault_stage import AT, WETH, Stage, build, owner, stage, supply

pytestmark = [pytest.mark.chain]
FIVE = (1, 2, 3, 6, 8)
ONLY_NEWER = "0x" + "5f3560e01c631626ba7e146011575f5ffd5b631626ba7e60e01b5f5260205ff3"


@pytest.fixture(scope="module")
def built() -> Iterator[Stage]:
    with stage() as made:
        yield made


@pytest.fixture
def s(built: Stage) -> Iterator[Stage]:
    snapshot = built.chain.snapshot()
    yield built
    built.chain.revert(snapshot)


def furnished(s: Stage, version: str, indices: tuple[int, ...], threshold: int) -> Stage:
    owners = [account(i).address for i in indices]
    return build(s.chain, s.world, owners=owners, threshold=threshold, version=version, salt=1)


def test_the_code_we_know_is_the_published_code(fetched_packages):
    def code(key: str, path: str) -> str:
        made = json.loads(package(key).read(f"build/artifacts/contracts/{path}.json"))
        return hex0x(keccak(hexstr=made["deployedBytecode"]))

    newer, older = "safe-contracts", "safe-contracts-1.3.0"
    batch, handler = "libraries/MultiSendCallOnly.sol/MultiSendCallOnly", "handler/CompatibilityFallbackHandler.sol/"
    handler += "CompatibilityFallbackHandler"
    assert EDITIONS["1.4.1"].singletons == {code(newer, "Safe.sol/Safe"), code(newer, "SafeL2.sol/SafeL2")}
    assert EDITIONS["1.3.0"].singletons == {
        code(older, "GnosisSafe.sol/GnosisSafe"),
        code(older, "GnosisSafeL2.sol/GnosisSafeL2"),
    }
    assert {code(newer, batch), code(older, batch)} == MULTI_SENDS
    assert {code(newer, handler), code(older, handler)} == HANDLERS
    assert {
        code(newer, "proxies/SafeProxy.sol/SafeProxy"),
        code(older, "proxies/GnosisSafeProxy.sol/GnosisSafeProxy"),
    } == PROXIES


@pytest.mark.fault("F65")
@pytest.mark.parametrize("version", ["1.3.0", "1.4.1"])
def test_the_functions_we_call_have_their_published_selectors(version):
    # 4byte.directory / Etherscan: what a Safe transaction on any chain begins with
    known = {"execTransaction": "6a761202", "approveHash": "d4d9bdcd", "getTransactionHash": "d8d11f78"}
    found = {entry["name"]: selector(entry).hex() for entry in load(f"safe-{version}") if entry["type"] == "function"}

    assert known.items() <= found.items()
    assert selector(load("safe-multi-send-call-only-1.4.1")[0]).hex() == "8d80ff0a"


@pytest.mark.parametrize("version", ["1.3.0", "1.4.1"])
@pytest.mark.parametrize(("indices", "threshold"), [((1, 2, 3), 2), (FIVE, 3)], ids=["2-of-3", "3-of-5"])
class TestEverySafe:
    def test_reads_hashes_signs_and_executes(self, s, version, indices, threshold):
        made = furnished(s, version, indices, threshold)
        state = made.vault.state()
        tx = made.small()
        zeros = [0, 0, 0, ZERO_ADDRESS, ZERO_ADDRESS]

        on_chain = made.safe.read(s.chain, "getTransactionHash", tx.to, 0, tx.data, 1, *zeros, 0)
        receipt = made.vault.execute(made.sign(tx, indices))

        assert (state.version, state.threshold, len(state.owners), state.nonce) == (version, threshold, len(indices), 0)
        assert (state.modules, state.guard) == ((), ZERO_ADDRESS)
        assert hex0x(on_chain) == tx.hash
        assert receipt.final
        assert made.vault.state().nonce == 1
        assert made.vault.executed(tx) == receipt
        (fill,) = made.cheap.read(supply("aave-cheap", WETH, "1"), receipt)
        assert fill.key.startswith(f"chain:{s.chain.chain_id}:{made.holder.safe}:{tx.hash}:")
        assert made.cheap.balances(made.holder.safe, block=receipt.block) == {"aave-cheap supply WETH": 10**18}

    @pytest.mark.fault("F68")
    def test_one_signature_too_few_is_refused_here_and_there(self, s, version, indices, threshold):
        made = furnished(s, version, indices, threshold)
        tx = made.small()
        keys = sorted((owner(i) for i in indices), key=lambda key: int(key.address, 16))[: threshold - 1]
        signed = SignedSafeTx(tx, b"".join(sign_transaction(tx, key) for key in keys))

        with pytest.raises(ThresholdNotMet, match=f"{threshold - 1} of {threshold}"):
            made.vault.execute(signed)
        with pytest.raises(Reverted, match="GS020"):
            made.as_stranger(signed)

    def test_a_cancel_burns_the_nonce(self, s, version, indices, threshold):
        made = furnished(s, version, indices, threshold)
        batch = made.sign(made.small(), indices)

        receipt = made.vault.execute(made.sign(made.vault.cancel(0), indices))

        assert made.vault.executed(made.vault.cancel(0)) == receipt
        assert made.vault.state().nonce == 1
        with pytest.raises(OrderRejected, match="nonce 0, the Safe is at 1"):
            made.vault.execute(batch)

    @pytest.mark.fault("F20")
    @pytest.mark.parametrize(("after", "happens"), [(-1, True), (0, True), (1, False)])
    def test_at_the_deadline_a_stranger_can_send_it_and_a_second_later_nobody(
        self, s, version, indices, threshold, after, happens
    ):
        made = furnished(s, version, indices, threshold)
        signed = made.sign(made.small(deadline=made.deadline(100)), indices)
        until = made.vault.derive(signed.transaction).deadline
        s.chain.request("evm_setNextBlockTimestamp", int(until.timestamp()) + after)

        if happens:
            made.as_stranger(signed)
        else:
            with pytest.raises(Reverted, match="GS013"):
                made.as_stranger(signed)

        assert s.chain.block().timestamp == int(until.timestamp()) + after
        assert made.vault.state().nonce == int(happens)

    @pytest.mark.fault("F20")
    @pytest.mark.fault("F98")
    def test_a_stranger_who_sends_it_carries_out_ours_once(self, s, version, indices, threshold):
        made = furnished(s, version, indices, threshold)
        signed = made.sign(made.small(), indices)
        made.as_stranger(signed)

        receipt = made.vault.execute(signed)

        assert receipt.sender == account(5).address
        assert made.remembered == []
        assert made.vault.state().nonce == 1

    @pytest.mark.fault("F27")
    def test_a_failure_that_mined_is_told_from_success(self, s, version, indices, threshold):
        made = furnished(s, version, indices, threshold)
        tx = made.vault.cancel(0)
        receipt = made.vault.execute(made.sign(tx, indices))
        failed = tuple(
            {**log, "topics": [made.safe.topic("ExecutionFailure"), *log["topics"][1:]]} for log in receipt.logs
        )

        with pytest.raises(OrderRejected, match="logged ExecutionFailure"):
            made.vault._outcome(tx, replace(receipt, logs=failed))


class TestContractOwners:
    """A Safe that owns a Safe: the published contract on both sides."""

    def nested(self, s: Stage, version: str) -> tuple[Stage, SafeOwner]:
        inner = deploy_safe(s.chain, s.world.addresses, [account(i).address for i in (6, 8)], 2, salt=7)
        made = build(
            s.chain,
            s.world,
            owners=[account(1).address, account(2).address, inner.address],
            threshold=2,
            version=version,
        )
        return made, SafeOwner(inner.address, s.chain.chain_id, (owner(6), owner(8)))

    @pytest.mark.parametrize("version", ["1.3.0", "1.4.1"])
    def test_a_contract_and_a_key_move_the_safe(self, s, version):
        made, inner = self.nested(s, version)
        tx = made.small()
        given = {
            inner.address: sign_transaction(tx, inner),
            owner(2).address: sign_transaction(tx, owner(2)),
        }

        receipt = made.vault.execute(pack(tx, given, made.vault.terms()))

        assert receipt.final
        assert made.vault.state().nonce == 1

    def test_the_offline_message_hash_is_the_handlers(self, s):
        made, inner = self.nested(s, "1.4.1")
        handler = interface("safe-fallback-handler-1.4.1", s.world["safe-fallback-handler"])
        message = preimage(made.small())

        on_chain = handler.read(s.chain, "getMessageHashForSafe", inner.address, message)

        assert safe_message_hash(message, chain_id=s.chain.chain_id, safe=inner.address) == on_chain

    def test_a_contract_owner_approves_a_whole_plan(self, s):
        made, inner = self.nested(s, "1.4.1")
        tx = made.small()
        batch = VaultBatch("b", (OrderId("o"),), AT, (), tx, made.vault.cancel(tx.nonce))
        plan = Plan(AT, AT, "s", "p", StateMark(0, "", tx.chain_id, 1, "", 0), (), (batch,), (), "cd" * 32)
        approval = sign_plan(plan, inner, safe=tx.safe)
        contracts = made.vault.contract_owners()

        assert verify(plan, approval, safe=tx.safe, contracts=contracts) == approval
        with pytest.raises(ApprovalError, match="not made by that owner"):
            verify(replace(plan, deadline=AT.replace(hour=23)), approval, safe=tx.safe, contracts=contracts)

    @pytest.mark.fault("F68")
    def test_a_contract_that_does_not_vouch_is_refused_before_gas(self, s):
        made, inner = self.nested(s, "1.4.1")
        tx, other = made.small(), made.small("2")
        wrong = replace(inner, signers=(owner(6),))
        good = pack(
            tx,
            {inner.address: sign_transaction(tx, inner), owner(2).address: sign_transaction(tx, owner(2))},
            made.vault.terms(),
        )

        for signer, signed in ((wrong, tx), (inner, other)):
            given = {inner.address: sign_transaction(signed, signer), owner(2).address: sign_transaction(tx, owner(2))}
            with pytest.raises(ThresholdNotMet, match="1 of 2"):
                pack(tx, given, made.vault.terms())
        at = good.signatures.index(sign_transaction(tx, inner))
        bent = good.signatures[:at] + bytes([good.signatures[at] ^ 1]) + good.signatures[at + 1 :]
        with pytest.raises(OrderRejected, match="does not vouch"):
            made.vault.execute(SignedSafeTx(tx, bent))
        assert made.remembered == []

    def test_a_contract_of_the_newer_kind_is_refused_with_that_reason(self, s):
        made, inner = self.nested(s, "1.4.1")
        tx = made.small()
        s.chain.request("anvil_setCode", inner.address, ONLY_NEWER)

        with pytest.raises(ApprovalError, match=r"isValidSignature\(bytes32,bytes\) only"):
            pack(tx, {inner.address: b"any"}, made.vault.terms())

    def test_a_delegating_account_still_signs_with_its_key(self, s):
        key, contracts = owner(1), s.vault.contract_owners()
        s.chain.request("anvil_setCode", key.address, "0xef0100" + s.world["DAI"][2:])
        tx = s.small()

        assert key.address not in contracts
        assert s.vault.execute(s.sign(tx)).final


@pytest.mark.fault("F64")
class TestStrangersInIt:
    def restart(self, made: Stage, **changes) -> SafeVault:
        return SafeVault(made.chain, replace(made.settings, **changes), [])

    def test_modules_of_an_older_safe_are_read_past_the_first_page(self, s):
        made = furnished(s, "1.3.0", (1, 2, 3), 2)
        modules = [account(9).address[:-2] + f"{n:02d}" for n in range(10, 32)]
        for nonce, module in enumerate(modules):
            made.as_stranger(made.sign(made.administer("enableModule", module.lower(), nonce=nonce)))

        found = read_state(s.chain, made.holder.safe).modules

        assert sorted(each.lower() for each in found) == sorted(each.lower() for each in modules)

    @pytest.mark.parametrize("version", ["1.3.0", "1.4.1"])
    @pytest.mark.parametrize(("function", "named"), [("setGuard", "guard"), ("setFallbackHandler", "fallback handler")])
    def test_a_part_that_was_changed(self, s, version, function, named):
        made = furnished(s, version, (1, 2, 3), 2)
        other = made.world["lyra-pricer"]
        word = "0x" + other[2:].rjust(64, "0")
        slot = keccak(text={"guard": "guard_manager.guard.address"}.get(named, "fallback_manager.handler.address"))
        s.chain.request("anvil_setStorageAt", made.holder.safe, hex0x(slot), word)

        with pytest.raises(ConfigError, match=f"{named} is {other}"):
            self.restart(made)
        field = {"guard": "guard"}.get(named, "fallback_handler")
        with pytest.raises(ConfigError, match=f"{named} {other}: its code was never pinned"):
            self.restart(made, **{field: other})
        pinned = {**made.settings.pins, other: fingerprint(s.chain, other)}
        assert self.restart(made, **{field: other}, pins=pinned)

    @pytest.mark.parametrize(
        ("part", "named"),
        [("safe", "proxy"), ("singleton", "singleton"), ("multi_send", "MultiSendCallOnly")],
    )
    def test_code_that_safe_did_not_publish(self, s, part, named):
        place = getattr(s.settings, part)
        code = s.chain.code(place)
        s.chain.request("anvil_setCode", place, "0x" + (code[:-1] + bytes([code[-1] ^ 1])).hex())

        with pytest.raises(ConfigError, match=f"code of {named}.* is not the published one"):
            self.restart(s, pins={at: fingerprint(s.chain, at) for at in s.settings.pins})

    def test_another_singleton_in_slot_0(self, s):
        older = furnished(s, "1.3.0", (1, 2, 3), 2)
        word = "0x" + older.settings.singleton[2:].rjust(64, "0")
        s.chain.request("anvil_setStorageAt", s.holder.safe, "0x0", word)

        with pytest.raises(ConfigError, match=f"singleton is {older.settings.singleton}, not {s.settings.singleton}"):
            self.restart(s)

    def test_a_version_we_do_not_speak(self, s):
        singleton = s.settings.singleton
        code = s.chain.code(singleton).hex()
        assert code.count(b"1.4.1".hex()) == 1
        s.chain.request("anvil_setCode", singleton, "0x" + code.replace(b"1.4.1".hex(), b"1.5.0".hex()))

        with pytest.raises(ConfigError, match=r"version 1\.5\.0 is none of"):
            self.restart(s)

    @pytest.mark.fault("F63")
    @pytest.mark.parametrize("part", ["safe", "singleton", "multi_send", "router", "fallback_handler"])
    def test_an_address_spelled_wrongly_or_left_out(self, s, part):
        spelled = getattr(s.settings, part)

        with pytest.raises(ConfigError, match="not spelled with its checksum"):
            replace(s.settings, **{part: spelled.lower()})
        if part != "fallback_handler":
            with pytest.raises(ConfigError, match="must be named"):
                replace(s.settings, **{part: ZERO_ADDRESS})

    def test_more_modules_than_anybody_reads(self, s, monkeypatch):
        monkeypatch.setattr("adapters.safe.state._PAGE", 1)
        monkeypatch.setattr("adapters.safe.state._MOST_MODULES", 2)
        for nonce in range(3):
            module = Builder(s.chain).address[:-1] + str(nonce)
            s.as_stranger(s.sign(s.administer("enableModule", module.lower(), nonce=nonce)))

        with pytest.raises(ConfigError, match="more than 2 modules"):
            self.restart(s)
