"""For each job that may be fetched one of those who wait is woken, and no job is left while somebody waits."""

from services.engine.waiting import JobWaiters


def test_as_many_are_woken_as_there_are_jobs_and_the_first_before_the_others() -> None:
    waiters = JobWaiters()
    first, second, third = (waiters.watch("work") for _ in range(3))
    other = waiters.watch("other")

    waiters.wake("work")
    assert [one.is_set() for one in (first, second, third, other)] == [True, False, False, False]
    waiters.wake("work", 2)
    assert [one.is_set() for one in (first, second, third, other)] == [True, True, True, False]
    waiters.wake("nobody waits for this")


def test_whoever_leaves_without_a_job_wakes_the_next() -> None:
    waiters = JobWaiters()
    gone, served, last = (waiters.watch("work") for _ in range(3))

    waiters.wake("work")
    waiters.leave("work", gone)
    assert [one.is_set() for one in (served, last)] == [True, False]

    served.clear()
    waiters.pass_over("work", served)
    waiters.leave("work", served)
    assert not last.is_set()
    waiters.leave("work", last)
    assert waiters.number("work") == 0


def test_all_are_woken_at_the_end() -> None:
    waiters = JobWaiters()
    waiting = [waiters.watch("work"), waiters.watch("other")]

    waiters.wake_all()

    assert all(one.is_set() for one in waiting)


def test_who_delivers_is_passed_over_until_it_watches_again() -> None:
    waiters = JobWaiters()
    delivering, other = waiters.watch("work"), waiters.watch("work")
    waiters.wake("work")

    waiters.pass_over("work", delivering)
    assert [delivering.is_set(), other.is_set()] == [False, True]

    other.clear()
    waiters.wake("work", 2)
    assert [delivering.is_set(), other.is_set()] == [False, True]
    assert waiters.number("work") == 2
