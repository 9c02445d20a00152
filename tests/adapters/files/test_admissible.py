import re
from pathlib import Path

from adapters.files.admissible import ADMISSIBLE
from adapters.files.observations import RECORDED
from engine.signals.catalogue import names

PAGE = Path(__file__).resolve().parents[3] / "docs" / "observations.md"


def documented() -> dict[str, tuple[str, str]]:
    """Unit and range of each name in the page's table."""
    text = PAGE.read_text(encoding="utf-8").split("## Names the signals read")[1]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if "`" in line]
    return {name: (unit, span) for names, _, unit, span in rows for name in re.findall(r"`(\w+)`", names)}


def test_the_page_gives_every_unit_and_range_as_they_are_checked():
    assert documented() == {name: (one.unit, str(one)) for name, one in ADMISSIBLE.items()}


def test_every_name_that_is_read_or_recorded_has_a_range():
    read = {name for signal in names().values() for name in signal.inputs} | {part.name for part in RECORDED}

    assert sorted(read - set(ADMISSIBLE)) == []


def test_recorded_histories_are_in_the_units_of_the_table():
    assert {part.name: part.unit for part in RECORDED} == {part.name: ADMISSIBLE[part.name].unit for part in RECORDED}
