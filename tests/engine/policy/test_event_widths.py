"""Wings stand wider where the surface holds a premium for a meeting before their expiry."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from adapters.files.observation import recorded_day
from engine.market import OnchainState
from engine.policy.condors import condor_offers
from engine.policy.event_widths import event_widths
from engine.policy.menu import menu
from engine.policy.settings import CoreSettings, Policy
from engine.positions import Book
from engine.risk.smile import Smile
from engine.risk.view import pricing_view
from tests.adapters.files.chains import RECORDED

ASOF = datetime(2025, 1, 6, 21, tzinfo=UTC)
MEETING = date(2025, 1, 29)  # announced at 19:00 UTC, 22.9 days ahead
DAILY, JUMP = 0.16, 0.02


def smiles(*days, jump=JUMP):
    """Smiles of a flat daily volatility, `jump` added once the meeting lies before the expiry."""
    found = {}
    for ahead in days:
        years = ahead / 365
        total = DAILY**2 * years + (jump**2 if ahead > 22.9 else 0.0)
        vol = np.sqrt(total / years)
        expiry = ASOF + timedelta(days=ahead)
        found["SPXW", expiry] = Smile(expiry, years, 6_000.0, 0.04, np.array([-1.0, 1.0]), np.array([vol, vol]))
    return found


@pytest.mark.requirement("D24", "S80")
def test_a_planted_premium_is_recovered_and_widens_what_lies_beyond_it():
    found = event_widths(smiles(10, 20, 25, 45), ASOF, [MEETING])

    (event,) = found.events
    assert event.premium.variance == pytest.approx(JUMP**2)
    # sqrt(1 + s_e^2 / (sigma_d^2 T)): 0.0004 / (0.0256 * 45 / 365) = 0.12674
    assert found.scale(ASOF + timedelta(days=45)) == pytest.approx(np.sqrt(1.12674), abs=1e-5)
    assert found.scale(ASOF + timedelta(days=20)) == 1.0
    assert "2025-01-29 is priced at a move of 2.00 % between 2025-01-26 and 2025-01-31" in event.words


@pytest.mark.requirement("D24")
@pytest.mark.parametrize(
    ("days", "jump", "meetings"),
    [((10, 20), JUMP, [MEETING]), ((25, 45), JUMP, [MEETING]), ((10, 20, 25), 0.0, [MEETING]), ((10, 20, 25), JUMP, []),
     ((10, 20, 25), JUMP, [date(2024, 12, 18)])],
    ids=["nothing after", "nothing before", "no premium", "no meeting", "past"],
)  # fmt: skip
def test_without_an_event_that_quotes_show_nothing_is_wider(days, jump, meetings):
    found = event_widths(smiles(*days, jump=jump), ASOF, meetings)

    assert [found.scale(ASOF + timedelta(days=ahead)) for ahead in days] == pytest.approx([1.0] * len(days))


@pytest.mark.requirement("D24")
def test_two_meetings_in_one_gap_show_as_their_sum_once():
    found = event_widths(smiles(20, 45), ASOF, [MEETING, date(2025, 2, 5)])

    (event,) = found.events
    assert event.premium.variance == pytest.approx(JUMP**2)
    assert event.words.startswith("2025-01-29, 2025-02-05 is priced")


@pytest.mark.requirement("D24", "S80")
@pytest.mark.skipif(not RECORDED.is_dir(), reason="needs ../shared/data beside the checkout")
def test_a_decision_names_the_meetings_priced_before_its_condors_and_how_much_wider_they_stand():
    market = recorded_day(RECORDED / "chains" / "spx-2022-06-10.csv")
    snapshot = market.with_chain(OnchainState(0, 0, "", market.asof, {"USDC": 1.0}, (), (), 0))
    view = pricing_view(snapshot)
    eventful = menu(snapshot, view, Book(), Policy(), [date(2022, 6, 15), date(2022, 7, 27)])

    scales = {eventful.events.scale(offer.condor.put_short.expiry) for offer in eventful.condors.values()}
    assert 1.01 < min(scales) <= max(scales) < 1.10
    assert eventful.widened[0].startswith("2022-06-15 is priced at a move of 1.7")
    assert eventful.widened[-1].startswith("wings times 1.0")
    assert menu(snapshot, view, Book(), Policy()).widened == ()


@pytest.mark.requirement("D24", "S80")
@pytest.mark.skipif(not RECORDED.is_dir(), reason="needs ../shared/data beside the checkout")
def test_wings_stand_wider_by_the_factor_to_the_nearest_listed_strike():
    market = recorded_day(RECORDED / "chains" / "spx-2022-06-10.csv")
    view = pricing_view(market.with_chain(OnchainState(0, 0, "", market.asof, {"USDC": 1.0}, (), (), 0)))
    quotes = next(q for q in market.spx.slices if str(q.expiry_date) == "2022-07-15" and q.root == "SPX")
    rules = CoreSettings(width_min=50.0, width_max=50.0)

    def widths(wider):
        offers = condor_offers(quotes, view.smiles[quotes.root, quotes.expiry], rules, wider=wider)
        return {float(offer.condor.width) for offer in offers}

    assert (widths(1.0), widths(1.5), widths(2.0)) == ({50.0}, {75.0}, {100.0})
    assert widths(1.02) == {50.0}  # 51 points lie nearest to the 50 that are listed
