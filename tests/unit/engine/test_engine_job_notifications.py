"""One subscriber is notified for each activatable job, and no job is missed while a subscriber waits."""

import pytest

from services.engine import job_notifications
from services.engine.job_notifications import JobNotifications


def test_as_many_are_notified_as_there_are_jobs_the_first_subscriber_first() -> None:
    notifications = JobNotifications()
    first, second, third = (notifications.subscribe("work") for _ in range(3))
    other = notifications.subscribe("other")

    notifications.notify("work")
    assert [one.is_set() for one in (first, second, third, other)] == [True, False, False, False]
    notifications.notify("work", 2)
    assert [one.is_set() for one in (first, second, third, other)] == [True, True, True, False]
    notifications.notify("nobody waits for this")


def test_a_subscriber_that_leaves_without_a_job_notifies_the_next() -> None:
    notifications = JobNotifications()
    gone, served, last = (notifications.subscribe("work") for _ in range(3))

    notifications.notify("work")
    notifications.unsubscribe("work", gone)
    assert [one.is_set() for one in (served, last)] == [True, False]

    served.clear()
    notifications.pause("work", served)
    notifications.unsubscribe("work", served)
    assert not last.is_set()
    notifications.unsubscribe("work", last)
    assert notifications.count("work") == 0


def test_all_are_notified_at_the_end() -> None:
    notifications = JobNotifications()
    waiting = [notifications.subscribe("work"), notifications.subscribe("other")]

    notifications.notify_all()

    assert all(one.is_set() for one in waiting)


def test_a_delivering_subscriber_is_paused_until_it_subscribes_again() -> None:
    notifications = JobNotifications()
    delivering, other = notifications.subscribe("work"), notifications.subscribe("work")
    notifications.notify("work")

    notifications.pause("work", delivering)
    assert [delivering.is_set(), other.is_set()] == [False, True]

    other.clear()
    notifications.notify("work", 2)
    assert [delivering.is_set(), other.is_set()] == [False, True]
    assert notifications.count("work") == 2


def test_a_type_counts_as_asked_for_until_nobody_has_asked_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(job_notifications.time, "monotonic", lambda: now[0])
    notifications = JobNotifications()
    assert notifications.was_asked("work")  # perhaps before this engine began

    now[0] += job_notifications.SILENT_SECONDS
    assert not notifications.was_asked("work")
    event = notifications.subscribe("work")
    now[0] += 3600
    assert notifications.was_asked("work")
    assert not notifications.was_asked("other")
    notifications.unsubscribe("work", event)
    assert notifications.was_asked("work")
    now[0] += job_notifications.SILENT_SECONDS
    assert not notifications.was_asked("work")


def test_no_flood_of_types_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_notifications, "_MOST_TYPES", 3)
    notifications = JobNotifications()
    for number in range(9):
        notifications.unsubscribe(f"type-{number}", notifications.subscribe(f"type-{number}"))
    assert len(notifications._last_asked) == 3
