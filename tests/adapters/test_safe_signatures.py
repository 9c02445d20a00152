from dataclasses import replace
from datetime import UTC, datetime

import pytest

from adapters.evm.wire import address, as_bytes, hex0x
from adapters.safe.eip712 import safe_tx
from adapters.safe.keystore import from_secret
from adapters.safe.packed import Part, join
from adapters.safe.recovery import recover
from adapters.safe.signatures import Terms, check, pack, sign_plan, sign_transaction, signed, verify
from engine.errors import ApprovalError, OrderRejected, PlanChanged, ThresholdNotMet
from engine.orders import ApprovedPlan, OrderId, Plan, StateMark, VaultBatch
from engine.ports import SignedSafeTx

SAFE, TARGET = address("0x" + "5a" * 20), address("0x" + "7b" * 20)
KEYS = sorted((from_secret(bytes([n]) * 32) for n in (1, 2, 3)), key=lambda key: int(key.address, 16))
STRANGER = from_secret(bytes([9]) * 32)
TERMS = Terms(10, SAFE, frozenset(key.address for key in KEYS), 2, 7)
AT = datetime(2025, 3, 3, 15, tzinfo=UTC)


def transaction(**changes):
    fields = {"chain_id": 10, "safe": SAFE, "to": TARGET, "value": 0, "data": b"\1", "operation": 1, "nonce": 7}
    return safe_tx(**(fields | changes))


def by(*keys, tx=None) -> SignedSafeTx:
    tx = tx or transaction()
    return SignedSafeTx(tx, b"".join(sign_transaction(tx, key) for key in keys))


def test_two_owners_in_order_pass():
    check(by(*KEYS[:2]), TERMS)


def test_packing_sorts_by_owner_and_takes_as_many_as_the_threshold():
    tx = transaction()
    given = {key.address: sign_transaction(tx, key) for key in (*reversed(KEYS), STRANGER)}

    packed = pack(tx, given, TERMS)

    assert packed == by(*KEYS[:2])
    check(packed, TERMS)


@pytest.mark.fault("F68")
class TestRefusedBeforeGas:
    @pytest.mark.parametrize(
        ("signed_tx", "error", "match"),
        [
            (by(KEYS[1], KEYS[0]), OrderRejected, "not sorted"),
            (by(KEYS[0], KEYS[0]), OrderRejected, "not sorted"),
            (by(*sorted((KEYS[0], STRANGER), key=lambda k: int(k.address, 16))), OrderRejected, "not an owner"),
            (by(KEYS[0]), ThresholdNotMet, "1 of 2"),
            (SignedSafeTx(transaction(), b""), ThresholdNotMet, "0 of 2"),
            (by(*KEYS[:2], tx=transaction(chain_id=1)), OrderRejected, "on chain 1"),
            (by(*KEYS[:2], tx=transaction(safe=TARGET)), OrderRejected, "for Safe"),
            (by(*KEYS[:2], tx=transaction(nonce=6)), OrderRejected, "nonce 6"),
            (by(*KEYS[:2], tx=transaction(nonce=8)), OrderRejected, "nonce 8"),
        ],
        ids=["unsorted", "twice", "stranger", "one", "none", "chain", "safe", "replay", "future"],
    )
    def test_what_the_safe_would_refuse(self, signed_tx, error, match):
        with pytest.raises(error, match=match):
            check(signed_tx, TERMS)

    def test_a_changed_field_under_the_old_hash(self):
        good = by(*KEYS[:2])

        with pytest.raises(PlanChanged, match="its fields hash to"):
            check(SignedSafeTx(replace(good.transaction, operation=0), good.signatures), TERMS)

    def test_a_changed_field_under_its_own_hash(self):
        good = by(*KEYS[:2])

        with pytest.raises(OrderRejected, match="not an owner"):
            check(SignedSafeTx(transaction(operation=0), good.signatures), TERMS)

    @pytest.mark.parametrize("last", [1, 29, 31, 32])
    def test_other_kinds_of_signature(self, last):
        raw = by(*KEYS[:2]).signatures

        with pytest.raises(OrderRejected, match=f"v={last}"):
            check(SignedSafeTx(transaction(), raw[:-1] + bytes([last])), TERMS)

    def test_a_key_that_claims_to_be_a_contract(self):
        raw = join([Part(by(KEYS[0]).signatures), Part(by(KEYS[1]).signatures, KEYS[1].address)])

        with pytest.raises(OrderRejected, match="does not vouch"):
            check(SignedSafeTx(transaction(), raw), TERMS)
        with pytest.raises(OrderRejected, match="does not vouch"):
            check(SignedSafeTx(transaction(), raw), replace(TERMS, contracts=frozenset()))

    def test_a_part_of_a_signature(self):
        with pytest.raises(OrderRejected, match="whole signatures"):
            check(SignedSafeTx(transaction(), by(*KEYS[:2]).signatures[:-1]), TERMS)

    def test_numbers_that_no_key_made(self):
        with pytest.raises(OrderRejected, match="no key made it"):
            recover(bytes(32), bytes(64) + b"\x1b")


def plan() -> Plan:
    tx = transaction()
    cancel = transaction(to=SAFE, data=b"", operation=0)
    batch = VaultBatch("b", (OrderId("o"),), AT, (), tx, cancel)
    return Plan(AT, AT, "s", "p", StateMark(0, "", 10, 1, "", 7), (), (batch,), (), "cd" * 32)


def test_an_owner_approves_plan_batch_and_cancel_in_one_sitting():
    approvals = [verify(plan(), sign_plan(plan(), key, safe=SAFE), safe=SAFE) for key in KEYS[:2]]

    packed = signed(plan().batches[0].transaction, ApprovedPlan(plan(), tuple(approvals)), TERMS)
    cancel = signed(plan().batches[0].cancel, ApprovedPlan(plan(), tuple(approvals)), TERMS)

    check(packed, TERMS)
    check(cancel, TERMS)


def test_an_approval_of_another_plan_is_refused():
    approval = sign_plan(plan(), KEYS[0], safe=SAFE)

    with pytest.raises(PlanChanged, match="approval"):
        verify(replace(plan(), digest="ef" * 32), approval, safe=SAFE)


def test_a_plan_whose_deadline_moved_is_refused():
    approval = sign_plan(plan(), KEYS[0], safe=SAFE)

    with pytest.raises(ApprovalError, match="not made by that owner"):
        verify(replace(plan(), deadline=AT.replace(hour=23)), approval, safe=SAFE)


@pytest.mark.fault("F66")
@pytest.mark.parametrize("where", ["plan", "transaction", "cancel"])
def test_a_signature_over_another_hash_is_refused(where):
    good = sign_plan(plan(), KEYS[0], safe=SAFE)
    foreign = hex0x(KEYS[0].sign(bytes(32)))
    batch = plan().batches[0]
    swapped = {"transaction": batch.transaction.hash, "cancel": batch.cancel.hash}
    bad = (
        replace(good, plan_signature=foreign)
        if where == "plan"
        else replace(good, transaction_signatures={**good.transaction_signatures, swapped[where]: foreign})
    )

    with pytest.raises(ApprovalError, match="not made by that owner"):
        verify(plan(), bad, safe=SAFE)


def test_an_approval_that_leaves_the_cancel_out_is_refused():
    good = sign_plan(plan(), KEYS[0], safe=SAFE)
    cut = dict(good.transaction_signatures)
    del cut[plan().batches[0].cancel.hash]

    with pytest.raises(PlanChanged):
        verify(plan(), replace(good, transaction_signatures=cut), safe=SAFE)


def test_a_signature_recovers_to_its_key():
    digest = as_bytes(transaction().hash)

    assert recover(digest, KEYS[0].sign(digest)) == KEYS[0].address


def test_what_is_no_signature_does_not_stop_the_others():
    tx = transaction()
    given = {key.address: sign_transaction(tx, key) for key in KEYS[:2]} | {KEYS[2].address: b"garbage"}

    assert pack(tx, given, TERMS) == by(*KEYS[:2])


@pytest.mark.parametrize(("threshold", "owners"), [(2, 3), (3, 5)])
def test_the_threshold_is_a_quorum_of_the_owners(threshold, owners):
    keys = [from_secret(bytes([n]) * 32) for n in range(1, owners + 1)]
    terms = replace(TERMS, owners=frozenset(key.address for key in keys), threshold=threshold)
    tx = transaction()
    given = {key.address: sign_transaction(tx, key) for key in keys}

    assert str(terms.quorum) == f"{threshold}-of-{owners}"
    for count in range(owners + 1):
        some = dict(list(given.items())[:count])
        if count < threshold:
            with pytest.raises(ThresholdNotMet, match=f"{count} of {threshold}"):
                pack(tx, some, terms)
        else:
            assert len(pack(tx, some, terms).signatures) == 65 * threshold


def test_too_few_owners_are_told_how_many_signed():
    tx = transaction()
    given = {KEYS[0].address: sign_transaction(tx, KEYS[0]), STRANGER.address: sign_transaction(tx, STRANGER)}

    with pytest.raises(ThresholdNotMet, match="1 of 2"):
        pack(tx, given, TERMS)
