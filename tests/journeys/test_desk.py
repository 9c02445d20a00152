"""Plan, approve and apply through the command, each step its own process."""

import json
import shutil
from pathlib import Path

import pytest

from scripts.setup import PASSPHRASE
from tests.journeys.conftest import hedge, within

pytestmark = [pytest.mark.journey, pytest.mark.chain, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def plan(desk):
    ran = hedge("plan", "new", "-C", desk, "--json", check=10)
    return json.loads(ran.stdout)["path"]


def approve(desk, plan, index):
    key = desk / "keys" / f"owner-{index}.json"
    return hedge("approve", plan, "--key", key, "--passphrase", "env:PASS", "-C", desk, "--json", PASS=PASSPHRASE)


@pytest.fixture(scope="module")
def applied(desk, plan, tmp_path_factory):
    """The plan's way, step by step, with what each step answered."""
    steps = {"unsigned": hedge("apply", plan, "-C", desk)}
    steps["first"] = approve(desk, plan, 1)
    steps["one signature"] = hedge("apply", plan, "-C", desk)
    steps["second"] = approve(desk, plan, 2)
    edited = tmp_path_factory.mktemp("edited") / "plan.json"
    shutil.copyfile(plan, edited)
    edited.write_text(edited.read_text(encoding="utf-8").replace("aave-cheap", "aave-dear"), encoding="utf-8")
    steps["edited"] = hedge("apply", edited, "-C", desk)
    steps["simulated"] = hedge("simulate", "fork", plan, "-C", desk, "--json")
    steps["applied"] = hedge("apply", plan, "-C", desk, "--json")
    steps["again"] = hedge("apply", plan, "-C", desk)
    return steps


@pytest.mark.parametrize(
    ("step", "code", "words"),
    [
        ("unsigned", 10, "0 of 2 approvals"),
        ("one signature", 10, "1 of 2 approvals"),
        ("edited", 11, "edited after it was made"),
        ("again", 12, "applied already"),
    ],
)
def test_what_is_not_wholly_approved_or_not_new_is_refused_in_one_line(applied, step, code, words):
    refused = applied[step]

    assert refused.returncode == code
    assert words in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    assert refused.stdout == ""


def test_each_owner_signs_the_plan_and_each_of_its_safe_transactions(applied):
    first = json.loads(applied["first"].stdout)

    assert first["status"] == "signed"
    assert first["signatures"] == 3  # plan, batch, cancel


def test_a_simulation_on_a_fork_shows_the_changes_and_leaves_the_chain_alone(applied):
    shown = json.loads(applied["simulated"].stdout)

    assert shown["gas"] > 500_000
    assert any("debt" in name for name in shown["changes"])


def test_an_approved_plan_is_carried_out_and_the_books_agree(applied, desk):
    document = json.loads(applied["applied"].stdout)

    assert document["status"] == "applied"
    assert document["unfilled"] == []
    assert json.loads(within("reconcile", "-C", desk, "--json", check=0).stdout)["breaks"] == []
    assert json.loads(within("ledger", "verify", "-C", desk, "--json", check=0).stdout)["status"] == "whole"


def test_the_open_book_is_reported_without_annualising(applied, desk, tmp_path):
    target = tmp_path / "report.html"

    ran = within("report", "-C", desk, "--html", target, check=0)

    assert "not annualised" in ran.stdout
    assert target.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_another_chain_than_the_configured_one_is_refused_before_anything_is_read(desk):
    refused = within("plan", "new", "-C", desk, HEDGE__CHAIN__CHAIN_ID="1")

    assert refused.returncode == 78
    assert "chain id 31337 refused: chain id 1 is configured" in refused.stderr


@pytest.mark.requirement("S41", "D12")
def test_what_one_run_opened_leaves_less_of_the_sessions_cap_to_the_next(applied, desk, plan, tmp_path):
    assert applied["applied"].returncode == 0
    policy = tmp_path / "policy.toml"
    policy.write_text("[layering]\ncap_always = true\n", encoding="utf-8")
    orders = json.loads(Path(plan).read_text(encoding="utf-8"))["orders"]
    paid = sum(
        -int(order["limit"]["units"]) / 10 ** order["limit"]["decimals"] for order in orders if order["role"] == "hedge"
    )

    explained = json.loads(within("explain", "-C", desk, "--policy", policy, "--json", check=0).stdout)

    (tail,) = (layer for layer in explained["layers"] if layer["layer"] == "tail")
    cap = 0.25 * 0.30 * 1_000_000  # of defined-risk capital
    assert paid > 1_000
    assert tail["session_room_usd"] == pytest.approx(cap - paid, abs=100)


def test_a_cap_edited_above_a_quarter_stops_every_command_of_the_desk(desk):
    policy = desk / "policy.toml"
    kept = policy.read_text(encoding="utf-8")
    policy.write_text(kept.replace('sleeve_cap = "20%"', 'sleeve_cap = "30%"'), encoding="utf-8")
    try:
        refused = within("plan", "new", "-C", desk)
    finally:
        policy.write_text(kept, encoding="utf-8")

    assert refused.returncode == 78
    assert "limits.sleeve_cap = 30%" in refused.stderr


def test_a_wrong_passphrase_signs_nothing_and_shows_nothing(desk, plan):
    key = desk / "keys" / "owner-3.json"

    refused = within("approve", plan, "--key", key, "--passphrase", "env:PASS", "-C", desk, PASS="canary-7391")

    assert refused.returncode != 0
    assert len(refused.stderr.strip().splitlines()) == 1
    assert "canary-7391" not in refused.stderr + refused.stdout


@pytest.mark.parametrize(
    "setting", [{"HEDGE__VAULT__THRESHOLD": "3"}, {"HEDGE__VAULT__SAFE": "0x" + "11" * 20}], ids=["threshold", "safe"]
)
def test_a_safe_that_is_not_as_configured_stops_every_command_of_the_desk(desk, setting):
    refused = within("plan", "new", "-C", desk, **setting)

    assert refused.returncode == 78
    assert "the chain says" in refused.stderr
