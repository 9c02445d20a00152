"""A difference at the broker: named, shown, refused unless confirmed as it was shown, then adopted, by the command."""

import json

import pytest

from tests.journeys.conftest import within

pytestmark = [pytest.mark.journey, pytest.mark.chain, pytest.mark.timeout(240)]
REASON = "fee of the exchange"


@pytest.fixture
def short(desk):
    """The desk whose broker holds 2.10 USD less than the books say."""
    within("reconcile", "-C", desk, check=0)
    (book,) = desk.rglob("paper-broker.json")
    kept = json.loads(book.read_text(encoding="utf-8"))
    book.write_text(json.dumps({**kept, "cash": kept["cash"] - 210}), encoding="utf-8")
    return desk


def entries(desk):
    return json.loads(within("ledger", "show", "-C", desk, "--json", check=0).stdout)["entries"]


@pytest.mark.requirement("D34")
def test_a_break_is_adopted_only_under_the_name_it_was_shown_by(short):
    before = len(entries(short))
    found = within("reconcile", "-C", short, "--json", check=23)
    (row,) = json.loads(found.stdout)["breaks"]
    assert (row["instrument"], row["difference"]) == ("USD", "-210")
    assert len(found.stderr.strip().splitlines()) == 1

    shown = within("reconcile", "--adopt", "-C", short, check=23)
    (line,) = (line for line in shown.stdout.splitlines() if "--confirm" in line)
    name = line.split("--confirm ")[1].split()[0]
    assert "would adopt" in shown.stdout

    assert "gives no reason" in within("reconcile", "--adopt", "--confirm", name, "-C", short, check=2).stderr
    other = within("reconcile", "--adopt", "--confirm", "0" * 8, "--reason", REASON, "-C", short, check=2)
    assert "are named" in other.stderr
    assert len(entries(short)) == before

    taken = within("reconcile", "--adopt", "--confirm", name, "--reason", REASON, "-C", short, "--json", check=0)

    document = json.loads(taken.stdout)
    assert (document["status"], document["breaks"], document["mark_kept"]) == ("agrees", [], True)
    (posted,) = (each for each in entries(short) if each["key"] in document["adopted"])
    assert posted["evidence"]["why"] == REASON
    assert {leg["account"]: leg["amount"] for leg in posted["legs"]} == {
        "assets:condor:paper": "-2.10 USD",
        "equity:suspense:condor": "2.10 USD",
    }
    within("reconcile", "-C", short, check=0)
    within("ledger", "verify", "-C", short, check=0)
