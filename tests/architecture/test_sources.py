from engine.policy.rule_table import MEMBERS, RULES
from tests.architecture.sources import PAGE, ids, listed, marked, page


def test_the_page_is_made_from_what_stands():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m tests.architecture.sources`"


def test_every_id_of_the_method_is_listed():
    says, _ = listed()

    assert set(says) == (
        {f"S{n:02d}" for n in range(1, 93)} | {f"X{n:02d}" for n in range(1, 18)} | {f"D{n:02d}" for n in range(1, 37)}
    )


def test_every_id_has_a_test_or_says_what_is_missing():
    says, pending = listed()
    tests = marked()

    assert sorted(id for id in says if id not in tests and id not in pending) == []


def test_nothing_is_pending_that_a_test_asserts():
    _, pending = listed()

    assert sorted(set(pending) & set(marked())) == []


def test_no_mark_names_an_id_that_is_not_listed():
    says, _ = listed()

    assert sorted(set(marked()) - set(says)) == []


def test_no_rule_or_seat_is_without_a_source():
    says, _ = listed()

    for source in (*(rule.source for rule in RULES), *(member.source for member in MEMBERS)):
        assert ids(source)
        assert ids(source) <= set(says)
