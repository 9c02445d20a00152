"""`hedge allocate` as an operator runs it: a market and a book in, lots and the price of each limit out."""

import json

import pytest

from tests.journeys.conftest import SHARED, within

CHAIN = SHARED / "chains" / "spx-2023-02-07.csv"
NARROW = "[core]\ndte_min = 50\ndte_target = 52\ndte_max = 53\n"
FREE = ("--without", "consensus")
"""The committee has seen too little to add risk; what it forgoes is asked for as a what-if."""

pytestmark = pytest.mark.journey


def hedge_allocate(*arguments, check=0):
    return within("allocate", *arguments, check=check)


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    path = tmp_path_factory.mktemp("policies") / "one expiry.toml"
    path.write_text(NARROW, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def ran(policy, tmp_path_factory):
    html = tmp_path_factory.mktemp("pages") / "allocation.html"
    out = hedge_allocate("--policy", policy, *FREE, "--json", "--html", html)
    return json.loads(out.stdout), html.read_text(encoding="utf-8")


@pytest.mark.requirement("D33")
def test_it_proposes_lots_and_prices_every_limit_in_basis_points(ran):
    document, _ = ran
    answer = document["answer"]

    assert document["schema"] == "hedge.allocate/1"
    assert document["status"] == "what-if"
    assert any(line["kind"] == "condor" and line["wanted"] > 0 for line in answer["lines"])
    assert all(line["wanted"] % 1 == 0 for line in answer["lines"])
    assert answer["objective_usd"] > 0
    assert answer["objective_bps"] == pytest.approx(answer["objective_usd"] / answer["capital_usd"] * 1e4)
    assert 0 < answer["drawdown"] <= 0.06
    assert answer["cell"]
    assert {"margin", "cash", "drawdown_2sd", "hedge_ratio"} <= {limit["limit"] for limit in answer["limits"]}
    assert all(limit["cost_bps"] >= 0 for limit in answer["limits"])
    assert any(limit["binds"] for limit in answer["limits"])
    assert document["measure"].startswith("real-world")
    assert any("no book given" in line for line in document["assumptions"])
    assert document["next"]


def test_the_page_and_the_text_say_the_same(ran, policy):
    document, page = ran
    text = hedge_allocate("--policy", policy, *FREE).stdout

    for line in document["answer"]["lines"]:
        assert line["instrument"] in page
        assert line["instrument"] in text
    for reason in document["reasons"]:
        assert reason in text
    assert "real-world" in page
    assert "<script" not in page
    assert "next: hedge plan new" in text


@pytest.mark.requirement("D33")
def test_lifting_the_dearest_limit_gains_what_it_was_said_to_cost(ran, policy):
    document, _ = ran
    dearest = max(document["answer"]["limits"], key=lambda limit: limit["cost_bps"])

    lifted = json.loads(hedge_allocate("--policy", policy, *FREE, "--without", dearest["limit"], "--json").stdout)

    gained = lifted["answer"]["objective_bps"] - document["answer"]["objective_bps"]
    assert lifted["without"] == ["consensus", dearest["limit"]]
    assert gained == pytest.approx(dearest["cost_bps"], abs=1e-6)


@pytest.mark.requirement("D33")
def test_at_fair_prices_nothing_is_proposed(policy):
    document = json.loads(hedge_allocate("--policy", policy, "--measure", "risk_neutral", "--json").stdout)

    assert document["answer"]["lines"] == []
    assert document["next"] == ["hedge stress"]


@pytest.mark.requirement("S40", "D33")
def test_limits_in_conflict_are_named_with_exit_code_31(policy, tmp_path):
    book = tmp_path / "too much ether.csv"  # half the book falls with the coins, and no option of the menu stops it
    book.write_text("quantity,instrument,sleeve,venue\n500000,USD,,\n800,WETH,,\n", encoding="utf-8")

    refused = hedge_allocate("--policy", policy, "--book", book, check=31)

    assert refused.stdout == ""
    assert "smallest conflicting set: drawdown_2sd" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--without", "gravity"], "no such limit"),
        (["--measure", "hope"], "no such measure"),
        (["--chain", "absent.csv", "-C", "desk"], "exclude each other"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(arguments, words):
    refused = hedge_allocate(*arguments, check=2)

    assert refused.stdout == ""
    assert words in refused.stderr


@pytest.mark.requirement("D29")
def test_without_the_committees_leave_nothing_is_added_and_what_that_costs_is_said(policy):
    document = json.loads(hedge_allocate("--policy", policy, "--json").stdout)

    (consensus,) = [limit for limit in document["answer"]["limits"] if limit["limit"] == "consensus"]
    assert document["status"] == "proposed"
    assert document["answer"]["lines"] == []
    assert consensus["binds"]
    assert any("consensus binds" in reason for reason in document["reasons"])


@pytest.mark.skipif(not CHAIN.exists(), reason="recorded market data is not beside the project")
def test_a_recorded_chain_is_allocated_on_within_the_limits():
    document = json.loads(hedge_allocate("--chain", CHAIN, "--data", SHARED, *FREE, "--json").stdout)

    assert document["asof"].startswith("2023-02-07")
    assert document["answer"]["drawdown"] <= 0.06
    assert document["answer"]["margin_usd"] <= 30_000
