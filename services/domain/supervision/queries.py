"""Read group, inspections and the cases of a sample: a fixed number of statements each (R60 to R64)."""

from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, func, select

from services.database.due_rows import due_columns
from services.database.keyset import Page, Section, read_place, rows_at
from services.database.tables.applications import Application
from services.database.tables.documents import Document
from services.database.tables.inspections import (
    GroupInspection,
    InspectedCase,
    InspectionFinding,
    InspectionSignature,
    SupervisionGroup,
)
from services.database.tables.people import Department, Person, Post
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import namesakes, visibility
from services.domain.access import queries as access_queries
from services.domain.access import supervision as policy
from services.domain.supervision import (
    attached,
    case_reviews,
    case_sheet,
    checklists,
    groups,
    periods,
    service,
    signing,
)
from services.domain.supervision.schemas import (
    AppointmentFile,
    CaseSheetView,
    FindingView,
    GroupAnswer,
    GroupView,
    InspectionLine,
    InspectionsAnswer,
    InspectionView,
    MemberView,
    OwnCase,
    OwnDuties,
    PersonChoice,
    QuestionView,
    ReportToSign,
    SampledCase,
    SignatureView,
)
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

NEWEST_FIRST = "opened-desc"
CASES_AT_ONCE, OWN_AT_ONCE = 100, 50
COUNTED_OF_ALL = ("numbers", "checklists")  # of a report: what is counted tells of cases too


def require_reader(uow: UnitOfWork) -> None:
    """Raise Refused unless the acting person supervises, leads Security or belongs to the management."""
    if not policy.may_read(access_queries.load_directory(uow), uow.actor.id):
        raise Refused(
            "supervision-readers-only",
            "Inspections are only for the supervision group, the head of Security and the management.",
            status=403,
        )


def read_group(uow: UnitOfWork) -> GroupAnswer:
    """Return the group in office and the proposed one."""
    require_reader(uow)
    directory = access_queries.load_directory(uow)
    me = uow.actor.id
    current, waiting = groups.find_current(uow), groups.find_waiting(uow)
    manages = policy.may_appoint(directory, me)
    members = set() if waiting is None else {member.person_id for member in waiting.members}
    return GroupAnswer(
        current=_group(uow, current),
        waiting=_group(uow, waiting, waiting=True),
        may_propose=manages and waiting is None,
        may_confirm=manages and waiting is not None and me != waiting.proposed_by and me not in members,
        may_withdraw=manages and waiting is not None,
        choices=_choices(uow) if manages else [],
    )


def _choices(uow: UnitOfWork) -> list[PersonChoice]:
    """List who may be a member, by department and name."""
    query = (
        select(Person.id, Person.name, Department.name_zh, Department.name_en)
        .join(Department, Department.id == Person.department_id)
        .where(
            Person.active,
            Person.id.in_(select(Post.person_id).where(Post.kind == policy.SUPERVISOR, *access_queries.held_now(uow))),
        )
        .order_by(Department.name_zh, Person.name)
    )
    rows = uow.session.execute(query).all()
    usernames = namesakes.get_usernames(uow, [row.id for row in rows], within_department=True)
    return [
        PersonChoice(
            id=row.id,
            name=row.name,
            username=usernames.get(row.id),
            department_zh=row.name_zh,
            department_en=row.name_en,
        )
        for row in rows
    ]


def page_of_inspections(uow: UnitOfWork, *, limit: int, place: str = "") -> Page[InspectionLine]:
    """Read a page of the inspections, the newest first."""
    require_reader(uow)
    sections = (Section((GroupInspection.opened_at.expression, GroupInspection.id.expression)),)
    begin = read_place(place, NEWEST_FIRST, sections)
    query = select(GroupInspection)
    rows, *around = rows_at(uow.session, query, sections, descending=True, limit=limit, place=begin)
    inspections = [row[0] for row in rows]
    return Page(_lines(uow, inspections), *(beside.text(NEWEST_FIRST) if beside else "" for beside in around))


def read_inspections(uow: UnitOfWork, lines: Sequence[InspectionLine]) -> InspectionsAnswer:
    """Return a page of inspections with what the reader may do, and the reader's own cases."""
    group = groups.find_current(uow)
    leads = group is not None and groups.leader_of(group) == uow.actor.id
    last = periods.last_complete(uow.now, uow.rules.inspection_period, uow.rules.zone)
    return InspectionsAnswer(lines=list(lines), may_begin=leads, period=last.name, mine=list_own(uow))


def list_own(uow: UnitOfWork) -> list[OwnCase]:
    """List the cases that wait for the acting person, the most urgent first."""
    query = _select_own(uow).order_by(InspectedCase.due_at, InspectedCase.position, InspectedCase.id).limit(OWN_AT_ONCE)
    return [
        OwnCase(id=row.id, number=row.number, inspection=number, due_at=row.due_at)
        for row, number in uow.session.execute(query)
        if row.due_at is not None
    ]


def select_due(uow: UnitOfWork) -> Select[*tuple[Any, ...]]:
    """Select what ``list_own`` lists, as ``cases.due_dates`` reads it."""
    columns = due_columns("inspection", InspectedCase.id, InspectedCase.number, InspectedCase.due_at)
    return _select_own(uow).with_only_columns(*columns)


def _select_own(uow: UnitOfWork) -> Select[*tuple[Any, ...]]:
    return (
        select(InspectedCase, GroupInspection.number)
        .join(GroupInspection, GroupInspection.id == InspectedCase.inspection_id)
        .where(
            InspectedCase.assigned_to == uow.actor.id,
            InspectedCase.decided_at.is_(None),
            _is_shown(uow, InspectedCase.application_id),
        )
    )


def list_to_sign(uow: UnitOfWork) -> list[ReportToSign]:
    """List the reports that the acting person, a supervisor, has to sign, the first opened first."""
    query = select(GroupInspection).where(
        GroupInspection.signing_opened_at.is_not(None), GroupInspection.signed_as.is_(None)
    )
    return [
        ReportToSign(inspection_id=row.id, number=row.number, due_at=row.signing_due_at)
        for row in uow.session.scalars(query.order_by(GroupInspection.signing_opened_at))
        if signing.refusal_for(uow, row) is None
    ]


def is_supervisor(uow: UnitOfWork) -> bool:
    """Return whether the acting person holds the post of a supervisor."""
    return access_queries.load_directory(uow).holds(str(uow.actor.id), policy.SUPERVISOR)


def read_own_duties(uow: UnitOfWork) -> OwnDuties:
    """Read what waits for the acting person in supervision; nothing for those who have no part in it."""
    directory, me = access_queries.load_directory(uow), str(uow.actor.id)
    duties = OwnDuties()
    if is_supervisor(uow):
        duties.cases, duties.reports = list_own(uow), list_to_sign(uow)
    if policy.may_appoint(directory, me):
        waiting = groups.find_waiting(uow)
        members = {member.person_id for member in waiting.members} if waiting else set()
        duties.group_to_confirm = waiting is not None and me != waiting.proposed_by and me not in members
        duties.group_missing = waiting is None and groups.refusal_of(uow, groups.find_current(uow)) is not None
    return duties


def read_inspection(uow: UnitOfWork, inspection_id: str, *, after: int = 0) -> InspectionView:
    """Return an inspection with the cases of its sample behind the place ``after``, ``CASES_AT_ONCE`` of them.

    Places and numbers are of the cases that the reader sees: a gap would tell of one that is hidden (T8).
    """
    require_reader(uow)
    inspection = service.get(uow, inspection_id)
    rows = uow.session.scalars(
        select(InspectedCase)
        .where(InspectedCase.inspection_id == inspection.id, _is_shown(uow, InspectedCase.application_id))
        .order_by(InspectedCase.position)
        .limit(CASES_AT_ONCE + 1)
        .offset(after)
    ).all()
    shown = rows[:CASES_AT_ONCE]
    counted = (
        select(InspectionFinding.inspected_case_id, func.count())
        .where(InspectionFinding.inspected_case_id.in_([row.id for row in shown]))
        .group_by(InspectionFinding.inspected_case_id)
    )
    found = {row[0]: row[1] for row in uow.session.execute(counted)}
    names = access_queries.get_names(uow, [person for row in shown for person in (row.assigned_to, row.decided_by)])
    [line] = _lines(uow, [inspection])
    asked = signing.list_asked(uow, inspection) if _is_signing(inspection) else []
    document = select(Document.number).where(Document.kind == service.REPORT, Document.subject_id == inspection.id)
    return InspectionView(
        line=line,
        period_from=inspection.period_from,
        period_to=inspection.period_to,
        seed=inspection.seed,
        seed_size=inspection.seed_size,
        seed_rule=inspection.seed_rule,
        population_sha256=None if line.population is None else inspection.population_sha256,
        drawn_at=inspection.drawn_at,
        cases=[
            SampledCase(
                id=row.id,
                position=place,
                number=row.number,
                application_id=row.application_id,
                because=row.because,
                assigned_to=names.get(str(row.assigned_to)),
                due_at=row.due_at,
                decided_by=names.get(str(row.decided_by)),
                decided_at=row.decided_at,
                findings=found.get(row.id, 0),
            )
            for place, row in enumerate(shown, after + 1)
        ],
        more_after=after + CASES_AT_ONCE if len(rows) > CASES_AT_ONCE else None,
        findings=_findings(uow, inspection),
        report_sha256=inspection.report_sha256,
        report=_report(uow, inspection),
        document=uow.session.scalar(document),
        to_sign=sorted(access_queries.get_names(uow, asked).values()),
        signatures=_signatures(uow, inspection),
        may_sign=signing.refusal_for(uow, inspection) is None,
    )


def read_case(uow: UnitOfWork, case_id: str) -> CaseSheetView:
    """Return the sheet of one case of a sample: what the member sees, or has answered.

    NotFound for those who read no inspections, and for those whom the case concerns (T8).
    """
    require_reader(uow)
    query = (
        select(InspectedCase, GroupInspection, Application)
        .join(GroupInspection, GroupInspection.id == InspectedCase.inspection_id)
        .join(Application, Application.id == InspectedCase.application_id)
        .where(InspectedCase.id == case_id)
    )
    found = uow.session.execute(query).one_or_none()
    if found is None or uow.actor.id in found[2].subject_ids:
        raise NotFound(Message("case of an inspection"), case_id)
    row, inspection, _kept = found  # while the case is kept, its sheet does not load it again
    names = access_queries.get_names(uow, [row.assigned_to, row.decided_by])
    refusal = None if row.decided_at is not None else case_reviews.refusal_for(uow, inspection, row)
    if row.decided_at is None:
        sheet = case_sheet.build(uow, row)
        answered = {one.question.code: one.as_json() for one in sheet.lines}
        sha256 = sheet.sha256
    else:
        answered, sha256 = {one["question"]: one for one in row.answers or ()}, str(row.sheet_sha256)
    own = [one.id for one in list_own(uow) if one.id != row.id]
    of_sample = select(
        func.count(),
        func.count(InspectedCase.decided_at),
        func.count().filter(InspectedCase.position < row.position),
    ).where(InspectedCase.inspection_id == inspection.id, _is_shown(uow, InspectedCase.application_id))
    sampled, inspected, before = uow.session.execute(of_sample).one()
    return CaseSheetView(
        id=row.id,
        inspection_id=inspection.id,
        inspection=inspection.number,
        number=row.number,
        application_id=row.application_id,
        position=before + 1,
        sampled=sampled if inspection.sampled is not None else 0,
        inspected=inspected,
        because=row.because,
        assigned_to=names.get(str(row.assigned_to)),
        due_at=row.due_at,
        decided_by=names.get(str(row.decided_by)),
        decided_at=row.decided_at,
        sheet_sha256=sha256,
        questions=[
            QuestionView(
                stage=stage,
                code=code,
                zh=question.zh,
                en=question.en,
                system=answered[code]["system"],
                seen=answered[code]["seen"],
                evidence=list(question.evidence),
                severity_if_no=question.severity_if_no,
                requirements=list(question.requirements),
                answer=answered[code].get("answer"),
                word=answered[code].get("word"),
                overruled=answered[code].get("overruled", False),
            )
            for code, (stage, question) in checklists.load().questions().items()
            if code in answered
        ],
        why_not_zh=refusal.zh if refusal is not None else None,
        why_not_en=refusal.en if refusal is not None else None,
        next_id=own[0] if own else None,
    )


def _report(uow: UnitOfWork, inspection: GroupInspection) -> dict[str, Any] | None:
    """Return the report; to whom a case of it concerns without that case, unless they have to sign all of it (T8)."""
    if inspection.report is None or signing.refusal_for(uow, inspection) is None:
        return inspection.report
    numbers = visibility.list_numbers_concerning(uow)
    if not numbers:
        return inspection.report

    def shown(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        # sentences and work orders name a case in words, and places without a gap tell of none that is hidden
        return [row for row in rows if not any(number in str(row) for number in numbers)]

    def renumbered(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**row, "position": place} for place, row in enumerate(shown(rows), 1)]

    report = {name: value for name, value in inspection.report.items() if name not in COUNTED_OF_ALL}
    sample = {name: value for name, value in report["sample"].items() if name != "population"}
    # reports of older releases have no work orders
    lists = {name: shown(report.get(name, ())) for name in ("overruled", "earlier", "workOrders")}
    cases, findings = renumbered(sample["cases"]), renumbered(report["findings"])
    return {**report, **lists, "findings": findings, "sample": {**sample, "cases": cases}}


def _lines(uow: UnitOfWork, inspections: Sequence[GroupInspection]) -> list[InspectionLine]:
    """Return the lines of inspections; counted is what the reader sees of each (T8)."""
    ids = [inspection.id for inspection in inspections]
    done = select(InspectedCase.inspection_id, func.count(), func.count(InspectedCase.decided_at)).where(
        InspectedCase.inspection_id.in_(ids), _is_shown(uow, InspectedCase.application_id)
    )
    found = select(InspectionFinding.inspection_id, func.count()).where(
        InspectionFinding.inspection_id.in_(ids), _is_shown(uow, InspectionFinding.application_id)
    )
    concerned = bool(visibility.list_numbers_concerning(uow))
    cases = {row[0]: row[1:] for row in uow.session.execute(done.group_by(InspectedCase.inspection_id))}
    findings = {row[0]: row[1] for row in uow.session.execute(found.group_by(InspectionFinding.inspection_id))}
    return [
        InspectionLine(
            id=one.id,
            number=one.number,
            period=one.period,
            opened_at=one.opened_at,
            population=None if concerned else one.population,
            sampled=cases.get(one.id, (0, 0))[0] if one.sampled is not None else None,
            inspected=cases.get(one.id, (0, 0))[1],
            findings=findings.get(one.id, 0),
            state=_state(one),
        )
        for one in inspections
    ]


def _is_shown(uow: UnitOfWork, application_id: SQLColumnExpression[str]) -> ColumnElement[bool]:
    """Build the condition on a column of cases' ids that the case does not concern the reader."""
    return application_id.not_in(select(Application.id).where(visibility.concerns(uow.actor.id)))


def _state(
    inspection: GroupInspection,
) -> Literal["opened", "inspecting", "signing", "signed", "refused", "no-cases"]:
    if inspection.signed_as is not None:
        return "signed" if inspection.signed_as == service.SIGNED else "refused"
    if inspection.closed_as == service.NO_CASES:
        return "no-cases"
    if _is_signing(inspection):
        return "signing"
    return "opened" if inspection.drawn_at is None else "inspecting"


def _is_signing(inspection: GroupInspection) -> bool:
    return inspection.signing_opened_at is not None and inspection.signed_as is None


def _findings(uow: UnitOfWork, inspection: GroupInspection) -> list[FindingView]:
    query = (
        select(InspectionFinding, InspectedCase.number, Violation.matter_id)
        .join(InspectedCase, InspectedCase.id == InspectionFinding.inspected_case_id)
        .outerjoin(Violation, Violation.id == InspectionFinding.violation_id)
        .where(
            InspectionFinding.inspection_id == inspection.id,
            _is_shown(uow, InspectionFinding.application_id),
        )
        .order_by(InspectedCase.position, InspectionFinding.question)
    )
    questions = checklists.load().questions()
    concerned = bool(visibility.list_numbers_concerning(uow))
    views = []
    for place, (one, number, matter_id) in enumerate(uow.session.execute(query), 1):
        known = questions.get(one.question)
        views.append(
            FindingView(
                position=place if concerned and one.position is not None else one.position,
                number=number,
                stage=one.stage,
                question_zh=known[1].zh if known else one.question,
                question_en=known[1].en if known else one.question,
                severity=one.severity,
                text=one.text,
                work_order_id=one.work_order_id,
                violation_matter_id=matter_id,
                closed_at=one.closed_at,
            )
        )
    return views


def _signatures(uow: UnitOfWork, inspection: GroupInspection) -> list[SignatureView]:
    query = (
        select(InspectionSignature, Person.name)
        .join(Person, Person.id == InspectionSignature.person_id)
        .where(InspectionSignature.inspection_id == inspection.id)
        .order_by(InspectionSignature.part, InspectionSignature.signed_at)
    )
    return [
        SignatureView(name=name, part=one.part, outcome=one.outcome, reason=one.reason, signed_at=one.signed_at)
        for one, name in uow.session.execute(query)
    ]


def _group(uow: UnitOfWork, group: SupervisionGroup | None, *, waiting: bool = False) -> GroupView | None:
    if group is None:
        return None
    refusal = groups.composition_refusal(uow, group) if waiting else groups.refusal_of(uow, group)
    people = groups.people_of(group)
    query = (
        select(Person.id, Person.name, Department.name_zh, Department.name_en)
        .join(Department, Department.id == Person.department_id)
        .where(Person.id.in_(people))
    )
    rows = {row.id: row for row in uow.session.execute(query)}
    names = access_queries.get_names(uow, [group.proposed_by, group.confirmed_by])
    return GroupView(
        id=group.id,
        basis=group.basis,
        since=group.since,
        until=group.until,
        document=group.document,
        attachments=[
            AppointmentFile(id=file.id, name=file.file_name, sha256=file.sha256)
            for file in attached.list_files(uow, group.id)
        ],
        proposed_by=names[group.proposed_by],
        confirmed_by=names.get(str(group.confirmed_by)),
        members=[
            MemberView(
                id=one,
                name=rows[one].name,
                part="leader" if one == groups.leader_of(group) else "member",
                department_zh=rows[one].name_zh,
                department_en=rows[one].name_en,
            )
            for one in people
        ],
        because_zh=refusal.zh if refusal is not None else None,
        because_en=refusal.en if refusal is not None else None,
    )
