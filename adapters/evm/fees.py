"""What a transaction may cost: fees of the first try, fees that replace a stuck one, and where it stops."""

from dataclasses import dataclass

from engine.errors import OrderRejected

GWEI = 10**9
_UP = 9, 8
"""At least 12.5 % more on both fees: Parity's rule for a replacement, stricter than geth's 10 % (faults F22)."""


@dataclass(frozen=True, slots=True)
class GasPolicy:
    """
    What may be paid, and how long is waited.

    Parameters
    ----------
    max_fee_wei, tip_wei : per gas at most, and per gas to the proposer
    budget_wei : for one transaction with all its replacements (gas limit times fee); None = no bound but the fee's
    floor_wei : stays on the account
    wait_seconds : for a block and for finality together
    patience_seconds : for a block before a replacement is tried
    gas_limit : in place of the node's estimate where it has none to trust (a chain in this process)
    """

    max_fee_wei: int = 500 * GWEI
    tip_wei: int = GWEI
    floor_wei: int = 0
    wait_seconds: float = 900.0
    gas_limit: int | None = None
    budget_wei: int | None = None
    patience_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Fees:
    """Wei per gas: the most that is paid, and the part of it for the proposer (EIP-1559)."""

    max_fee_wei: int
    tip_wei: int


class GasBudgetExceeded(OrderRejected):
    """Gas costs more than the policy allows; `asked_wei` and `allowed_wei` in the unit that `why` names."""

    def __init__(self, why: str, *, asked_wei: int, allowed_wei: int) -> None:
        self.asked_wei, self.allowed_wei = asked_wei, allowed_wei
        super().__init__(
            "gas is over its budget", why=why, todo="wait for cheaper gas or raise the gas limits; nothing was sent"
        )


def first_fee(base_fee_wei: int, policy: GasPolicy) -> int:
    """
    Twice the base fee and the tip, within the bound: several full blocks of rising base fee are outlived.

    Raises `GasBudgetExceeded` where base fee and tip alone are over the bound (faults F47).

    >>> first_fee(10 * GWEI, GasPolicy()) // GWEI
    21
    """
    _bounded(base_fee_wei + policy.tip_wei, policy)
    return min(2 * base_fee_wei + policy.tip_wei, policy.max_fee_wei)


def afforded(fee_wei: int, gas: int, policy: GasPolicy, *, least_wei: int) -> int:
    """
    The fee, lowered to what the budget pays for.

    Raises `GasBudgetExceeded` where even `least_wei` per gas, without which no block takes it, is too much.
    """
    if policy.budget_wei is None:
        return fee_wei
    if least_wei * gas > policy.budget_wei:
        raise GasBudgetExceeded(
            f"{least_wei * gas / 1e18:.6f} ether asked for {gas:,} gas, {policy.budget_wei / 1e18:.6f} ether allowed",
            asked_wei=least_wei * gas,
            allowed_wei=policy.budget_wei,
        )
    return min(fee_wei, policy.budget_wei // gas)


def replacing_fees(stuck: Fees, base_fee_wei: int, gas: int, policy: GasPolicy) -> Fees:
    """
    Fees that every node takes in place of `stuck`: both at least 12.5 % higher, and enough for the next block.

    Raises `GasBudgetExceeded` where that is over a bound: the stuck one is then waited for, not replaced.

    >>> replacing_fees(Fees(80, 8), 1, 21_000, GasPolicy(tip_wei=1))
    Fees(max_fee_wei=90, tip_wei=9)
    """
    tip = max(_more(stuck.tip_wei), policy.tip_wei)
    fee = max(_more(stuck.max_fee_wei), base_fee_wei + tip)
    _bounded(fee, policy)
    return Fees(afforded(fee, gas, policy, least_wei=fee), tip)


def _more(wei: int) -> int:
    """An eighth more, rounded up, and at least one."""
    return max(-(-wei * _UP[0] // _UP[1]), wei + 1)


def _bounded(fee_wei: int, policy: GasPolicy) -> None:
    if fee_wei > policy.max_fee_wei:
        raise GasBudgetExceeded(
            f"{fee_wei / GWEI:.3g} gwei asked, {policy.max_fee_wei / GWEI:.3g} gwei allowed",
            asked_wei=fee_wei,
            allowed_wei=policy.max_fee_wei,
        )
