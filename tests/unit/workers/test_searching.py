"""Where footage is looked for, and how often: by both readings of a clock, a little more, and again what is missing."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from asked_recorder import Asked, widened
from custody_desk import FILMED, Case, Desk

from services.database.tables.applications import Item
from services.database.tables.audit import AuditEvent
from services.database.tables.cameras import Recorder
from services.database.tables.copies import Copy
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.tables.preservations import Preservation
from services.database.tables.protections import Protection
from services.database.tables.upload_attempts import UploadAttempt
from services.domain.cameras import clocks, protections
from services.domain.custody import closing
from services.recorders.protocol import RecorderDown
from services.runtime.errors import Fatal
from services.runtime.spans import Span
from services.workers import encrypt_copy, preserve_footage, release_preservation, retrieve_footage
from services.workers import retrieve as retrieval

SECOND = timedelta(seconds=1)
INNER = Span(FILMED.start + 8 * SECOND, FILMED.start + 14 * SECOND)  # room on both sides of it
PADDING = retrieval.PADDING.total_seconds()


async def retrieve(desk: Desk, case: Case) -> float:
    done = await desk.work(retrieve_footage, application_id=case.id, item_id=case.item())
    return float(done.coverage)


def record(desk: Desk) -> dict[str, Any]:
    [document] = [row for row in desk.rows(Document) if row.kind == "retrieval-record"]
    content: dict[str, Any] = json.loads(document.content)
    return content


def told(span: Span) -> dict[str, str]:
    return {"start": span.start.isoformat(), "end": span.end.isoformat()}


def pair(span: Span) -> list[str]:
    return [span.start.isoformat(), span.end.isoformat()]


@pytest.mark.requirement("R32", "R35")
async def test_a_little_more_is_asked_for_and_the_rest_is_cut_off_and_stated(desk: Desk) -> None:
    asked = Asked.of(desk)
    case = desk.case("gate", span=INNER).approve()

    assert await retrieve(desk, case) == 1.0

    assert asked.fetched == [widened(INNER, PADDING, PADDING)]
    [master] = desk.rows(Master)
    coverage = master.sealed["coverage"]
    assert coverage["asked"] == pair(INNER)
    assert coverage["requested"] == pair(asked.fetched[0])
    # segments of four seconds: from 0 to 20 came, from 8 to 14 is kept
    assert (coverage["trimmedBeforeMs"], coverage["trimmedAfterMs"]) == (8000, 6000)
    label = desk.label_of(master.sealed)["predicate"]
    assert (label["requested"], label["trimmedBeforeMs"]) == (coverage["requested"], 8000)
    assert record(desk)["obtained"]["trimmedAfterMs"] == 6000


async def test_what_is_broken_beside_the_asked_span_does_no_harm(desk: Desk) -> None:
    files = sorted((desk.recordings / "gate").iterdir())
    for path in (files[1], files[4]):  # from 4 to 8 and from 16 to 20
        path.write_bytes(b"<html>sign in</html>" * 2000)
    case = desk.case("gate", span=INNER).approve()

    assert await retrieve(desk, case) == 1.0
    assert record(desk)["difficulties"] == []


async def test_a_time_stamp_that_is_rough_does_no_harm_behind_a_broken_neighbour(desk: Desk) -> None:
    files = sorted((desk.recordings / "gate").iterdir())
    files[1].write_bytes(b"<html>sign in</html>" * 2000)
    files[2].rename(files[2].with_name(files[2].name.replace("08-000000", "08-030000")))
    case = desk.case("gate", span=INNER).approve()

    assert await retrieve(desk, case) == 1.0
    assert record(desk)["difficulties"] == []


@pytest.mark.requirement("R34")
@pytest.mark.parametrize(("offset", "before", "after"), [(3000, 0.5, 3.5), (-2000, 2.5, 0.5)])
async def test_the_search_goes_by_both_readings_of_the_clock(
    desk: Desk, offset: int, before: float, after: float
) -> None:
    asked = Asked.of(desk, clock=(offset, "api-time", 500))
    desk.change(Recorder, "recorder", clock_offset_ms=offset, clock_method="api-time", clock_uncertainty_ms=500)
    case = desk.case("gate", span=INNER).approve()

    assert await retrieve(desk, case) == 1.0
    await desk.work(encrypt_copy, application_id=case.id, item_id=case.item())

    window = widened(INNER, before, after)
    assert asked.fetched == [widened(window, PADDING, PADDING)]
    [master], [copy] = desk.rows(Master), desk.rows(Copy)
    assert master.sealed["coverage"]["asked"] == copy.sealed["coverage"]["asked"] == pair(window)
    content = record(desk)
    assert content["asked"] == {**told(INNER), "zone": "UTC"}
    assert content["searched"] == told(window)
    assert content["recorderClock"] == {
        **{"zone": "UTC", "offsetMs": offset, "method": "api-time", "uncertaintyMs": 500},
        "measuredAt": desk.clock.now().isoformat(),
    }
    assert f"the recorder's clock is off by {offset} ms" in content["difficulties"]
    for kept in (master, copy):
        label = desk.label_of(kept.sealed)["predicate"]
        assert label["recorder"]["clock"]["offsetMs"] == offset
        first = kept.sealed["coverage"]["firstFrame"]
        assert label["firstFrame"] == first, "a picture keeps the time of its recorder"
        true = datetime.fromisoformat(first) - timedelta(milliseconds=offset)
        assert label["trueTime"]["firstFrame"] == true.isoformat()
    assert content["trueTime"]["firstFrame"] == true.isoformat()


@pytest.mark.requirement("R34")
async def test_what_is_missing_of_the_wider_search_is_partial(desk: Desk) -> None:
    Asked.of(desk, clock=(3000, "api-time", 0))
    desk.change(Recorder, "recorder", clock_offset_ms=3000, clock_method="api-time", clock_uncertainty_ms=0)
    sorted((desk.recordings / "gate").iterdir())[4].unlink()  # from 16 to 20: granted is up to 14, searched up to 17
    case = desk.case("gate", span=INNER).approve()

    assert await retrieve(desk, case) == pytest.approx(8 / 9, abs=0.02)
    assert desk.row(Item, case.item()).outcome == "partial"


@pytest.mark.requirement("R34")
async def test_a_clock_that_is_too_far_off_widens_nothing_and_is_for_security_to_judge(desk: Desk) -> None:
    asked = Asked.of(desk, clock=(-3_600_000, "api-time", 500))
    case = desk.case("gate", span=INNER).approve()

    assert await retrieve(desk, case) == 1.0

    assert asked.fetched == [widened(INNER, PADDING, PADDING)]
    assert record(desk)["searched"] == told(INNER)
    [line] = record(desk)["difficulties"]
    assert line.startswith("the recorder's clock differs by -3600000 ± 500 ms, more than is searched for: Security")


@pytest.mark.requirement("R34")
async def test_a_picture_check_serves_where_the_recorder_tells_no_time(desk: Desk) -> None:
    now = desk.clock.now()
    desk.as_person("operator", clocks.record_comparison, "recorder", now + 2 * SECOND, now, SECOND)
    case = desk.case("gate", span=INNER).approve()

    await retrieve(desk, case)

    assert record(desk)["searched"] == told(widened(INNER, 1, 3))
    assert record(desk)["recorderClock"]["method"] == desk.row(Recorder, "recorder").clock_method == "picture"


async def test_a_quarantine_is_not_held_against_a_measurement_that_differs_a_little(desk: Desk) -> None:
    asked = Asked.of(desk, clock=(1000, "http-date", 500))
    case = desk.case("gate", span=INNER).approve()
    await desk.work(preserve_footage, application_id=case.id)
    [kept] = desk.rows(Preservation)
    assert kept.sealed["coverage"]["asked"] == pair(widened(INNER, 0.5, 1.5))
    assert (kept.asked_start, kept.asked_end) == (INNER.start, INNER.end)
    for path in (desk.recordings / "gate").iterdir():
        path.unlink()

    asked.clock = (1600, "http-date", 700)
    assert await retrieve(desk, case) == 1.0
    assert record(desk)["searched"] == told(widened(INNER, 0.5, 1.5)), "what was searched then"


@pytest.mark.requirement("R34")
async def test_a_quarantine_that_was_searched_by_no_clock_is_held_against_all_of_the_search(desk: Desk) -> None:
    asked = Asked.of(desk)
    case = desk.case("gate", span=INNER).approve()
    await desk.work(preserve_footage, application_id=case.id)
    for path in (desk.recordings / "gate").iterdir():
        path.unlink()

    asked.clock = (1000, "api-time", 500)
    assert await retrieve(desk, case) < 1.0
    assert record(desk)["searched"] == told(widened(INNER, 0.5, 1.5))


async def test_a_quarantine_that_was_searched_by_the_wrong_time_is_partial(desk: Desk) -> None:
    asked = Asked.of(desk)
    case = desk.case("gate", span=INNER).approve()
    await desk.work(preserve_footage, application_id=case.id)
    for path in (desk.recordings / "gate").iterdir():
        path.unlink()

    asked.clock = (6000, "api-time", 0)
    assert await retrieve(desk, case) == 0.5
    assert record(desk)["outcome"] == "partial"


@pytest.mark.requirement("R32", "R35")
async def test_what_was_promised_and_came_broken_is_fetched_once_more_and_the_better_is_kept(desk: Desk) -> None:
    asked = Asked.of(
        desk, cut=lambda number, name: 20_000 if number == 1 and name.endswith("09-00-08-000000.mp4") else None
    )
    case = desk.case("gate").approve()

    assert await retrieve(desk, case) == 1.0

    assert len(asked.fetched) == len(asked.covered) == 2, "and what it has was asked again"
    [master] = desk.rows(Master)
    assert desk.objects("masters") == [master.sealed["key"]]
    first, second = sorted(desk.rows(UploadAttempt), key=lambda row: (row.finished_at is not None, row.started_at))
    assert first.abandoned_because == "another pass gave more"
    assert first.swept_at is not None
    assert second.key == master.sealed["key"]
    assert record(desk)["difficulties"] == [retrieval.ASKED_AGAIN]


async def test_what_does_not_come_the_second_time_either_is_named(desk: Desk) -> None:
    asked = Asked.of(desk, cut=lambda _, name: 20_000 if name.endswith("09-00-08-000000.mp4") else None)
    case = desk.case("gate").approve()

    assert await retrieve(desk, case) < 1.0

    assert len(asked.fetched) == 2
    assert len(desk.objects("masters")) == 1
    lines = record(desk)["difficulties"]
    assert lines[0] == retrieval.LESS_AGAIN
    assert [line.partition(": ")[0] for line in lines[1:3]] == ["gap", "promised and not given"]
    assert "09-00-08-000000.mp4: " in lines[3]


async def test_what_is_silently_left_out_is_asked_for_again_and_named(desk: Desk) -> None:
    sorted((desk.recordings / "gate").iterdir())[2].unlink()
    asked = Asked.of(desk, promises=lambda spans: [Span(spans[0].start, spans[-1].end)])
    case = desk.case("gate").approve()

    assert await retrieve(desk, case) < 1.0
    assert len(asked.fetched) == 2
    assert [line for line in record(desk)["difficulties"] if line.startswith("promised and not given: ")]


async def test_a_gap_that_the_recorder_tells_of_is_not_asked_for_again(desk: Desk) -> None:
    asked = Asked.of(desk)
    case = desk.case("yard").approve()

    assert await retrieve(desk, case) < 1.0
    assert len(asked.fetched) == 1


async def test_a_recorder_that_goes_down_meanwhile_leaves_what_it_gave(desk: Desk) -> None:
    name = "09-00-08-000000.mp4"
    Asked.of(desk, cut=lambda _, given: 20_000 if given.endswith(name) else None, down_at=2)
    case = desk.case("gate").approve()

    assert 0 < await retrieve(desk, case) < 1.0
    assert record(desk)["difficulties"][0] == retrieval.NOT_ASKED_AGAIN
    assert len(desk.objects("masters")) == 1


@pytest.mark.requirement("R32")
async def test_what_was_promised_when_it_was_handed_in_is_held_against_what_is_there(desk: Desk) -> None:
    Asked.of(desk)
    case = desk.case("gate", span=INNER).approve()
    desk.database.rules = type(desk.database.rules)(max_use_days=30, preserve="never")
    await desk.work(preserve_footage, application_id=case.id)
    await desk.work(preserve_footage, application_id=case.id)
    submitted = desk.row(Item, case.item()).reported
    assert submitted == {"at": desk.clock.now().isoformat(), "covered": [told(INNER)]}
    sorted((desk.recordings / "gate").iterdir())[2].unlink()  # from 8 to 12

    await retrieve(desk, case)

    content = record(desk)
    left = Span(INNER.start + 4 * SECOND, INNER.end)
    assert content["reported"] == {"submitted": submitted, "retrieved": [told(left)]}
    gone = f"gone since it was handed in: {INNER.start.isoformat()} to {left.start.isoformat()}"
    assert gone in content["difficulties"]


@pytest.mark.requirement("R4")
async def test_what_a_reviewer_took_from_the_span_is_not_told_as_gone(desk: Desk) -> None:
    Asked.of(desk)
    case = desk.case("gate", span=widened(INNER, 3, 3)).approve()
    await desk.work(preserve_footage, application_id=case.id)
    desk.change(Item, case.item(), granted_start=INNER.start, granted_end=INNER.end)

    assert await retrieve(desk, case) == 1.0
    assert record(desk)["difficulties"] == []
    assert record(desk)["searched"] == told(INNER)


def under(desk: Desk, rule: str) -> None:
    desk.database.rules = type(desk.database.rules)(max_use_days=30, preserve=rule)  # type: ignore[arg-type]


async def preserve(desk: Desk, case: Case) -> tuple[int, int]:
    done = await desk.work(preserve_footage, application_id=case.id)
    return done.items_preserved, done.items_not_preserved


@pytest.mark.requirement("R31")
@pytest.mark.parametrize(
    ("locks", "outcome"),
    [
        (True, "protected"),
        (False, "unsupported"),
        (RecorderDown("down"), "failed"),
        (Fatal("a lock that is none"), "failed"),
    ],
)
async def test_what_is_preserved_is_protected_on_the_recorder_too_where_it_can_be(
    desk: Desk, locks: bool | Exception, outcome: str
) -> None:
    under(desk, "always")
    asked = Asked.of(desk, locks=locks)
    case = desk.case("gate", span=INNER)

    assert await preserve(desk, case) == await preserve(desk, case) == (1, 0)

    assert asked.protected == [INNER]
    [row] = desk.rows(Protection)
    assert (row.outcome, row.span_start, row.span_end, row.ended_at) == (outcome, INNER.start, INNER.end, None)
    assert [event.action for event in desk.rows(AuditEvent)].count("recorder-protection") == 1


async def test_a_protection_ends_with_its_case_and_is_due_until_the_recorder_has_heard(desk: Desk) -> None:
    under(desk, "always")
    Asked.of(desk, locks=True)
    case, other = desk.case("gate", span=INNER), desk.case("gate", span=widened(INNER, 1, 1))
    await preserve(desk, case)
    await preserve(desk, other)

    case.ready_to_end("withdrawn")
    await desk.work(release_preservation, application_id=case.id, closing_outcome="withdrawn")
    assert desk.do(protections.list_due, "recorder") == [], "another case still protects the span"

    other.ready_to_end("withdrawn")
    await desk.work(release_preservation, application_id=other.id, closing_outcome="withdrawn")
    due = desk.do(protections.list_due, "recorder")
    assert {one.span for one in due} == {INNER, widened(INNER, 1, 1)}
    assert desk.do(protections.start, case.id, case.item(), "camera-gate", INNER) is None, "the case has ended"

    for _ in range(2):
        desk.do(protections.record_release, due)
    assert desk.do(protections.list_due, "recorder") == []
    assert [event.action for event in desk.rows(AuditEvent)].count("recorder-protection-released") == 2


async def test_what_lies_within_one_event_of_a_protected_span_stays(desk: Desk) -> None:
    case, near, far = (desk.case("gate", span=INNER) for _ in range(3))
    apart = protections.MAX_EVENT_LENGTH
    length = INNER.end - INNER.start
    later = (length + apart - SECOND, 2 * (length + apart))
    spans = [INNER, *(Span(INNER.start + by, INNER.end + by) for by in later)]
    begun = [
        desk.do(protections.start, one.id, one.item(), "camera-gate", span)
        for one, span in zip((case, near, far), spans, strict=True)
    ]

    def due() -> list[str]:
        return [one.protection_id for one in desk.do(protections.list_due, "recorder")]

    desk.do(protections.end, case.id)
    assert due() == [], "one event may hold something of both"
    desk.do(protections.end, near.id)
    assert sorted(due()) == sorted(begun[:2]), "no event reaches from the last one to these"


@pytest.mark.parametrize(("outcome", "still"), [("protected", 1), ("failed", 1), ("unsupported", 0)])
async def test_what_was_released_while_the_recorder_was_still_being_asked_is_released_again(
    desk: Desk, outcome: protections.Answer, still: int
) -> None:
    case = desk.case("gate", span=INNER)
    begun = desk.do(protections.start, case.id, case.item(), "camera-gate", INNER)
    desk.do(protections.end, case.id)
    desk.do(protections.record_release, desk.do(protections.list_due, "recorder"))
    assert desk.do(protections.list_due, "recorder") == []

    desk.do(protections.record_answer, begun, outcome)

    assert len(desk.do(protections.list_due, "recorder")) == still


async def test_a_release_does_not_count_where_the_answer_came_meanwhile(desk: Desk) -> None:
    case = desk.case("gate", span=INNER)
    begun = desk.do(protections.start, case.id, case.item(), "camera-gate", INNER)
    desk.do(protections.end, case.id)
    told = desk.do(protections.list_due, "recorder")

    desk.do(protections.record_answer, begun, "protected")
    desk.do(protections.record_release, told)

    again = desk.do(protections.list_due, "recorder")
    assert [one.protection_id for one in again] == [begun]
    desk.do(protections.record_release, again)
    assert desk.do(protections.list_due, "recorder") == []


async def test_a_protection_whose_answer_was_never_heard_is_released_like_the_others(desk: Desk) -> None:
    case = desk.case("gate", span=INNER)
    begun = desk.do(protections.start, case.id, case.item(), "camera-gate", INNER)
    assert desk.do(protections.start, case.id, case.item(), "camera-gate", INNER) == begun

    case.ready_to_end("withdrawn")
    desk.do(closing.release_case, case.id, "withdrawn")

    assert [one.protection_id for one in desk.do(protections.list_due, "recorder")] == [begun]
