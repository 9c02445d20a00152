"""Fees of transactions: never over the bound, never too small a step for a replacement."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.evm.fees import GWEI, Fees, GasBudgetExceeded, GasPolicy, afforded, first_fee, replacing_fees
from adapters.evm.finality import attempt, missing_nonces
from engine.errors import InputError

wei = st.integers(0, 400 * GWEI)


@pytest.mark.fault("F22")
@given(fee=wei, tip=wei, base=wei)
def test_a_replacement_is_an_eighth_dearer_on_both_fees_and_pays_the_next_block(fee, tip, base):
    stuck = Fees(max(fee, tip), tip)

    found = replacing_fees(stuck, base, 21_000, GasPolicy(max_fee_wei=10**13))

    assert found.max_fee_wei * 1000 >= stuck.max_fee_wei * 1125
    assert found.tip_wei * 1000 >= stuck.tip_wei * 1125
    assert found.max_fee_wei > stuck.max_fee_wei
    assert found.max_fee_wei >= base + found.tip_wei


@pytest.mark.fault("F47")
@given(base=wei, gas=st.integers(21_000, 30_000_000), budget=st.integers(1, 10**19))
def test_what_is_offered_is_within_the_budget_or_refused(base, gas, budget):
    policy = GasPolicy(budget_wei=budget)
    fee, least = first_fee(base, policy), base + policy.tip_wei

    if least * gas > budget:
        with pytest.raises(GasBudgetExceeded) as refused:
            afforded(fee, gas, policy, least_wei=least)
        assert refused.value.asked_wei == least * gas
    else:
        offered = afforded(fee, gas, policy, least_wei=least)
        assert least <= offered <= policy.max_fee_wei
        assert offered * gas <= budget


def test_a_fee_over_its_bound_is_refused_with_both_figures():
    with pytest.raises(GasBudgetExceeded, match="501 gwei asked, 500 gwei allowed"):
        first_fee(500 * GWEI, GasPolicy())
    with pytest.raises(GasBudgetExceeded):
        replacing_fees(Fees(450 * GWEI, GWEI), 1, 21_000, GasPolicy())


@pytest.mark.parametrize("raw", [b"", b"\x02", b"\x02\xc0", b"\x01\xc0", bytes(200), b"\x02\xff\xff"])
def test_bytes_that_are_no_transaction_are_refused(raw):
    with pytest.raises(InputError, match="not readable"):
        attempt(raw)


@pytest.mark.fault("F21")
@given(used=st.integers(0, 50), sent=st.lists(st.integers(0, 60)))
def test_missing_nonces_and_those_waiting_leave_no_gap(used, sent):
    missing = missing_nonces(used, sent)

    waiting = {nonce for nonce in sent if nonce >= used}
    assert set(missing) | waiting == set(range(used, max(waiting, default=used - 1) + 1))
    assert not set(missing) & waiting
