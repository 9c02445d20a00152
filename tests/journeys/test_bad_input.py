"""Wrong input: one line that says what, why and what to do; a stable code; nothing written, no traceback."""

import pytest

from tests.journeys.conftest import within

CASES = [
    (["--bogus"], 2),
    (["market", "inspect", "--bogus", "x"], 2),
    (["market", "inspect"], 2),
    (["market", "inspect", "absent.csv"], 30),
    (["market", "inspect", "nan.csv"], 30),
    (["market", "inspect", "empty.csv"], 30),
    (["plan", "new"], 78),
    (["plan", "show", "absent.json"], 2),
    (["plan", "show", "empty.csv"], 11),
    (["approve", "empty.csv", "--key", "k"], 11),
    (["apply", "absent.json"], 2),
    (["report"], 78),
    (["reconcile"], 78),
    (["ledger", "verify"], 78),
    (["demo", "--day", "yesterday"], 2),
    (["demo", "--day", "1950-01-01"], 30),
    (["demo", "--chain", "absent.csv"], 30),
    (["demo", "--policy", "cap.toml"], 78),
    (["demo", "--policy", "fifteen.toml"], 78),
    (["demo", "--policy", "unknown.toml"], 78),
    (["demo", "--backend", "ganache"], 2),
    (["demo", "--rpc", "http://127.0.0.1:1"], 20),
    (["init", "."], 2),
    (["simulate", "fork", "absent.json"], 2),
    (["surface", "absent.csv"], 30),
    (["surface", "nan.csv"], 30),
    (["surface", "."], 30),
    (["price"], 2),
    (["price", "SPXW 2018-05-12 P 2600"], 2),
    (["margin"], 2),
    (["margin", "--book", "saturday.csv"], 2),
    (["stress", "--book", "empty.csv"], 2),
    (["stress", "--book", "."], 2),
    (["allocate", "--book", "mixed.csv"], 2),
]
pytestmark = [pytest.mark.journey]
FILES = {
    "empty.csv": "",
    "nan.csv": (
        "\nIndex,Last: 4164,Change: 1\n"
        '"Date: February 7, 2023 at 5:34 PM EST",Bid: 1,Ask: 2,Size: 1*1,Volume: 0\n'
        "Expiration Date,Calls,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest,Strike,"
        "Puts,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest\n"
        "Fri Mar 03 2023,SPXW230303C04000000,0,0,NaN,2,0,0,0,0,0,4000.00,SPXW230303P04000000,0,0,1,2,0,0,0,0,0\n"
    ),
    "saturday.csv": "quantity,instrument,sleeve,venue\n1,SPXW 2018-05-12 P 2600,,\n",
    "mixed.csv": "quantity,instrument,sleeve,venue\n1,SPX 2018-05-18 P 2600 PM,,\n",
    "cap.toml": '[limits]\nsleeve_cap = "26%"\n',
    "fifteen.toml": "[limits]\nsleeve_cap = 15\n",
    "unknown.toml": "[limits]\nsleeve_max = 1\n",
}


@pytest.mark.parametrize(("arguments", "code"), CASES, ids=[" ".join(a) for a, _ in CASES])
def test_wrong_input_is_refused_in_one_line_before_any_effect(tmp_path, arguments, code):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")

    ran = within(*arguments, cwd=tmp_path)

    assert ran.returncode == code, ran.stderr
    assert ran.stdout == ""
    assert len(ran.stderr.strip().splitlines()) == 1, ran.stderr
    assert ran.stderr.startswith("hedge: ")
    assert "Traceback" not in ran.stderr
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)
