"""Why a decision is what it is: the same words for the text, the page and the document."""

from dataclasses import replace
from datetime import date

import pytest

from adapters.files.observation import recorded_day
from adapters.files.observations import read_meetings, read_observations, session_axis
from engine import cycle
from engine.instruments import Cash
from engine.market import OnchainState
from engine.money import USD, usd
from engine.policy.evidence import observed
from engine.policy.judgement import judgement
from engine.policy.ruling import MeetingAction
from engine.policy.settings import Policy
from engine.positions import Book, Position, Sleeve
from engine.report.explanation import explain
from engine.report.wording import meaning_text
from engine.signals.panel import Family
from tests.adapters.files.chains import RECORDED

pytestmark = pytest.mark.skipif(not RECORDED.is_dir(), reason="needs ../shared/data beside the checkout")

POLICY = Policy()
BOOK = Book((Position(Cash(USD), usd(1_000_000), Sleeve.CONDOR, "broker"),))


def on(day: date):
    market = recorded_day(RECORDED / "chains" / f"spx-{day}.csv")
    snapshot = market.with_chain(OnchainState(0, 0, "", market.asof, {"USDC": 1.0}, (), (), 0))
    axis = session_axis(date(day.year - 2, day.month, day.day), day)
    ahead = session_axis(date(day.year - 2, day.month, day.day), date(day.year, 12, 1)).days
    judged = judgement(
        observed(snapshot, read_observations(RECORDED)), axis, POLICY, meetings=read_meetings(RECORDED), sessions=ahead
    )
    return cycle.decide(snapshot, BOOK, POLICY, judged, fee_per_contract=1.15)


@pytest.fixture(scope="module")
def goldilocks():
    return on(date(2023, 2, 7))


@pytest.fixture(scope="module")
def strained():
    return on(date(2022, 6, 10))


@pytest.mark.requirement("D29", "S87")
def test_each_flip_names_the_reading_it_would_take_and_what_it_reads_now(strained):
    found = explain(strained)

    (rsi,) = [line for line in found.flips if line.startswith("rsi ")]
    assert rsi == (
        "rsi voting more risk by rsi_spx >= 45 points and rsi_spx < 70 points (now rsi_spx 38.17 points) "
        "would make it increase"
    )
    for line in found.flips:
        member, stance = line.split(" voting ")[0], line.split(" would make it ")[1]
        assert (member, stance) in {(name, outcome.value) for name, _, outcome in strained.judgement.would_flip()}


@pytest.mark.requirement("S77", "X07", "X10")
def test_at_27_there_is_another_regime_less_leverage_and_more_hedge_than_at_18_each_with_its_reason(
    goldilocks, strained
):
    calm, high = explain(goldilocks), explain(strained)

    assert (calm.leverage, high.leverage) == (1.0, 0.0)
    assert calm.hedge_ratio == 1.0 < high.hedge_ratio <= 1.3
    assert calm.regime[0].startswith("VIX 18.66: goldilocks")
    assert high.regime[0].startswith("VIX 27.75: high volatility")
    assert "no new risk: the committee decides no action" in high.withheld
    assert not any("no new risk" in line for line in calm.withheld)


@pytest.mark.fault("F89")
def test_a_freeze_whose_feed_went_missing_is_named_beside_those_that_stand(goldilocks):
    judged = goldilocks.judgement
    dropped = tuple(
        replace(found, fires=None, dropped=("peg",)) if found.rule.id == "depeg" else found for found in judged.findings
    )

    found = explain(replace(goldilocks, judgement=replace(judged, findings=dropped)))

    assert "defi frozen: depeg cannot be told, peg went missing (F89)" in found.withheld


@pytest.mark.requirement("S03", "S12", "D29")
def test_every_proposed_change_has_its_grounds_with_the_articles_line_and_the_limits_that_stop_more(goldilocks):
    sold = [change for change in explain(goldilocks).changes if change.what.startswith("sell ")]

    assert sold
    for change in sold:
        ids, lines = zip(*((ground.id, ground.source) for ground in change.because), strict=True)
        assert ids == ("D29", "S03", "S12", "S12", "S12")
        assert lines == ("C line 9", "B line 4", "B line 4", "B line 4", "B line 4")
        assert any(limit.startswith("margin: ") for limit in change.binding)


@pytest.mark.requirement("S80")
def test_meetings_that_widen_the_wings_are_said(strained):
    assert any(line.startswith("2022-06-15 is priced at a move of 1.7") for line in explain(strained).withheld)


@pytest.mark.requirement("S64", "S78", "D09")
@pytest.mark.parametrize(
    ("signal", "said"),
    [
        ("term_slope", "; here from vix and vix3m, in place of vx_front and vx_second"),
        ("front_carry", "; here from vix9d and vix, in place of iv7 and iv45"),
    ],
)
def test_a_reading_by_another_way_says_what_it_was_worked_out_from(goldilocks, signal, said):
    table = goldilocks.judgement.table

    assert meaning_text(table.panel()[signal], table.signals[signal]).endswith(said)
    assert meaning_text(table.panel()["vix"], table.signals["vix"]) == "VIX at the close"


@pytest.mark.requirement("S75", "X08")
def test_a_meeting_three_sessions_off_is_said_beside_the_watch_it_is_under(strained):
    assert strained.judgement.table.panel().value("fomc_watch") == 1.0
    assert "policy meeting: next 2022-06-15, in 3 sessions" in explain(strained).regime


def test_votes_that_are_missing_and_could_ask_for_less_are_named(goldilocks):
    judged = goldilocks.judgement
    vetoed = replace(judged, verdict=replace(judged.verdict, vetoed_by=(Family.ONCHAIN,)))

    assert explain(replace(goldilocks, judgement=vetoed)).ruling.endswith(
        "votes missing in on-chain could ask for less (D29)"
    )


@pytest.mark.requirement("X08")
def test_a_meeting_that_reduces_is_a_reason_nothing_is_added(goldilocks):
    reduced = replace(goldilocks.judgement, meeting=MeetingAction.REDUCE)

    assert any("fomc.action is reduce" in line for line in explain(replace(goldilocks, judgement=reduced)).withheld)
