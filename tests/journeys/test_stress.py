"""`hedge stress` as an operator runs it: a book and a recorded chain in, losses and limits out."""

import json
import xml.etree.ElementTree as ET

import pytest

from tests.journeys.conftest import SHARED, within

CHAIN = SHARED / "chains" / "spx-2023-02-07.csv"
BOOK = """quantity,instrument,sleeve,venue
850000,USD,,
6,SPXW 2023-03-24 P 3700,,
-6,SPXW 2023-03-24 P 3750,,
-6,SPXW 2023-03-24 C 4500,,
6,SPXW 2023-03-24 C 4550,,
100000,USDC,,
30,WETH,,
"""
needs_chain = pytest.mark.skipif(not CHAIN.exists(), reason="recorded market data is not beside the project")


def stress(*arguments, check):
    return within("stress", *arguments, check=check)


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    path = tmp_path_factory.mktemp("books") / "a book.csv"
    path.write_text(BOOK, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def ran(book, tmp_path_factory):
    if not CHAIN.exists():
        pytest.skip("recorded market data is not beside the project")
    html = tmp_path_factory.mktemp("pages") / "stress.html"
    out = stress("--chain", CHAIN, "--book", book, "--scenarios", 300, "--seed", 3, "--json", "--html", html, check=0)
    return json.loads(out.stdout), html.read_text(encoding="utf-8"), out


@pytest.mark.journey
@pytest.mark.fault("F83")
def test_every_pack_is_run_and_every_gap_keeps_the_stated_loss_without_a_forced_sale(ran):
    document, _, _ = ran

    assert document["schema"] == "hedge.stress/1"
    assert document["status"] == "holds"
    assert set(document["packs"]) == {"gap", "two-sd", "grid"}
    gaps = document["packs"]["gap"]["rows"]
    assert {row["scenario"] for row in gaps} >= {"October 1987", "February 2018", "August 2024", "correlation to one"}
    assert all(row["within_stated_loss"] and not row["forced_unwind"] for row in gaps)
    assert [row["draws"] for row in document["joint"]] == [300, 300]


@pytest.mark.journey
@pytest.mark.requirement("D11")
def test_the_most_lots_of_each_condor_are_said_with_the_cell_that_stops_the_next(ran):
    document, page, _ = ran

    (room,) = document["most_units"]
    worst = max(document["packs"]["two-sd"]["rows"], key=lambda row: row["share"])

    assert (room["condor"], room["held"]) == ("SPXW 2023-03-24 3700/3750/4500/4550", 6)
    assert room["most"] >= 6  # the book keeps the limit as it stands
    assert worst["share"] * room["most"] / 6 == pytest.approx(0.06, rel=0.25)
    assert "most lots of each condor" in page


@pytest.mark.journey
def test_sleeves_and_instruments_of_the_document_add_up(ran):
    document, _, _ = ran

    for pack in document["packs"].values():
        for row in pack["rows"]:
            assert sum(row["by_sleeve"].values()) == pytest.approx(row["loss_usd"])
        worst = max(row["loss_usd"] for row in pack["rows"])
        assert sum(pack["by_instrument"].values()) == pytest.approx(worst)


@pytest.mark.journey
@pytest.mark.requirement("S42")
def test_limits_stand_with_their_headroom(ran):
    limits = {row["limit"]: row for row in ran[0]["limits"]}

    assert set(limits) == {"sleeve_cap", "chain_cap", "drawdown_2sd", "quick_ratio", "session_new_outer", "beta"}
    assert limits["drawdown_2sd"]["headroom"] == pytest.approx(0.06 - limits["drawdown_2sd"]["reading"])
    assert limits["quick_ratio"]["reading"] > 1
    assert limits["beta"]["binding"] is False


@pytest.mark.journey
def test_the_page_is_one_document_with_its_charts_and_nothing_from_outside(ran):
    _, page, _ = ran

    assert page.count("<svg") == 3
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    for drawing in page.split("<svg")[1:]:
        ET.fromstring("<svg" + drawing.split("</svg>")[0] + "</svg>")


@pytest.mark.journey
def test_progress_goes_to_standard_error(ran):
    assert "joint done" in ran[2].stderr


@pytest.mark.journey
@needs_chain
def test_one_seed_gives_one_document(book):
    first, second = (
        stress("--chain", CHAIN, "--book", book, "--pack", "joint", "--scenarios", 200, "--json", check=0).stdout
        for _ in range(2)
    )

    assert first == second


@pytest.mark.journey
@needs_chain
@pytest.mark.requirement("S40")
def test_a_broken_limit_is_named_and_ends_with_its_own_code(tmp_path):
    many = tmp_path / "many.csv"
    many.write_text(BOOK.replace("6,SPXW", "20,SPXW"), encoding="utf-8")

    out = stress("--chain", CHAIN, "--book", many, "--pack", "two-sd", "--json", check=31)

    assert json.loads(out.stdout)["broken"] == ["drawdown_2sd"]
    assert "drawdown_2sd is broken now" in out.stderr.splitlines()[-1]


@pytest.mark.journey
@needs_chain
def test_the_table_reads_in_words(book):
    shown = stress("--chain", CHAIN, "--book", book, "--pack", "gap", check=0).stdout

    assert "gap: binding cell October 1987" in shown
    assert "every hard limit holds" in shown
    assert "kept" in shown


@pytest.mark.journey
@needs_chain
@pytest.mark.fault("F83")
def test_a_bare_call_is_unbounded_and_never_kept(tmp_path):
    bare = tmp_path / "bare.csv"
    bare.write_text("quantity,instrument,sleeve,venue\n900000,USD,,\n-1,SPXW 2023-03-24 C 4500,,\n", encoding="utf-8")

    shown = stress("--chain", CHAIN, "--book", bare, "--pack", "gap", check=31).stdout
    document = json.loads(stress("--chain", CHAIN, "--book", bare, "--pack", "gap", "--json", check=31).stdout)

    assert "UNBOUNDED" in shown
    assert "kept" not in shown
    rows = document["packs"]["gap"]["rows"]
    assert {(row["stated_loss_usd"], row["within_stated_loss"]) for row in rows} == {(None, None)}


@pytest.mark.journey
@needs_chain
def test_a_mark_given_by_hand_stands_for_the_future_that_the_chain_does_not_quote(book, tmp_path):
    hedged = tmp_path / "hedged.csv"
    hedged.write_text(BOOK + "2,VX 2023-03-22,,\n", encoding="utf-8")
    mark = "VX 2023-03-22=19.9"

    out = stress("--chain", CHAIN, "--book", hedged, "--pack", "gap", "--mark", mark, "--json", check=0)
    bare = stress("--chain", CHAIN, "--book", book, "--pack", "gap", "--json", check=0)

    document, without = json.loads(out.stdout), json.loads(bare.stdout)
    assert f"mark given: {mark}" in document["assumptions"]
    assert document["nav_usd"] == pytest.approx(without["nav_usd"])  # a future is worth nothing when it is bought
    first, plain = (found["packs"]["gap"]["rows"][0] for found in (document, without))
    assert first["loss_usd"] < plain["loss_usd"]  # it gains when the index falls


@pytest.mark.journey
@needs_chain
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--pack", "all-of-them"], 2),
        (["--scenarios", "5"], 2),
        (["--seed", "-1"], 2),
        (["--chain", CHAIN], 2),  # no book: nothing to stress
        (["--chain", CHAIN, "--book", "absent.csv"], 2),
        (["--chain", CHAIN, "-C", "somewhere"], 2),
        (["--chain", "absent.csv"], 30),
    ],
)
def test_wrong_input_is_refused_in_one_line(arguments, code):
    out = stress(*arguments, check=code)

    assert out.stdout == ""
    assert len(out.stderr.strip().splitlines()) == 1
    assert out.stderr.startswith("hedge: ")


@pytest.mark.journey
@needs_chain
def test_a_page_that_cannot_be_written_is_refused_by_name(book, tmp_path):
    out = stress("--chain", CHAIN, "--book", book, "--pack", "gap", "--html", tmp_path / "no" / "x.html", check=2)

    assert "refused" in out.stderr.splitlines()[-1]
