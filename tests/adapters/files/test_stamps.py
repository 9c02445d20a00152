"""Dates and instants in the languages that browsers write them in."""

from datetime import UTC, date, datetime

import pytest

from adapters.files.stamps import written_date, written_instant


@pytest.mark.parametrize(
    "text",
    [
        "February 7, 2023 at 5:34 PM EST",
        "February 7 2023, 5:34 PM EST",
        "7. Februar 2023 um 17:34 GMT-5",
        "7 de febrero de 2023, 17:34 GMT-5",
        "7 de febrero de 2023, 5:34 p. m. EST",
        "7 février 2023 à 17:34 UTC−5",
        "7 de fevereiro de 2023 às 17:34 GMT-5",
        "7 febbraio 2023 alle ore 17:34 GMT-5",
        "7 februari 2023 om 17:34 GMT-5",
        "7 февраля 2023 г. в 17:34 GMT-5",
        "2023年2月7日 GMT-5 17:34",
        "2023-02-07 22:34 UTC",
        "2023-02-07 17:34 ET",
    ],
)
def test_one_instant_reads_the_same_in_every_language(text: str) -> None:
    assert written_instant(text) == datetime(2023, 2, 7, 22, 34, tzinfo=UTC)


@pytest.mark.fault("F79")
@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("March 7, 2026 at 4:15 PM EST", 21),
        ("March 9, 2026 at 4:15 PM EDT", 20),
        ("October 31, 2026 at 4:15 PM EDT", 20),
        ("November 2, 2026 at 4:15 PM EST", 21),
        ("June 11, 2022, 12:05 AM EDT", 4),
        ("June 11, 2022, 12:05 PM EDT", 16),
    ],
)
def test_the_clock_is_new_yorks_on_that_day(text: str, hour: int) -> None:
    instant = written_instant(text)

    assert instant is not None
    assert instant.hour == hour


@pytest.mark.parametrize(
    "text", ["", "February 7, 2023 at 5:34 PM", "7/2/2023 17:34 GMT-5", "February 7, 2023 EST", "31 juin 2023 17:34 ET"]
)
def test_what_leaves_something_to_guess_is_no_instant(text: str) -> None:
    assert written_instant(text) is None


@pytest.mark.parametrize(
    "text", ["Fr Juni 10 2022", "ven 10 juin 2022", "Fri Jun 10 2022", "vie 10 jun 2022", "10 giugno 2022"]
)
def test_expiration_columns_name_the_same_day(text: str) -> None:
    assert written_date(text) == date(2022, 6, 10)
