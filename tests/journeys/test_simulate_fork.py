"""`hedge simulate fork` as an operator runs it: every scenario, every refusal, and an original that never notices."""

import hashlib
import json
import re
from decimal import Decimal
from math import exp

import pytest

from adapters.evm import proof
from adapters.evm.anvil import start_anvil
from adapters.evm.chain import connect
from adapters.evm.erc20 import TokenTransfers
from scripts import flow
from tests.journeys.conftest import hedge, skip_without_packages, within

pytestmark = [pytest.mark.journey, pytest.mark.chain, pytest.mark.timeout(240)]


EVERY = [
    "calm", "price-halved", "gas-tenfold", "peg-lost", "rate-at-kink", "tvl-down", "oracle-frozen", "sandwich",
]  # fmt: skip


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A workspace with a plan that is not applied."""
    skip_without_packages()
    folder = tmp_path_factory.mktemp("simulated") / "desk"
    hedge("init", folder, check=0)
    policy = folder / "policy.toml"  # room for the sleeve to borrow in: it opens with gas money above its target
    written = policy.read_text(encoding="utf-8")
    assert 'sleeve_target = "15%"' in written
    policy.write_text(written.replace('sleeve_target = "15%"', 'sleeve_target = "18%"'), encoding="utf-8")
    planned = within("plan", "new", "-C", folder, "--json")
    yield folder, json.loads(planned.stdout)["path"]
    within("chain", "down", "-C", folder)


@pytest.fixture(scope="module")
def simulated(own):
    """All scenarios of the plan, with what could be seen of the original before and after."""
    folder, plan = own
    before = original(folder)
    ran = fork(plan, "-C", folder, "--scenario", "all", "--json")
    return ran, json.loads(ran.stdout), before, original(folder)


@pytest.fixture(scope="module")
def scenario(simulated):
    return {each["name"]: each for each in simulated[1]["scenarios"]}


def original(folder):
    """Block, nonces and balances of the workspace's chain, and its files on disk."""
    found = json.loads((folder / "contracts.json").read_text(encoding="utf-8"))
    with connect(url(folder)) as chain:
        accounts = [found["safe"], found["ramp"], *found["addresses"].values()]
        held = [(chain.nonce(a), chain.balance(a)) for a in accounts]
        height = chain.height()
    kept = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir() if p.name in FILES}
    return height, held, kept


FILES = ("ledger.sqlite", "paper-broker.json", "contracts.json", "hedge.toml", "policy.toml")


def url(folder):
    return json.loads((folder / "chain" / "running.json").read_text(encoding="utf-8"))["url"]


def fork(*arguments):
    return within("simulate", "fork", *arguments)


def batch(found):
    (step,) = [step for step in found["steps"] if step["what"].startswith("vault batch")]
    return step


def test_every_scenario_is_brought_about_on_the_local_base_chain(simulated, scenario):
    _, document, _, _ = simulated

    assert list(scenario) == EVERY
    assert all(found["applied"] for found in scenario.values())
    assert document["breaks"] == []
    assert sum(found["seconds"] for found in scenario.values()) < 60


def test_the_original_chain_and_the_books_on_disk_never_notice(simulated):
    _, _, before, after = simulated

    assert after == before


def test_the_exit_code_says_whether_a_limit_breaks_and_the_words_say_which(simulated, scenario):
    ran, document, _, _ = simulated

    broken = [line for found in scenario.values() for line in found["broken"]]
    assert ran.returncode == (31 if broken else 0)
    assert document["status"] == ("limits broken" if broken else "done")
    assert len(document["broken"]) == len(broken)
    assert all(line in ran.stderr for line in broken)


def test_without_a_shock_the_plan_is_carried_out_whole(scenario):
    calm = scenario["calm"]

    assert all(step["done"] for step in calm["steps"])
    assert batch(calm)["gas"] > 500_000
    assert any("debt" in row["instrument"] and row["before"] is None and row["after"] for row in calm["positions"])


@pytest.mark.fault("F46")
def test_the_sandwich_is_stopped_by_the_price_bound_at_the_swap(scenario):
    stopped = batch(scenario["sandwich"])

    assert stopped["refused_by"] == "price bound"
    assert stopped["call"].startswith("swap at most")
    assert {e["what"]: e["after"] for e in scenario["sandwich"]["effects"]}["the stranger's result"] < 0


@pytest.mark.fault("F41")
def test_the_frozen_oracle_is_stopped_by_the_options_venue_own_freshness_guard(scenario):
    stopped = batch(scenario["oracle-frozen"])

    assert stopped["refused_by"] == "freshness"
    assert stopped["call"].startswith("buy ")
    assert "RateIsInvalid" in stopped["why"]


@pytest.mark.fault("F45")
def test_a_lost_peg_is_in_the_net_asset_value_and_stops_the_batch(scenario):
    found = scenario["peg-lost"]

    row = next(row for row in found["positions"] if row["instrument"] == "USDC" and row["venue"] == "vault")
    assert row["after"]["usd"] == pytest.approx(0.88 * float(row["after"]["quantity"]))
    assert not batch(found)["done"]
    assert any("peg of USDC" in guard["guard"] and guard["refuses"] for guard in found["guards"])


@pytest.mark.fault("F47")
def test_ten_times_the_gas_price_is_ten_times_the_cost(scenario):
    calm, dear = batch(scenario["calm"]), batch(scenario["gas-tenfold"])

    assert dear["gas_usd"] / dear["gas"] == pytest.approx(10 * calm["gas_usd"] / calm["gas"], rel=1e-6)


def test_above_the_policys_rate_the_gate_for_new_draws_is_shut(scenario):
    (gate,) = [guard for guard in scenario["rate-at-kink"]["guards"] if "S43" in guard["guard"]]

    assert gate["refuses"]
    assert "7.50% a year" in gate["says"]


@pytest.mark.fault("F48")
def test_settlement_posts_what_expiry_and_interest_do_and_every_entry_balances(scenario):
    entries = scenario["calm"]["settlement"]

    for entry in entries:
        residual = {}
        for leg in entry["legs"]:
            unit = leg["instrument"]
            residual[unit] = residual.get(unit, Decimal(0)) + Decimal(leg["amount"])
        assert not any(residual.values()), entry["memo"]
    assert sum("settle SPX" in entry["memo"] for entry in entries) == 5
    assert sum("settle LYRA" in entry["memo"] for entry in entries) == 1
    assert all(row["after_expiry"] is None for row in scenario["calm"]["positions"] if row["instrument"][:3] == "SPX")


def test_interest_until_expiry_is_the_markets_rate_compounded_each_second(scenario):
    owed = [
        Decimal(leg["amount"])
        for entry in scenario["calm"]["settlement"]
        for leg in entry["legs"]
        if leg["account"] == "expenses:interest:defi"
    ]

    years = (51 + 17 / 24 / 60) / 365  # 25 April 16:15 to 15 June in the market's zone, to a day
    rate = 0.005 + 0.07 * 0.501 / 0.9  # of the curve at 50.1 % lent out, ours included
    assert float(sum(owed)) == pytest.approx(20_020 * (exp(rate * years) - 1), rel=0.02)


def test_a_dumped_state_stands_in_for_the_chain(own):
    folder, _ = own

    ran = fork("-C", folder, "--state", folder / "chain" / "state.json", "--json")

    document = json.loads(ran.stdout)
    assert ran.returncode == 0
    assert document["plan_digest"] is None
    assert document["scenarios"][0]["positions"]


def test_another_node_of_the_same_chain_is_copied_and_left_alone(own, monkeypatch):
    folder, plan = own
    with start_anvil(fork=url(folder)) as other:
        before = other.height()
        monkeypatch.setenv("ANOTHER_NODE", other.node.url)  # a key in it would be on no command line

        ran = fork(plan, "-C", folder, "--rpc", "env:ANOTHER_NODE", "--json")

        assert other.height() == before
    assert ran.returncode in (0, 31)
    assert json.loads(ran.stdout)["gas"] > 500_000


def test_a_chain_without_the_desks_safe_is_refused_by_name(own):
    with start_anvil() as bare:
        ran = fork("-C", own[0], "--rpc", bare.node.url)

    assert ran.returncode == 78
    assert "has no code there" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--scenario", "price-halfed"], 2, "did you mean price-halved?"),
        (["--rpc", "http://127.0.0.1:9"], 20, "no connection"),
        (["--rpc", "env:NO_SUCH_NODE"], 2, "the environment has no NO_SUCH_NODE"),
        (["--state", "/no/such/file"], 2, "no dumped state"),
        (["--state", __file__], 2, "no dumped state"),
        (["--rpc", "http://127.0.0.1:9", "--state", __file__], 2, "one chain to copy"),
        (["no-such-plan.json"], 2, "not read"),
    ],
)
def test_what_cannot_be_simulated_is_refused_in_one_line(own, arguments, code, words):
    ran = fork(*arguments, "-C", own[0])

    assert (ran.returncode, ran.stdout) == (code, "")
    assert words in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1


def test_a_state_nested_deeper_than_any_dump_is_refused(own, tmp_path):
    state = tmp_path / "deep.json"
    state.write_text("[" * 5_000, encoding="utf-8")

    ran = hedge("simulate", "fork", "-C", own[0], "--state", state)  # a process whose recursion nobody widened

    assert (ran.returncode, ran.stdout) == (2, "")
    assert "no dumped state" in ran.stderr


@pytest.fixture
def changed(own):
    """Changes the text of a workspace's file until the end of the test."""
    kept = {}

    def change(name, old, new):
        path = own[0] / name
        kept.setdefault(path, path.read_text(encoding="utf-8"))
        assert old in kept[path]
        path.write_text(kept[path].replace(old, new), encoding="utf-8")

    yield change
    for path, text in kept.items():
        path.write_text(text, encoding="utf-8")


def test_a_policy_that_the_seated_committee_did_not_execute_is_not_simulated(own, changed):
    changed("hedge.toml", "[vault]", f"[committee]\nmembers = ['0x{'11' * 20}']\nneeded = 1\n\n[vault]")

    ran = fork(own[1], "-C", own[0])

    assert (ran.returncode, ran.stdout) == (78, "")
    assert "the committee has not executed it" in ran.stderr


def test_what_the_owners_call_policy_does_not_open_is_not_simulated(own, changed):
    router = json.loads((own[0] / "contracts.json").read_text(encoding="utf-8"))["addresses"]["uniswap-router"]
    changed("call-policy.json", router, "0x" + "11" * 20)

    ran = fork(own[1], "-C", own[0])

    assert (ran.returncode, ran.stdout) == (21, "")
    assert "the call policy does not open it" in ran.stderr


def test_the_ledger_that_the_settings_name_is_the_one_that_is_copied(own, tmp_path):
    elsewhere = f"sqlite:///{tmp_path / 'elsewhere.sqlite'}"

    ran = within("simulate", "fork", "-C", own[0], HEDGE__LEDGER__URL=elsewhere)

    assert (ran.returncode, ran.stdout) == (74, "")
    assert "hedge:" in ran.stderr  # a database without our tables


def test_what_the_session_has_used_of_its_cap_counts_as_it_does_in_apply(own, monkeypatch):
    used, judged = [], flow.cycle.checked
    monkeypatch.setattr(flow, "session_outer", lambda *_: 12_345.0)
    monkeypatch.setattr(flow.cycle, "checked", lambda *a, **k: used.append(k["session_outer"]) or judged(*a, **k))

    fork(own[1], "-C", own[0], "--json")

    assert used == [12_345.0]


@pytest.mark.fault("F28")
@pytest.mark.parametrize(
    ("where", "name", "found", "words"),
    [
        (TokenTransfers, "read", (), "nothing was posted for it|neither event nor balance"),
        (proof, "balance_changes", {}, "moved 0, its fills say"),
    ],
)
def test_a_batch_that_apply_would_not_post_is_not_called_done(own, monkeypatch, where, name, found, words):
    monkeypatch.setattr(where, name, lambda *_, **__: found)

    document = json.loads(fork(own[1], "-C", own[0], "--json").stdout)

    stopped = batch(document["scenarios"][0])
    assert not stopped["done"]
    assert re.search(words, stopped["why"])


@pytest.mark.fault("F57")
def test_another_chain_id_than_the_configured_one_is_refused(own):
    with start_anvil(chain_id=1) as other:
        ran = fork("-C", own[0], "--rpc", other.node.url)

    assert ran.returncode == 78
    assert "chain id 1 refused: chain id 31337 is configured" in ran.stderr


def test_a_shock_that_cannot_be_applied_there_is_a_finding_and_not_a_crash(own, tmp_path):
    folder, _ = own
    dump = json.loads((folder / "chain" / "state.json").read_text(encoding="utf-8"))
    book = json.loads((folder / "contracts.json").read_text(encoding="utf-8"))["addresses"]
    exchange = next(a for a in dump["accounts"] if a.lower() == book["lyra-rates"].lower())
    dump["accounts"][exchange]["code"] = "0x"
    state = tmp_path / "state.json"
    state.write_text(json.dumps(dump), encoding="utf-8")

    ran = fork("-C", folder, "--state", state, "--scenario", "price-halved", "--scenario", "rate-at-kink", "--json")

    lacking, done = json.loads(ran.stdout)["scenarios"]
    assert ran.returncode == 78
    assert not lacking["applied"]
    assert "lyra-rates" in lacking["why_not"]
    assert done["applied"]


def test_the_text_names_steps_positions_limits_and_entries(own):
    folder, plan = own

    ran = fork(plan, "-C", folder, "--scenario", "sandwich")

    for words in ("refused by price bound", "positions", "limits", "settlement would post", "net asset value, USD"):
        assert words in ran.stdout
    assert "1 of 1 sandwich" in ran.stderr
