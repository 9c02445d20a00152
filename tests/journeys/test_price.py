"""`hedge price`: any contract in one line, with greeks, units and assumptions; nothing that cannot be priced."""

import json

import pytest
import typer

from scripts.hedge import run
from scripts.price import price
from tests.adapters.files.chains import recorded

app = typer.Typer()
app.command("price")(price)


@app.callback()
def _words() -> None:
    """Keep `price` a word of its own."""


def told(capsys, *arguments, code=0):
    """What the verb wrote, as JSON when it was asked for."""
    assert run(app, ["price", *map(str, arguments)]) == code
    said = capsys.readouterr()
    if code:
        assert said.out == ""
        assert len(said.err.strip().splitlines()) == 1
        return said.err
    return json.loads(said.out) if "--json" in arguments else said.out


@pytest.mark.journey
def test_a_listed_option_is_priced_with_every_greek_and_its_quote(capsys):
    document = told(capsys, "SPXW 2018-05-11 P 2600", "--json")

    (row,) = document["instruments"]
    assert document["schema"] == "hedge/price/1"
    assert row["option"]["bid"] * 100 <= row["value"] <= row["option"]["ask"] * 100
    assert row["option"]["quoted_vol"] == pytest.approx(row["option"]["vol"], abs=1e-6)
    assert set(row["greeks"]["SPX"]) == {"delta", "skew", "gamma", "vega", "theta", "vanna", "volga"}
    assert set(row["greeks"]["SPX"]) < set(document["units"])
    assert -1 < row["option"]["delta_per_point"] < 0
    assert row["notes"] == []


@pytest.mark.journey
def test_what_the_chain_does_not_list_is_priced_off_the_smile_and_says_so(capsys):
    said = told(capsys, "SPXW 2018-05-16 P 2601")

    assert "is not listed: priced off the smile between its neighbouring expiries" in said
    assert "SPX option chain" in said  # that the market itself is modelled


@pytest.mark.journey
def test_a_book_of_both_domains_is_valued_whole(capsys, tmp_path):
    book = tmp_path / "book.csv"
    book.write_text(
        "quantity,instrument,sleeve,venue\n"
        "-10,SPXW 2018-05-11 P 2500,,\n10,SPXW 2018-05-11 P 2450,,\n5,VX 2018-05-16,,\n"
        "20,WETH,,\n-4000,aave debt DAI,,\n-2,perp-v2 WETH perp,,\n0.5,squeeth WETH squared,,\n300,VIXY share,,\n",
        encoding="utf-8",
    )
    marks = ["VIXY share=25.1", "perp-v2 WETH perp=702,funding=12%", "squeeth WETH squared=0.6,vol=90%"]

    document = told(capsys, "--book", book, "--json", *(word for mark in marks for word in ("--mark", mark)))

    rows = {row["instrument"]: row for row in document["instruments"]}
    assert len(rows) == 8
    assert rows["VIXY share"]["value"] == 25.1
    assert not rows["perp-v2 WETH perp"]["holding"]
    assert set(document["book"]["greeks"]) == {"ETH", "SPX", "VIX", "stablecoins"}
    ether = document["book"]["greeks"]["ETH"]["delta"]
    by_hand = 20 * rows["WETH"]["value"] - 2 * 702 + 0.5 * 2 * rows["squeeth WETH squared"]["value"]
    assert ether == pytest.approx(by_hand, abs=0.01)


@pytest.mark.journey
def test_a_recorded_chain_prices_the_strike_it_lists_inside_its_own_quote(capsys):
    chain = recorded("chains/spx-2023-02-07.csv")

    document = told(capsys, "SPXW 2023-03-24 P 3900", "--chain", chain, "--json")

    option = document["instruments"][0]["option"]
    assert option["bid"] * 100 <= document["instruments"][0]["value"] <= option["ask"] * 100
    assert document["instruments"][0]["option"]["extrinsic"] > 0


@pytest.mark.journey
@pytest.mark.requirement("D20")
def test_an_estimated_beta_of_a_reit_is_shrunk_towards_its_size_bucket(capsys, tmp_path):
    """0.6 and 1.0, each with an error of 0.3, meet at 0.8: 100 shares at 53 move as 4,240 USD of index."""
    book = tmp_path / "reit.csv"
    book.write_text("quantity,instrument,sleeve,venue\n100,O share,,\n", encoding="utf-8")
    mark = "O share=53,beta=0.6,error=0.3,bucket=1.0,bucket_error=0.3"

    document = told(capsys, "--book", book, "--json", "--mark", mark)

    assert document["book"]["greeks"]["SPX"]["delta"] == pytest.approx(4240)


@pytest.mark.journey
@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        ([], 2, "nothing to price"),
        (["SPXW yesterday P 1"], 2, "refused"),
        (["SPXW 2018-04-20 P 2600"], 2, "expired"),
        (["SPXW 2022-04-22 P 2600"], 30, "no smile"),
        (["VIXY share"], 30, "no mark"),
        (["VIXY share", "--mark", "VIXY share=nan"], 2, "no number"),
        (["VIXY share", "--mark", "VIXY share=-3"], 2, "above zero"),
        (["VIXY share", "--mark", "VIXY share=25,colour=1"], 2, "unknown colour"),
        (["O share", "--mark", "O share=53,beta=0.6,error=0.3"], 2, "comes with error, bucket, bucket_error"),
        (["WETH", "--mark", "SPXW 2018-05-11 P 2600=3"], 2, "takes no such mark"),
        (["WETH", "--book", "absent.csv"], 2, "not read"),
        (["WETH", "--chain", "absent.csv"], 30, "absent"),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else "",
)
def test_what_cannot_be_priced_is_refused_in_one_line(capsys, arguments, code, why):
    assert why in told(capsys, *arguments, code=code)
