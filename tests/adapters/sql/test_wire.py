from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.sql.chain import GENESIS, link
from adapters.sql.schema import written_instant
from adapters.sql.wire import Sides, canonical, digest, instrument_text, read_instrument, written
from engine.entries import Account, Entry, Leg
from engine.errors import InputError
from engine.instruments import Cash
from engine.ledger import posting
from engine.money import Currency, Money, usd
from tests.engine.ledger.events import PUT, START, cash, fill, held, journals, steady

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=10)


@settings(steady, max_examples=50)
@given(entries=journals(most=4), memo=texts, evidence=st.dictionaries(texts, texts, max_size=3))
@example(entries=[], memo='"\\ \x1f  ', evidence={"b": "", "a": '"'})
def test_an_entry_written_by_hand_is_its_canonical_text(entries, memo, evidence):
    for entry in [posting.capital(cash(usd(1)), key=memo, at=START), *entries]:
        mine = replace(entry, memo=memo, evidence=evidence)

        text = written(mine, Sides())

        assert text.body == canonical(
            {
                "key": mine.key,
                "at": written_instant(mine.at),
                "memo": memo,
                "status": mine.status.value,
                "evidence": evidence,
                "legs": [
                    {
                        "account": leg.account,
                        "instrument": digest(instrument_text(leg.instrument)),
                        "units": str(leg.amount.units),
                    }
                    for leg in mine.legs
                ],
            }
        )
        assert text.evidence == canonical(evidence)


@settings(steady, max_examples=50)
@given(kind=texts, key=texts, at=texts, body=texts)
def test_a_link_covers_the_canonical_list_of_its_texts(kind, key, at, body):
    whole = canonical(["7", kind, key, at, body, GENESIS])

    assert link(7, kind, key, at, body, GENESIS) == digest(whole)


@pytest.mark.parametrize("text", ["nul \0 inside", "half \ud800 a pair"])
@pytest.mark.parametrize("place", ["key", "memo", "account", "evidence", "name"])
def test_text_that_no_database_holds_is_refused_before_anything_is_written(journal, text, place):
    legs = tuple(
        Leg(
            Account(f"assets:defi:{text}" if place == "account" else "assets:defi:safe"),
            Money(sign, token.currency),
            token,
        )
        for token in (Cash(Currency("X", 0)),)
        for sign in (1, -1)
    )
    whole = Entry("k", START, "m", legs)
    changed = {"key": {"key": text}, "memo": {"memo": text}, "name": {"evidence": {text: ""}}}
    bad = whole if place == "account" else replace(whole, **changed.get(place, {"evidence": {"e": text}}))

    with pytest.raises(InputError, match="clean the venue's message"):
        journal.post([posting.capital(cash(usd(1)), key="good", at=START), bad])

    assert journal.tip() == (0, GENESIS)


def test_text_that_only_looks_like_a_nul_is_kept(journal):
    plain = posting.capital(cash(usd(1)), key="k", at=START, memo="\\u0000 and 🦔")

    journal.post([plain])

    assert journal.entries() == [plain]
    assert journal.verify() is None


def test_equal_instruments_have_one_digest_and_are_told_apart_from_others():
    sides = Sides()
    legs = posting.entry_for(fill("f", held(PUT, 1), cash(usd(-5)))).legs

    named = {sides.of(leg.account, leg.instrument)[1] for leg in legs}

    assert len(named) == 2
    assert {sides.of(leg.account, replace(leg.instrument))[1] for leg in legs} == named


def test_the_text_of_an_instrument_never_changes_when_its_kind_gains_a_term():
    """As journals have it since their first version; their entries name instruments by its digest."""
    option = (
        '{"currency":{"code":"USD","decimals":2},"decimals":0,"expiry":"2023-03-24T20:00:00+00:00","kind":"option",'
        '"multiplier":"100","right":"P","root":"SPXW","settlement":"PM","strike":"3800","underlying":"SPX"}'
    )

    assert instrument_text(PUT) == option
    assert read_instrument(option) == PUT
    assert instrument_text(Cash(Currency("USDC", 6))) == '{"currency":{"code":"USDC","decimals":6},"kind":"cash"}'
