"""One-time links and codes (S15, S18, S21, S22)."""

import threading
from datetime import timedelta

import pytest

from portal.core import clock, tokens
from portal.core.db import db, writing
from portal.core.tokens import OneTimeLink

DAY = timedelta(days=1)


@pytest.fixture
def link(app):
    with writing():
        made = tokens.issue("test", at=clock.now(), lifetime=DAY)
        db.session.commit()
        return made


def test_a_link_is_long_unlike_any_other_and_opens_one_purpose(app, link):
    """S21: 160 bits."""
    others = {tokens.issue("test", at=clock.now(), lifetime=DAY).token for _ in range(50)}

    assert len(link.token) == 27
    assert len(others | {link.token}) == 51
    assert tokens.look_up("test", link.token).id == link.id
    assert tokens.look_up("other", link.token) is None
    db.session.rollback()


@pytest.mark.parametrize("token", ["", "x", "é" * 27, "a" * 27, "a" * 5000, "../../etc/passwd/aaaaaaaaaaa", "%00" * 9])
def test_what_was_never_issued_opens_nothing(app, token):
    assert tokens.look_up("test", token) is None


def test_a_link_works_once(link):
    """S15"""
    assert tokens.use(link, at=clock.now())
    assert not tokens.use(link, at=clock.now())
    assert not link.usable(clock.now())


def test_a_link_runs_out(link):
    assert link.usable(clock.now())
    assert not link.usable(clock.now() + DAY)
    assert not tokens.use(link, at=clock.now() + DAY)


def test_a_new_link_kills_the_old_one_and_a_withdrawn_one_is_dead(link):
    """S15"""
    old = link.token
    tokens.renew(link, at=clock.now(), lifetime=DAY)
    db.session.flush()

    assert tokens.look_up("test", old) is None
    assert tokens.look_up("test", link.token) is link
    link.revoked_at = clock.now()
    assert not tokens.use(link, at=clock.now())
    db.session.rollback()


def test_one_of_many_at_the_same_moment_gets_it(app, link):
    """S29"""
    link_id, taken, start = link.id, [], threading.Barrier(5)
    db.session.remove()

    def work():
        with app.app_context(), writing():
            start.wait()
            mine = db.session.get(OneTimeLink, link_id)
            taken.append(tokens.use(mine, at=clock.now()))
            db.session.commit()
            db.session.remove()

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(taken) == [False] * 4 + [True]


def test_guessing_a_code_is_stopped_after_a_few_tries(link):
    """S18: then the right one does not help either."""
    wrong = f"{(int(link.code) + 1) % 1_000_000:06d}"
    assert len(link.code) == 6

    for _ in range(tokens.GUESSES):
        assert not tokens.code_matches(link, wrong, at=clock.now())

    assert not tokens.code_matches(link, link.code, at=clock.now())


def test_a_code_may_be_typed_with_spaces_and_works_once(link):
    spaced = f" {link.code[:3]} {link.code[3:]} "

    assert tokens.code_matches(link, spaced, at=clock.now())
    assert not tokens.code_matches(link, spaced, at=clock.now())


@pytest.mark.parametrize("typed", ["", "٠١٢٣٤٥", "1234567", "é" * 6, "0" * 1000])
def test_what_is_no_code_is_a_wrong_guess(link, typed):
    if typed != link.code:
        assert not tokens.code_matches(link, typed, at=clock.now())
