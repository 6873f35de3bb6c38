"""Rate limits: counted in the database, whatever happens to processes, Redis or headers (S10, S11, S33)."""

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa
from limits.storage import MemoryStorage

from portal import create_app
from portal.core import clock, throttle
from portal.core.db import db
from portal.core.errors import TooMany
from portal.core.throttle import Limit, ThrottleCount, WithSpare
from tests.support import databases
from tests.support.page import Visitor

THREE = Limit("three", "3/15 minutes")


def rows():
    db.session.rollback()
    return db.session.scalar(sa.select(sa.func.count(ThrottleCount.id)))


def another_app(app, tmp_path, **changes):
    """The portal started once more over the same database."""
    other = create_app(databases.settings(db.engine.url.render_as_string(hide_password=False), tmp_path, **changes))
    other.config.update(TESTING=True, JOBS_MUTED=True)
    return other


def closed(app):
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def try_to_sign_in(visitor, status, email="agent@atelier-nuage.example", **headers):
    response = visitor.client.post("/sign-in", data={"email": email, "password": "not this one", "csrf_token": visitor.csrf_token()}, headers=headers)
    assert response.status_code == status, response.get_data(as_text=True)[-2000:]
    return response


# --- counting


def test_a_limit_takes_so_many_and_no_more(app):
    for _ in range(3):
        throttle.hit(THREE, "somebody")

    with pytest.raises(TooMany) as refusal:
        throttle.hit(THREE, "somebody")
    assert 890 < refusal.value.retry_after <= 901
    throttle.hit(THREE, "somebody else")


def test_a_limit_opens_again_when_its_window_is_over(app):
    for _ in range(3):
        throttle.hit(THREE, "somebody")

    with clock.shifted(timedelta(minutes=10)):
        with pytest.raises(TooMany) as refusal:
            throttle.hit(THREE, "somebody")
        assert 290 < refusal.value.retry_after <= 301
    with clock.shifted(timedelta(minutes=15, seconds=1)):
        throttle.hit(THREE, "somebody")


def test_a_clock_that_ran_ahead_locks_nobody_out_when_it_is_set_right(app):
    """S11: counts of next year would last until then."""
    with clock.shifted(timedelta(days=365)):
        throttle.hit(THREE, "somebody", times=3)
        throttle.hit(THREE, "somebody else", times=3)

    throttle.check(THREE, "somebody")
    throttle.hit(THREE, "somebody")
    assert throttle.sweep() == 1
    throttle.hit(THREE, "somebody", times=2)
    with pytest.raises(TooMany):
        throttle.hit(THREE, "somebody")


def test_going_on_trying_does_not_lengthen_the_wait(app):
    """S11: nobody is locked out for good."""
    for minutes in range(15):
        with clock.shifted(timedelta(minutes=minutes)):
            try:
                throttle.hit(THREE, "somebody")
            except TooMany:
                assert minutes >= 3

    with clock.shifted(timedelta(minutes=15, seconds=1)):
        throttle.hit(THREE, "somebody")


def test_a_bulk_action_counts_as_many_times(app):
    with pytest.raises(TooMany):
        throttle.hit(THREE, "somebody", times=4)


def test_asking_does_not_count(app):
    for _ in range(9):
        throttle.check(THREE, "somebody")
    throttle.hit(THREE, "somebody", times=3)

    with pytest.raises(TooMany):
        throttle.check(THREE, "somebody")


def test_what_turned_out_well_is_given_back_or_forgiven(app):
    throttle.hit(THREE, "somebody", times=3)
    throttle.give_back(THREE, "somebody")
    throttle.hit(THREE, "somebody")
    throttle.forgive(THREE, "somebody")
    throttle.hit(THREE, "somebody", times=3)


def test_the_database_does_not_hold_who_it_was(app):
    throttle.hit(THREE, "camille@papeterie.example")

    assert "camille" not in db.session.scalar(sa.select(ThrottleCount.key))


def test_what_is_over_is_swept_and_nothing_else(app):
    throttle.hit(THREE, "early")
    with clock.shifted(timedelta(minutes=10)):
        throttle.hit(THREE, "late")
    assert rows() == 2

    with clock.shifted(timedelta(minutes=20)):
        assert throttle.sweep() == 1
        assert rows() == 1
        with pytest.raises(TooMany):
            throttle.hit(THREE, "late", times=3)


def test_many_at_the_same_moment_do_not_exceed_it(app):
    """S29"""
    limit, taken, start = Limit("ten", "10/hour"), [], threading.Barrier(6)

    def work():
        with app.app_context():
            start.wait()
            for _ in range(5):
                try:
                    throttle.hit(limit, "everybody")
                    taken.append(1)
                except TooMany:
                    pass

    db.session.remove()
    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(taken) == 10


# --- over restarts and without Redis


def test_limits_hold_over_a_restart(app, tmp_path):
    throttle.hit(THREE, "somebody", times=3)
    db.session.remove()

    restarted = another_app(app, tmp_path)
    with restarted.app_context(), pytest.raises(TooMany):
        throttle.hit(THREE, "somebody")
    closed(restarted)


def test_limits_hold_while_redis_is_gone(app, tmp_path, caplog):
    """Nothing listens there: the database counts, and the log says so once."""
    db.session.remove()
    without = another_app(app, tmp_path, redis_url="redis://127.0.0.1:1/0")

    with without.app_context():
        throttle.hit(THREE, "somebody", times=3)
        with pytest.raises(TooMany) as refusal:
            throttle.hit(THREE, "somebody")
        throttle.forgive(THREE, "somebody")
        throttle.hit(THREE, "somebody")

    closed(without)
    assert refusal.value.retry_after > 800
    assert [record.message for record in caplog.records if "Redis" in record.message] == [
        "Redis does not answer (ConnectionError); limits are counted in the database"
    ]


def test_redis_is_used_again_when_it_is_back(app, monkeypatch):
    class Flaky(MemoryStorage):
        gone = True
        base_exceptions = ConnectionError

        def incr(self, *arguments, **options):
            if self.gone:
                raise ConnectionError
            return super().incr(*arguments, **options)

    flaky = Flaky()
    limiter = WithSpare(flaky, throttle.DatabaseStorage())
    monkeypatch.setattr(limiter, "REST", 0)
    monkeypatch.setitem(app.extensions["throttle"], False, limiter)

    throttle.hit(THREE, "somebody")
    assert rows() == 1
    flaky.gone = False
    throttle.hit(THREE, "somebody else")

    assert rows() == 1


# --- over HTTP


def test_too_many_guesses_are_answered_with_when_to_try_again(app, people):
    """S10, S11"""
    visitor = people.visitor()
    for _ in range(10):
        try_to_sign_in(visitor, 422)

    response = try_to_sign_in(visitor, 429)

    assert 0 < int(response.headers["Retry-After"]) <= 901
    assert "Wait 15 minutes" in response.get_data(as_text=True)
    try_to_sign_in(visitor, 422, email="sales@atelier-nuage.example")
    with clock.shifted(timedelta(minutes=16)):
        try_to_sign_in(people.visitor(), 422)


def test_a_forwarded_address_resets_no_count(app, people, monkeypatch):
    """S11, S33: without a trusted proxy the header is nobody's word."""
    monkeypatch.setattr(throttle, "SIGN_IN_ADDRESS", Limit("sign-in-address", "3/15 minutes"))
    for number in range(3):
        try_to_sign_in(
            people.visitor(), 422, f"n{number}@nowhere.example", **{"X-Forwarded-For": f"203.0.113.{number}", "Forwarded": f"for=203.0.113.{number}"}
        )

    try_to_sign_in(people.visitor(), 429, "n9@nowhere.example", **{"X-Forwarded-For": "203.0.113.9", "X-Real-Ip": "203.0.113.9"})


def test_behind_a_trusted_proxy_its_word_counts_and_no_other(app, tmp_path, monkeypatch):
    """S33: only the address that the proxy itself added."""
    monkeypatch.setattr(throttle, "SIGN_IN_ADDRESS", Limit("sign-in-address", "3/15 minutes"))
    db.session.remove()
    proxied = another_app(app, tmp_path, trusted_proxies=1)
    for number in range(3):
        try_to_sign_in(Visitor(proxied), 422, f"n{number}@nowhere.example", **{"X-Forwarded-For": f"198.51.100.{number}, 203.0.113.7"})

    try_to_sign_in(Visitor(proxied), 429, "n8@nowhere.example", **{"X-Forwarded-For": "198.51.100.8, 203.0.113.7"})
    try_to_sign_in(Visitor(proxied), 422, "n9@nowhere.example", **{"X-Forwarded-For": "198.51.100.8, 203.0.113.8"})
    closed(proxied)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8:1:2:a:b:c:d", "2001:db8:1:2::1", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("203.0.113.7", "203.0.113.8", False),
        ("203.0.113.7", "::ffff:203.0.113.7", True),
    ],
)
def test_of_ipv6_a_line_counts_and_not_its_many_addresses(app, first, second, same):
    """S10, S11"""

    def counted(address):
        with app.test_request_context(environ_base={"REMOTE_ADDR": address}):
            return throttle.visitor()

    assert (counted(first) == counted(second)) == same


def test_no_address_at_all_is_counted_too(app):
    with app.test_request_context(environ_base={"REMOTE_ADDR": ""}):
        assert throttle.visitor() == ""
