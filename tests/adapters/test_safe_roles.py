"""The call policy: what a role opens, what it refuses, how allowances come back, and its document."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.evm.contract import Contract
from adapters.evm.wire import ZERO_ADDRESS, Permit, address
from adapters.safe.allow import UNLIMITED, AllowList
from adapters.safe.role_checks import hold, left
from adapters.safe.role_document import document, parse
from adapters.safe.role_scope import allowance_key, one_of, role_of
from adapters.safe.roles import (
    Allowance,
    Clearance,
    Condition,
    ExecutionOptions,
    Function,
    Operator,
    ParameterType,
    Role,
    Target,
)
from contracts_abi import load
from engine.errors import ConfigError, LimitOutOfRange, OrderRejected
from engine.orders import Call

SAFE, TOKEN, POOL, ROUTER, PAYEE, NOBODY = (address("0x" + f"{n:02x}" * 20) for n in range(1, 7))
COIN, LENDING, SWAPS = (
    Contract(TOKEN, load("erc20")),
    Contract(POOL, load("aave-v3-pool")),
    Contract(ROUTER, load("uniswap-swap-router-02")),
)
PERMITS = [
    *(Permit(COIN, name, lambda _: "") for name in ("approve", "transfer")),
    *(Permit(LENDING, name, lambda _: "") for name in ("supply", "withdraw", "borrow", "repay")),
    Permit(SWAPS, "exactInputSingle", lambda _: "swap"),
]
INTERFACES = AllowList(PERMITS).interfaces
AT = datetime(2025, 3, 3, 15, tzinfo=UTC)
DAY = Allowance(balance=100, refill=100, max_refill=150, period=86_400, timestamp=int(AT.timestamp()))
ROLE = role_of(PERMITS, chain_id=10, avatar=SAFE, payees=[PAYEE], allowances={TOKEN: DAY})


def call(contract: Contract, name: str, *arguments: object, value: int = 0) -> Call:
    return Call(contract.address, contract.encode(name, *arguments), value, "")


def approve(units: int, spender=POOL) -> Call:
    return call(COIN, "approve", spender, units)


def swap(**changes) -> Call:
    terms = {"tokenIn": TOKEN, "tokenOut": TOKEN, "fee": 100, "recipient": SAFE, "amountIn": 1, "amountOutMinimum": 1}
    return call(SWAPS, "exactInputSingle", terms | {"sqrtPriceLimitX96": 0} | changes)


class TestScope:
    @pytest.mark.parametrize(
        "good",
        [
            approve(5),
            approve(0, ROUTER),
            call(COIN, "transfer", PAYEE, 5),
            call(LENDING, "supply", TOKEN, 5, SAFE, 0),
            call(LENDING, "withdraw", TOKEN, 5, SAFE),
            call(LENDING, "borrow", TOKEN, 5, 2, 0, SAFE),
            swap(),
        ],
    )
    def test_calls_for_the_vault_on_its_targets_pass(self, good):
        hold(ROLE, INTERFACES, [good])

    @pytest.mark.fault("F62")
    @pytest.mark.parametrize(
        ("bad", "why"),
        [
            (approve(5, NOBODY), "spender"),
            (approve(UNLIMITED), "LESS_THAN"),
            (approve(2**256 - 1), "LESS_THAN"),
            (call(COIN, "transfer", NOBODY, 5), "recipient"),
            (call(COIN, "transfer", SAFE, 5), "recipient"),
            (call(COIN, "transferFrom", SAFE, PAYEE, 5), "does not open"),
            (call(LENDING, "supply", TOKEN, 5, NOBODY, 0), "onBehalfOf"),
            (call(LENDING, "supply", NOBODY, 5, SAFE, 0), "asset"),
            (call(LENDING, "withdraw", TOKEN, 5, NOBODY), "to"),
            (swap(recipient=NOBODY), "recipient"),
            (swap(recipient=ZERO_ADDRESS), "recipient"),
            (swap(tokenOut=NOBODY), "tokenOut"),
            (swap(sqrtPriceLimitX96=2**96), "sqrtPriceLimitX96"),
            (replace(swap(), value=1), "sends 1 wei"),
            (replace(swap(), to=NOBODY), "does not open"),
            (replace(approve(5), data=approve(5).data + b"\0"), "canonical"),
        ],
    )
    def test_anything_else_is_refused(self, bad, why):
        with pytest.raises(OrderRejected, match=why):
            hold(ROLE, INTERFACES, [approve(0), bad])

    def test_a_role_without_payees_sends_nothing_away(self):
        closed = role_of(PERMITS, chain_id=10, avatar=SAFE)

        for payee in (PAYEE, SAFE, ZERO_ADDRESS):
            with pytest.raises(OrderRejected, match="recipient"):
                hold(closed, INTERFACES, [call(COIN, "transfer", payee, 1)])


@pytest.mark.fault("F51")
@pytest.mark.parametrize("units", [UNLIMITED, 2**256 - 1])
def test_an_unlimited_approval_is_refused_whatever_its_permit_says(units):
    listed = AllowList(PERMITS)

    listed.described([approve(UNLIMITED - 1), approve(0)])
    with pytest.raises(OrderRejected, match="unlimited"):
        listed.described([approve(units), approve(0)])


class TestAllowance:
    # Zodiac Roles: each elapsed period adds `refill`; a balance at or over `maxRefill` gains nothing,
    # one below is cut there; the timestamp moves by whole periods; a period of 0 never refills.
    @pytest.mark.parametrize(
        ("seconds", "balance", "moved"),
        [(-1, 100, 0), (0, 100, 0), (86_399, 100, 0), (86_400, 150, 1), (86_401, 150, 1), (10 * 86_400, 150, 10)],
    )
    def test_it_comes_back_by_whole_periods_up_to_its_most(self, seconds, balance, moved):
        found = DAY.at(DAY.timestamp + seconds)

        assert (found.balance, found.timestamp - DAY.timestamp) == (balance, moved * 86_400)

    def test_a_balance_over_its_most_is_kept_and_gains_nothing(self):
        assert replace(DAY, balance=400).at(DAY.timestamp + 86_400).balance == 400

    def test_without_a_period_it_is_for_once(self):
        assert replace(DAY, period=0).at(DAY.timestamp + 10**9).balance == 100

    @given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 10**5), st.lists(st.integers(0, 10**6)))
    def test_looking_in_between_changes_nothing(self, balance, refill, period, looks):
        allowance = Allowance(balance=balance, refill=refill, max_refill=10**6, period=period, timestamp=0)
        seen = allowance
        for now in sorted(looks):
            seen = seen.at(now)

        last = max(looks, default=0)
        assert seen.at(last) == allowance.at(last)

    @pytest.mark.parametrize("change", [{"balance": -1}, {"balance": 2**128}, {"refill": 2**256 - 1}, {"period": -1}])
    def test_an_unlimited_one_is_refused(self, change):
        with pytest.raises(LimitOutOfRange, match="unlimited"):
            replace(DAY, **change)

    def test_a_batch_takes_from_it_together(self):
        hold(ROLE, INTERFACES, [approve(60), approve(40)], ROLE.allowances)

        with pytest.raises(OrderRejected, match="takes 41 of an allowance that has 40 left"):
            hold(ROLE, INTERFACES, [approve(60), call(COIN, "transfer", PAYEE, 41)], ROLE.allowances)

    def test_what_was_executed_is_gone_until_it_comes_back(self):
        spent = [(AT + timedelta(hours=1), [approve(70)]), (AT + timedelta(hours=30), [approve(100)])]
        key = allowance_key(TOKEN)

        found = [
            left(ROLE, INTERFACES, spent[:n], now=AT + timedelta(hours=h))[key].balance
            for n, h in ((0, 0), (1, 2), (1, 24), (2, 31), (2, 48))
        ]

        assert found == [100, 30, 130, 30, 130]

    def test_what_was_spent_before_it_began_is_not_counted_twice(self):
        spent = [(AT - timedelta(seconds=1), [approve(70)])]

        assert left(ROLE, INTERFACES, spent, now=AT)[allowance_key(TOKEN)].balance == 100

    def test_what_another_policy_let_pass_does_not_stop_the_count(self):
        spent = [(AT, [approve(5, NOBODY), Call(NOBODY, b"\1\2\3\4", 0, ""), approve(70)])]

        assert left(ROLE, INTERFACES, spent, now=AT)[allowance_key(TOKEN)].balance == 30


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def static(operator: Operator, value: bytes = b"") -> Condition:
    return Condition(ParameterType.STATIC, operator, value)


def logical(operator: Operator, *children: Condition) -> Condition:
    return Condition(ParameterType.NONE, operator, children=children)


class TestConditions:
    settle = Contract(POOL, load("lyra-short-collateral"))

    def met(self, contract: Contract, name: str, arguments: list[object], *children: Condition) -> bool:
        made = call(contract, name, *arguments)
        whole = Condition(ParameterType.CALLDATA, Operator.MATCHES, children=children)
        allowances = {word(1): Allowance(balance=7)}
        role = Role("r", 10, SAFE, (Target(contract.address, (Function(made.data[:4], whole),)),), allowances)
        listed = AllowList([Permit(contract, name, lambda _: "")]).interfaces
        try:
            hold(role, listed, [made], role.allowances)
        except OrderRejected:
            return False
        return True

    @pytest.mark.parametrize(
        ("condition", "passing", "failing"),
        [
            (static(Operator.EQUAL_TO, word(5)), [5], [4, 6]),
            (static(Operator.GREATER_THAN, word(5)), [6, 2**256 - 1], [5, 0]),
            (static(Operator.LESS_THAN, word(5)), [4, 0], [5, 2**256 - 1]),
            (static(Operator.WITHIN_ALLOWANCE, word(1)), [0, 7], [8]),
            (static(Operator.PASS), [0, 2**256 - 1], []),
            (
                logical(Operator.AND, static(Operator.GREATER_THAN, word(2)), static(Operator.LESS_THAN, word(5))),
                [3, 4],
                [2, 5],
            ),
            (logical(Operator.OR, static(Operator.EQUAL_TO, word(2)), static(Operator.EQUAL_TO, word(5))), [2, 5], [3]),
            (
                logical(Operator.NOR, static(Operator.EQUAL_TO, word(2)), static(Operator.EQUAL_TO, word(5))),
                [3],
                [2, 5],
            ),
        ],
    )
    def test_numbers(self, condition, passing, failing):
        anyone = static(Operator.PASS)

        assert all(self.met(COIN, "approve", [POOL, units], anyone, condition) for units in passing)
        assert not any(self.met(COIN, "approve", [POOL, units], anyone, condition) for units in failing)

    @pytest.mark.parametrize(
        ("operator", "passing", "failing"),
        [(Operator.ARRAY_EVERY, [[], [5], [5, 5]], [[5, 6], [6]]), (Operator.ARRAY_SOME, [[5], [6, 5]], [[], [6]])],
    )
    def test_elements(self, operator, passing, failing):
        condition = Condition(ParameterType.ARRAY, operator, children=(static(Operator.EQUAL_TO, word(5)),))

        assert all(self.met(self.settle, "settleOptions", [ids], condition) for ids in passing)
        assert not any(self.met(self.settle, "settleOptions", [ids], condition) for ids in failing)

    def test_a_count_of_calls(self):
        counted = Condition(ParameterType.NONE, Operator.CALL_WITHIN_ALLOWANCE, word(1))

        assert self.met(COIN, "approve", [POOL, 10**9], counted, static(Operator.PASS))

    def test_a_condition_longer_than_the_call_is_refused(self):
        assert not self.met(COIN, "approve", [POOL, 5], *[static(Operator.PASS)] * 3)

    def test_a_bound_on_an_address_is_refused(self):
        assert not self.met(COIN, "approve", [POOL, 5], static(Operator.LESS_THAN, word(2**200)))

    @pytest.mark.parametrize(
        "malformed",
        [
            lambda: static(Operator.EQUAL_TO),
            lambda: static(Operator.EQUAL_TO, b"\1"),
            lambda: static(Operator.PASS, word(1)),
            lambda: logical(Operator.OR),
            lambda: Condition(ParameterType.STATIC, Operator.EQUAL_TO, word(1), (static(Operator.PASS),)),
        ],
    )
    def test_a_malformed_one_cannot_be_made(self, malformed):
        with pytest.raises(ConfigError, match="call policy refused"):
            malformed()


class TestRole:
    def test_delegation_value_and_whole_targets_cannot_be_opened(self):
        plain = Function(b"\1\2\3\4")

        for target in (
            Target(POOL, (plain,), clearance=Clearance.TARGET),
            Target(POOL, (replace(plain, options=ExecutionOptions.DELEGATE_CALL),)),
            Target(POOL, (replace(plain, options=ExecutionOptions.SEND),)),
            Target(POOL, (plain, plain)),
        ):
            with pytest.raises(ConfigError, match="call policy refused"):
                Role("r", 10, SAFE, (target,))
        with pytest.raises(ConfigError, match="twice"):
            Role("r", 10, SAFE, (Target(POOL, ()), Target(POOL, ())))

    def test_an_allowance_nobody_gave_is_refused(self):
        with pytest.raises(ConfigError, match="does not give"):
            replace(ROLE, allowances={})


class TestDocument:
    def test_what_was_exported_is_read(self):
        raw = json.loads(json.dumps(document(ROLE)))

        assert parse(raw) == ROLE
        assert document(parse(raw)) == raw

    def test_its_numbers_are_those_of_zodiac_roles(self):
        # gnosisguild/zodiac-modifier-roles, Types.sol: Calldata 5, Matches 5, Static 1, EqualToAvatar 15
        pool = next(target for target in document(ROLE)["targets"] if target["address"] == POOL)
        withdraw = next(each for each in pool["functions"] if each["selector"] == "0x69328dec")

        assert (pool["clearance"], pool["executionOptions"]) == (2, 0)
        assert (withdraw["condition"]["paramType"], withdraw["condition"]["operator"]) == (5, 5)
        assert withdraw["condition"]["children"][2] == {"paramType": 1, "operator": 15}
        assert withdraw["condition"]["children"][1] == {"paramType": 1, "operator": 0}

    @pytest.mark.parametrize(
        "change",
        [
            {"chainId": "10"},
            {"avatar": SAFE.lower()[:-1] + "A"},
            {"members": []},
            {"schema": "hedge.call-policy/2"},
            {"targets": None},
            {"targets": [{}]},
            {"allowances": [{"key": "0x01"}]},
        ],
    )
    def test_a_changed_document_is_refused(self, change):
        with pytest.raises(ConfigError, match="call policy refused"):
            parse(document(ROLE) | change)

    @pytest.mark.parametrize("missing", sorted(document(ROLE)))
    def test_a_document_that_lacks_something_is_refused(self, missing):
        raw = document(ROLE)
        del raw[missing]

        with pytest.raises(ConfigError, match="call policy refused"):
            parse(raw)

    @pytest.mark.parametrize(("name", "number"), [("operator", 22), ("operator", 4), ("paramType", 6)])
    def test_an_operator_we_do_not_speak_is_refused(self, name, number):
        raw = json.loads(json.dumps(document(ROLE)))
        raw["targets"][0]["functions"][0]["condition"]["children"][0][name] = number

        with pytest.raises(ConfigError, match="not whole"):
            parse(raw)


def test_one_of_none_is_nobody():
    assert one_of([]).value == b"\xff" * 32
