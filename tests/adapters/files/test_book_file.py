from decimal import Decimal

import pytest

from adapters.files.book_file import read_book, read_instrument
from engine.errors import InputError
from engine.instruments import Settlement, VanillaOption, from_terms, terms
from engine.positions import Sleeve

HEADER = "quantity,instrument,sleeve,venue\n"


@pytest.fixture
def write(tmp_path):
    def to_file(text: str):
        path = tmp_path / "book.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return to_file


@pytest.mark.parametrize(
    ("written", "id"),
    [
        ("USD", "USD"),
        ("WETH", "WETH"),
        ("SPXW 2023-03-24 P 3900", "SPXW 2023-03-24 P 3900 PM"),
        ("SPX 2023-03-17 C 4200.5", "SPX 2023-03-17 C 4200.5 AM"),
        ("VIX 2023-03-22 C 30", "VIX 2023-03-22 C 30 AM"),
        ("VX 2023-03-22", "VX 2023-03-22"),
        ("VIXY share", "VIXY share"),
        ("perp-v2 WETH perp", "perp-v2 WETH perp"),
        ("squeeth WETH squared", "squeeth WETH squared"),
        ("aave supply USDC", "aave supply USDC"),
        ("aave debt DAI", "aave debt DAI"),
        ("lyra WETH 2023-03-31 P 1200", "lyra 2023-03-31 P 1200 CHAIN"),
        ("uniswap WETH/USDC range 1200 2000 3000", "uniswap range 1200 2000"),
    ],
)
def test_an_instrument_reads_as_the_tables_write_it(written, id):
    instrument = read_instrument(written)

    assert instrument.id == id
    assert from_terms(terms(instrument)) == instrument


def test_the_same_third_friday_settles_in_the_morning_or_the_afternoon_by_root():
    morning, afternoon = (read_instrument(f"{root} 2023-03-17 P 3900") for root in ("SPX", "SPXW"))

    assert isinstance(morning, VanillaOption)
    assert isinstance(afternoon, VanillaOption)
    assert (morning.settlement, afternoon.settlement) == (Settlement.AM, Settlement.PM)
    assert (afternoon.expiry - morning.expiry).total_seconds() == 6.5 * 3600


def test_sleeve_and_venue_follow_from_the_instrument_unless_written(write):
    book = read_book(write(HEADER + "-2,SPXW 2023-03-24 P 3900,,\n1000.5,USDC,,\n3,VIXY share,defi,elsewhere\n"))

    assert [(p.sleeve, p.venue, p.quantity) for p in book] == [
        (Sleeve.CONDOR, "broker", Decimal(-2)),
        (Sleeve.DEFI, "vault", Decimal("1000.5")),
        (Sleeve.DEFI, "elsewhere", Decimal(3)),
    ]


def test_two_lines_of_one_instrument_are_one_position(write):
    book = read_book(write(HEADER + "2,USDC,,\n-5,USDC,,\n"))

    assert [p.quantity for p in book] == [Decimal(-3)]


@pytest.mark.fault("F76")
@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("nan,USDC,,", "not finite"),
        ("inf,USDC,,", "not finite"),
        (",USDC,,", "no number"),
        ("1.5,SPXW 2023-03-24 P 3900,,", "counted in steps of 1"),
        ("0.0000001,USDC,,", "counted in steps of 0.000001"),
        ("1,SPXW 2023-03-24 X 3900,,", "'X' is neither P nor C"),
        ("1,SPXW 2023-03-25 P 3900,,", "nothing settles on Saturday 2023-03-25, the session before it is 2023-03-24"),
        ("1,SPX 2023-04-07 P 3900,,", "nothing settles on Friday 2023-04-07, the session before it is 2023-04-06"),
        ("1,lyra WETH 2023-04-01 P 1200,,", "nothing settles on Saturday"),
        ("1,VIX 2023-03-14 C 30,,", "the monthly VIX contracts of March 2023 settle on 2023-03-22, none on 2023-03-14"),
        ("1,VX 2023-03-15,,", "settle on 2023-03-22, none on 2023-03-15"),
        ("1,SPX 2023-03-17 P 3900 PM,,", "SPX settles AM, not PM"),
        ("1,SPXW 2023-03-17 P 3900 AM,,", "SPXW settles PM, not AM"),
        ("1,VIX 2023-03-22 C 30 and more,,", "VIX settles AM, not and more"),
        ("1,USDC,,,extra", "5 cell(s) where the first line has 4"),
        ("1", "1 cell(s) where the first line has 4"),
        ("1,SPXW 2023-02-30 P 3900,,", "day"),
        ("1,SPXW 2023-03-24 P -3900,,", "must be positive"),
        ("1,SPXW 2023-03-24 P nan,,", "not finite"),
        ("1,<script>,,", "no token code"),
        ("1,pool WETH/USDC range 2000 1200 3000,,", "must rise"),
        ("1e13,WETH,,", "more digits than can be counted exactly"),
        ("-1e400,USDC,,", "more digits than can be counted exactly"),
        ("50000,aave debt DAI,,", "a debt is what we owe: write it with a minus sign"),
        ("-5000,aave supply USDC,,", "a supply is what we own: write a loan as a debt"),
        ("1,USDC,attic,", "'attic' is no sleeve; write condor, defi"),
        ("1,,,", "no such form"),
    ],
)
def test_a_line_that_means_nothing_is_refused_by_its_number(write, line, why):
    with pytest.raises(InputError, match=r"line 3 refused") as refused:
        read_book(write(HEADER + "1,USDC,,\n" + line + "\n"))

    assert why in str(refused.value)


def test_blank_lines_and_the_mark_of_a_spreadsheet_change_nothing(write):
    book = read_book(write("\ufeff" + HEADER + "\n , , ,\n2, SPXW 2023-03-24 P 3900 PM , ,\n"))

    assert [(p.instrument.id, p.quantity) for p in book] == [("SPXW 2023-03-24 P 3900 PM", Decimal(2))]


def test_a_refusal_counts_blank_lines_too(write):
    with pytest.raises(InputError, match="line 5 refused"):
        read_book(write(HEADER + "\n\n\nnan,USDC,,\n"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty or has other columns"),
        ("amount,thing\n1,USDC\n", "it is empty or has other columns"),
        (HEADER, "it holds no position"),
        (HEADER + "\n\n", "it holds no position"),
        (HEADER + '1,"USD,,\n', "line 2 is no CSV"),
    ],
)
def test_a_file_without_rows_or_with_other_columns_is_refused(write, text, why):
    with pytest.raises(InputError, match=why):
        read_book(write(text))


@pytest.mark.parametrize(("made", "why"), [(b"\xff\xfe\x00", "no text from byte 0 on"), (None, "Is a directory")])
def test_what_is_no_text_file_is_refused(tmp_path, made, why):
    path = tmp_path / "book.csv"
    path.mkdir() if made is None else path.write_bytes(made)

    with pytest.raises(InputError, match=why):
        read_book(path)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="not read"):
        read_book(tmp_path / "none.csv")
