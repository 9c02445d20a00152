"""Twenty-two daily cycles on the paper broker and a local chain: reconciled each day, reported, then broken."""

import json
from datetime import date
from itertools import islice
from typing import NamedTuple

import pytest

from adapters.evm.anvil import start_anvil
from adapters.evm.deploy_builder import account
from adapters.evm.world import open_world
from adapters.files.ledger_export import export
from adapters.files.observation import demo_day
from adapters.files.recorded_closes import recorded_closes
from adapters.safe.keystore import from_secret
from engine.errors import DoesNotReconcile, InputError
from engine.ledger import balances
from engine.ledger.reconcile import BreakKind, digest
from engine.ledger.suspense import in_suspense
from engine.money import USD, Money, usd
from engine.policy.settings import Policy
from engine.positions import Sleeve
from engine.report.valued import total
from scripts import flow
from scripts.demo import DAY
from scripts.desk import open_journal
from scripts.kept import open_breaks
from scripts.period import LEDGER, explained, read_report
from scripts.reconcile_verb import adopted, reconciled
from scripts.reconciling import compare, require_no_break
from scripts.reporting import Story, compose
from scripts.setup import OWNER_ACCOUNTS, furnish
from scripts.walk import mark, session, sessions_after
from tests.journeys.conftest import skip_without_packages, within

pytestmark = [pytest.mark.journey, pytest.mark.chain, pytest.mark.timeout(240)]
START, CYCLES = date.fromisoformat(DAY), 22


class Cycled(NamedTuple):
    """A desk after its cycles, what each reconciliation found, and the folder of its journal."""

    desk: object
    story: object
    found: list
    folder: object


@pytest.fixture(scope="module")
def cycled(tmp_path_factory):
    """A desk whose first plan was applied, then 22 sessions, each reconciled at its close."""
    skip_without_packages()
    root = tmp_path_factory.mktemp("cycles")
    with open_world() as (base, world), start_anvil(fork=base) as chain, open_journal(root / LEDGER) as journal:
        desk, _ = furnish(root, chain, world, market=demo_day(START), policy=Policy(), journal=journal)
        story = Story(opened=desk.observe(), opened_book=balances.book(journal.entries()))
        mark(desk, story)
        proposal = flow.propose(desk)
        keys = [from_secret(bytes(account(index).key)) for index in OWNER_ACCOUNTS[:2]]
        approvals = [flow.sign(desk, proposal.plan, key) for key in keys]
        outcome = flow.apply(desk, proposal.plan, approvals, lambda _step, _state: None)
        story.proposal, story.fills, story.approvals = proposal, outcome.fills, approvals
        mark(desk, story)
        found, closes = [], recorded_closes()
        for day in islice(sessions_after(closes, START), CYCLES):
            session(desk, world, keys, story, day, closes, lambda _: None)
            found.append(compare(desk).found)
        yield Cycled(desk, story, found, root)


def verb(*arguments, check=0):
    return within(*arguments, check=check)


@pytest.mark.requirement("D34")
def test_the_ledger_agrees_with_broker_and_chain_to_the_unit_after_every_cycle(cycled):
    assert len(cycled.found) == CYCLES
    assert all(found == () for found in cycled.found)
    assert flow.differences(cycled.desk) == ()


@pytest.mark.requirement("D34")
def test_another_program_reads_the_books_and_finds_no_error(cycled, tmp_path):
    loader = pytest.importorskip("beancount.loader")
    target = tmp_path / "books.beancount"

    export(cycled.desk.journal.entries(), "beancount", target)

    entries, errors, _ = loader.load_file(str(target))
    assert errors == []
    assert len(entries) > CYCLES


@pytest.mark.requirement("S50")
@pytest.mark.fault("F94")
@pytest.mark.parametrize(
    "words",
    [("month", "2018-05"), ("daily",), ("daily", "2018-05-03"), ("since", "2018-05-01"), ("since", "inception")],
)
def test_a_period_is_reported_from_the_journal_alone_in_the_same_bytes_again(cycled, tmp_path, words):
    files = [tmp_path / f"{turn} {kind}" for turn in (1, 2) for kind in ("page.html", "figures.csv", "returns.csv")]
    said = []
    for turn in (0, 3):
        html, figures, returns = files[turn : turn + 3]
        ran = verb(
            "report", *words, "-C", cycled.folder, "--html", html, "--csv", figures, "--returns", returns, "--json"
        )
        said.append(json.loads(ran.stdout))

    for first, second in zip(files[:3], files[3:], strict=True):
        assert first.read_bytes() == second.read_bytes()
    first, second = ({k: v for k, v in each.items() if k != "files"} for each in said)
    assert first == second
    assert first["schema"] == "hedge.report-period/1"
    assert verb("report", *words, "-C", cycled.folder).stdout == verb("report", *words, "-C", cycled.folder).stdout


@pytest.mark.requirement("D36")
def test_the_marks_take_the_whole_result_apart(cycled):
    made = read_report(cycled.desk.journal, "2018-05")

    assert made.gain()
    assert made.unmarked == usd(0)
    assert {"condor", "defi", "financing"} <= made.parts.keys()
    assert made.stale == ()


@pytest.mark.parametrize("field", ["nav.closing.defi", "nav.opening.blended", "earned.interest.defi", "put_in.blended"])
def test_any_figure_is_the_sum_of_the_entries_it_is_traced_to(cycled, field):
    name = "inception" if field == "put_in.blended" else "2018-05"
    ran = json.loads(verb("ledger", "show", "--why", f"{name}.{field}", "-C", cycled.folder, "--json").stdout)

    assert ran["entries"]
    assert sum(round(100 * float(row["usd"])) for row in ran["totals"]) == round(100 * float(ran["value"]["amount"]))
    text = verb("ledger", "show", "--why", f"{name}.{field}", "-C", cycled.folder).stdout
    assert ran["formula"] in text
    assert ran["entries"][0]["memo"] in text


def test_a_rate_names_the_figures_it_is_made_of_and_they_are_there(cycled):
    made, found = explained(cycled.desk.journal, "2018-05.irr.net.blended")

    assert {"nav.opening.blended", "put_in.blended", "exit.blended"} <= set(found.figure.of)
    assert found.figure.value == made.found.blended.net.rate


@pytest.mark.requirement("S47")
@pytest.mark.requirement("D13")
def test_the_live_report_says_what_can_be_paid_when_and_ties_to_the_period(cycled):
    made = compose(cycled.desk, cycled.story)

    assert made.headline.nav == total(read_report(cycled.desk.journal, "inception").closing)
    assert sum((row.value for row in made.positions), usd(0)).units == pytest.approx(made.headline.nav.units, abs=20)
    put_in = sum((point.external for point in made.nav), usd(0))
    assert sum((row.amount for row in made.attribution), usd(0)) == made.headline.nav - put_in
    assert [row.place for row in made.liquidity][-1] == "all"
    assert {row.of for row in made.quick_ratios} == {"condor", "defi", "both"}
    assert made.liquidity[-1].at_broker[0] <= made.liquidity[-1].at_home[0]
    assert made.greeks[-1].layer == "all"


@pytest.mark.requirement("D34")
def test_a_break_is_named_stops_new_risk_and_is_adopted_only_as_it_was_shown(cycled):
    desk = cycled.desk
    day = desk.market.day
    desk.broker.deposit(usd("-2.10"))

    (found,) = reconciled(desk).compared.stopping
    assert (found.kind, found.venue, found.instrument, found.difference) == (BreakKind.QUANTITY, "paper", "USD", -210)
    with pytest.raises(DoesNotReconcile, match="new risk refused"):
        require_no_break(desk)
    (row,) = open_breaks(desk.journal, day)
    assert row.difference == Money(210, row.difference.currency)
    assert verb("report", "month", "2018-05", "-C", cycled.folder).stdout.count("amount differs") == 1

    with pytest.raises(InputError, match="gives no reason"):
        adopted(desk, digest([found]), "")
    with pytest.raises(InputError, match="are named"):
        adopted(desk, "00000000", "fee of the exchange")
    assert in_suspense(desk.journal.entries()) == {}

    (entry,) = adopted(desk, digest([found]), "fee of the exchange")

    assert entry.evidence["why"] == "fee of the exchange"
    assert reconciled(desk).compared.found == ()
    require_no_break(desk)
    assert open_breaks(desk.journal, day) == ()
    ((sleeve, instrument), held) = next(iter(in_suspense(desk.journal.entries()).items()))
    assert (sleeve, instrument.id, held) == (Sleeve.CONDOR, "USD", Money(-210, USD))
    assert "in suspense" in verb("report", "month", "2018-05", "-C", cycled.folder).stdout


def test_a_period_of_which_the_journal_knows_nothing_is_refused_in_one_line(cycled):
    refused = verb("report", "month", "2019-01", "-C", cycled.folder, check=2)

    assert refused.stdout == ""
    assert f"the journal knows {START}" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1
    assert "no field" in verb("ledger", "show", "--why", "2018-05", "-C", cycled.folder, check=2).stderr
