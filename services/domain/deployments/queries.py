"""Read the sets of models, for those who administer and those who watch over changes (R2)."""

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import select

from services.database.tables.change_requests import ChangeRequest
from services.database.tables.deployments import ModelSet
from services.database.unit_of_work import UnitOfWork
from services.domain.access import administrators
from services.domain.access import queries as access_queries
from services.domain.change_requests import policy as change_policy
from services.domain.deployments import in_use, record, service, uploads, versions
from services.domain.deployments.schemas import FileLine, ModelsOverview, SetLine, SetView, VersionLine
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

SHOWN = 30


def read_overview(uow: UnitOfWork) -> ModelsOverview:
    """Return what is deployed, the latest sets, and what is on no record."""
    administrators.require_reader(uow)
    newest = record.get_newest(uow)
    rows = uow.session.scalars(select(ModelSet).order_by(ModelSet.uploaded_at.desc()).limit(SHOWN)).all()
    requests = _requests(uow, [row.id for row in rows])
    names = access_queries.get_names(uow, [row.uploaded_by for row in rows])
    return ModelsOverview(
        deployed_at=None if newest is None else newest.at,
        digest=None if newest is None else newest.subject_id[:12],
        result=None if newest is None else json.loads(newest.entry)["detail"]["result"],
        from_portal=in_use.get_set(uow) is not None,
        sets=[_line(uow, row, requests.get(row.id), names) for row in rows],
        unrecorded=[
            VersionLine(
                key=str(row.definition_key),
                process_id=row.process_id,
                version=row.version,
                first_seen_at=row.first_seen_at,
                last_seen_at=row.last_seen_at,
            )
            for row in versions.list_unrecorded(uow)
        ],
    )


def read_set(uow: UnitOfWork, set_id: str) -> SetView:
    """Return one set with its files, its result and its request; NotFound if there is none."""
    row = _get(uow, set_id)
    request = _requests(uow, [row.id]).get(row.id)
    people = [row.uploaded_by, row.confirmed_by, row.approved_by]
    if request is not None:
        people += [request.requested_by, request.confirmed_by, request.objected_by]
    names = access_queries.get_names(uow, people)
    outdated, before = _compare(uow, row)
    asked = request.payload if request is not None else {}
    line = _line(uow, row, request, names)
    return SetView(
        **dict(line),
        files=[_file(name, digest, before) for name, digest in row.files.items()],
        result=row.result,
        outdated=outdated,
        reason=row.reason or asked.get("reason"),
        unchecked=row.unchecked or asked.get("unchecked"),
        requested_by=names.get(row.approved_by or (request.requested_by if request is not None else "")),
        requested_at=request.requested_at if request is not None else row.approved_at,
        confirmed_by=names.get(row.confirmed_by or (request.confirmed_by or "" if request is not None else "")),
        objected_by=names.get(request.objected_by or "") if line.state == "objected" and request else None,
        objection_reason=request.objection_reason if request is not None else None,
        deployed_at=row.deployed_at,
        failure=row.failure,
        may_ask=line.state in ("checked", "objected")
        and line.verdict not in service.NEVER
        and not outdated
        and administrators.is_administrator(uow),
    )


def read_content(uow: UnitOfWork, set_id: str) -> bytes:
    """Return the set's files as a ZIP."""
    return _get(uow, set_id).content


def _get(uow: UnitOfWork, set_id: str) -> ModelSet:
    """Return a set for somebody who may read it; NotFound if there is none."""
    administrators.require_reader(uow)
    row = uow.session.get(ModelSet, set_id)
    if row is None:
        raise NotFound(Message("set of models"), set_id)
    return row


def _requests(uow: UnitOfWork, set_ids: Sequence[str]) -> dict[str, ChangeRequest]:
    """Return the last request of each set that was not withdrawn."""
    query = select(ChangeRequest).where(ChangeRequest.kind == service.KIND).order_by(ChangeRequest.requested_at)
    return {
        row.payload["set"]: row
        for row in uow.session.scalars(query)
        if row.payload["set"] in set_ids and row.outcome != "withdrawn"
    }


def _line(uow: UnitOfWork, row: ModelSet, request: ChangeRequest | None, names: Mapping[str, str]) -> SetLine:
    return SetLine(
        id=row.id,
        digest=record.fingerprint(row.files)[:12],
        state=_state(uow, row, request),
        verdict=row.result["verdict"] if row.result is not None else None,
        uploaded_by=names.get(row.uploaded_by, row.uploaded_by),
        uploaded_at=row.uploaded_at,
    )


def _state(uow: UnitOfWork, row: ModelSet, request: ChangeRequest | None) -> str:
    if row.failure is not None:
        return "failed"
    if row.deployed_at is not None:
        return "deployed"
    if row.approved_at is not None:
        return "approved"
    if request is not None and request.outcome == "objected":
        return "objected"
    if request is not None and change_policy.is_open(request, uow.now):
        return "requested"
    return "checking" if row.checked_at is None else "checked"


def _compare(uow: UnitOfWork, row: ModelSet) -> tuple[bool, Mapping[str, str] | None]:
    """Return whether the set was made over other models than those in use, and the digests of these if not."""
    try:
        used = in_use.load(uow)
    except Refused:
        return True, None
    if used.fingerprint != row.base:
        return True, None
    return False, uploads.digests(used.files)


def _file(name: str, digest: str, before: Mapping[str, str] | None) -> FileLine:
    change = None
    if before is not None and before.get(name) != digest:
        change = "changed" if name in before else "new"
    return FileLine(name=name, sha256=digest, change=change, sets_rules=name in uploads.CHECK_FILES)
