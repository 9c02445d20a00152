from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from engine.errors import ApprovalError, ConfigError, InputError
from engine.policy.paper_gate import LivePermit, PaperCycle, PaperGateShut, PaperRecord, PaperRules, paper_record

FIRST = datetime(2024, 1, 19, 21, tzinfo=UTC)
CYCLES = [
    PaperCycle(FIRST + timedelta(weeks=4 * n), FIRST + timedelta(weeks=4 * n - 6), FIRST + timedelta(weeks=4 * n))
    for n in range(3)
]
AFTER = CYCLES[-1].expiry


@pytest.mark.requirement("S54")
def test_three_expiries_carried_through_and_no_break_open_the_gate():
    record = paper_record(CYCLES, unreconciled=0, asof=AFTER)

    assert record.expiries == (date(2024, 1, 19), date(2024, 2, 16), date(2024, 3, 15))
    assert LivePermit(record).record is record


@pytest.mark.requirement("S54")
@pytest.mark.parametrize(
    ("cycles", "breaks", "asof", "lacks"),
    [
        (CYCLES[:2], 0, AFTER, "2 of 3 expiry cycles"),
        (CYCLES, 1, AFTER, "1 breaks are not reconciled"),
        (CYCLES, 0, AFTER - timedelta(minutes=1), "2 of 3"),
        ([*CYCLES[:2], replace(CYCLES[2], flat=None)], 0, AFTER, "2 of 3"),
        ([CYCLES[0], *CYCLES[:2]], 0, AFTER, "2 of 3"),
    ],
)
def test_anything_less_keeps_the_gate_shut_and_says_what_lacks(cycles, breaks, asof, lacks):
    with pytest.raises(PaperGateShut, match=lacks) as refused:
        LivePermit(paper_record(cycles, unreconciled=breaks, asof=asof))

    assert isinstance(refused.value, ApprovalError)


@pytest.mark.requirement("S54")
def test_an_expiry_of_which_one_condor_is_still_held_is_not_complete():
    held = replace(CYCLES[2], flat=None)

    assert len(paper_record([*CYCLES, held], unreconciled=0, asof=AFTER).expiries) == 2


@pytest.mark.requirement("S54")
def test_a_condor_harvested_early_counts_once_its_expiry_has_passed():
    early = replace(CYCLES[0], flat=CYCLES[0].opened + timedelta(days=20))

    assert not paper_record([early], unreconciled=0, asof=early.flat).expiries
    assert paper_record([early], unreconciled=0, asof=early.expiry).expiries


@pytest.mark.requirement("S54")
def test_fewer_than_three_cycles_cannot_be_configured():
    with pytest.raises(ConfigError, match=r"paper\.cycles = 2.*3 to 36.*S54"):
        PaperRules(cycles=2)


def test_every_lack_is_told_at_once():
    assert len(PaperRecord((), 4).lacks()) == 2


def test_a_cycle_opened_after_its_expiry_is_refused():
    with pytest.raises(InputError, match="paper cycle"):
        PaperCycle(FIRST, FIRST, None)
