"""For each job that may be fetched one of those who wait is woken, and no job is left while somebody waits."""

from services.engine.job_notifications import JobNotifications


def test_as_many_are_woken_as_there_are_jobs_and_the_first_before_the_others() -> None:
    notifications = JobNotifications()
    first, second, third = (notifications.subscribe("work") for _ in range(3))
    other = notifications.subscribe("other")

    notifications.notify("work")
    assert [one.is_set() for one in (first, second, third, other)] == [True, False, False, False]
    notifications.notify("work", 2)
    assert [one.is_set() for one in (first, second, third, other)] == [True, True, True, False]
    notifications.notify("nobody waits for this")


def test_whoever_leaves_without_a_job_wakes_the_next() -> None:
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


def test_all_are_woken_at_the_end() -> None:
    notifications = JobNotifications()
    waiting = [notifications.subscribe("work"), notifications.subscribe("other")]

    notifications.notify_all()

    assert all(one.is_set() for one in waiting)


def test_who_delivers_is_passed_over_until_it_watches_again() -> None:
    notifications = JobNotifications()
    delivering, other = notifications.subscribe("work"), notifications.subscribe("work")
    notifications.notify("work")

    notifications.pause("work", delivering)
    assert [delivering.is_set(), other.is_set()] == [False, True]

    other.clear()
    notifications.notify("work", 2)
    assert [delivering.is_set(), other.is_set()] == [False, True]
    assert notifications.count("work") == 2
