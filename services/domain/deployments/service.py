"""Upload models, ask a second person for their deployment, and have them deployed (R2, R16, R52)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import or_, select

from services.database.tables.change_requests import ChangeRequest
from services.database.tables.deployments import ModelSet
from services.database.unit_of_work import UnitOfWork
from services.domain.access import administrators
from services.domain.access import queries as access_queries
from services.domain.audit import trail as audit_trail
from services.domain.change_requests import policy as change_policy
from services.domain.change_requests import service as change_requests
from services.domain.change_requests.service import Change
from services.domain.deployments import in_use, record, uploads
from services.domain.stages import file as stage_file
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

TOPIC = "model-sets"  # commits that leave something to check or to deploy
KIND = "models"  # of the change request
MOST_TRIES = 3  # of a check whose process ended, or was ended with the portal
TRY_FOR = timedelta(minutes=20)  # longer than any check may take
MOST_WAITING = 5  # sets of one administrator whose check has not ended
CLEAN, FAILED = "clean", "failed"
# What the check could not even read, or did not come through: nobody knows what it would do.
NEVER = ("unreadable", FAILED)
MAX_UPLOAD = 2 << 20  # of one file, as of any request to the portal


def upload(uow: UnitOfWork, uploaded: Mapping[str, bytes]) -> ModelSet:
    """Keep uploaded models, over those in use, to be checked; for administrators.

    What is not uploaded stays as it is. Refused for nothing new, and for other review stages.
    """
    administrators.require_administrator(uow)
    administrators.lock_setup(uow)
    waiting = select(ModelSet.id).where(ModelSet.uploaded_by == uow.actor.id, ModelSet.checked_at.is_(None))
    if len(uow.session.scalars(waiting.limit(MOST_WAITING)).all()) == MOST_WAITING:
        raise Refused("models-waiting", "Sets of models that you uploaded are still being checked: wait for them.")
    used = in_use.load(uow)
    files = {**used.files, **uploaded}
    digests, before = uploads.digests(files), uploads.digests(used.files)
    if digests == before:
        raise Refused("models-same", "These are the models that are deployed already: there is nothing to change.")
    if digests.get(stage_file.NAME) != before.get(stage_file.NAME):
        raise Refused(
            "models-stages",
            "{file} differs from the one in use. All parts read it at their start, so it cannot be changed from here: "
            "put it into the folder of the models, run footage-desk deploy, and restart all parts.",
            file=stage_file.NAME,
        )
    row = ModelSet(
        uploaded_by=uow.actor.id,
        uploaded_at=uow.now,
        files=digests,
        content=uploads.pack(files),
        base=used.fingerprint,
        tries=0,
    )
    uow.session.add(row)
    uow.session.flush()
    uow.after_commit.add(TOPIC)
    audit_trail.record(uow, "models-uploaded", "model-set", row.id, files=digests, base=used.fingerprint)
    return row


def ask(uow: UnitOfWork, set_id: str, reason: str, unchecked: str | None) -> ModelSet:
    """Have a set deployed, once a second person has confirmed it.

    The first call asks, and is refused until that is so; the requester's next one, with the same values, approves.
    ``unchecked``: why it is deployed although the check did not find it clean.
    """
    administrators.require_administrator(uow)
    administrators.lock_setup(uow)
    row = get(uow, set_id)
    result = row.result
    if row.checked_at is None or result is None:
        raise Refused("models-unchecked", "The check of these models has not ended: wait for its result.")
    if row.approved_at is not None:
        raise Refused("models-approved", "These models were already approved for deployment.")
    _check_base(uow, row)
    verdict = result["verdict"]
    if verdict in NEVER:
        raise Refused(
            "models-unusable",
            "The check could not read these models or did not end: correct them, then upload them again.",
        )
    unchecked = (unchecked or "").strip() or None
    if verdict != CLEAN and (unchecked is None or len(unchecked) < record.SHORTEST_REASON):
        raise Refused(
            "models-not-clean",
            "The check did not find these models clean: correct them, or say in a few words why they are to be "
            "deployed all the same.",
            status=422,
            field="unchecked",
        )
    payload = {
        "set": row.id,
        "fingerprint": record.fingerprint(row.files),
        "base": row.base,
        "files": row.files,
        **_summary(result),
        "reason": reason,
        "unchecked": None if verdict == CLEAN else unchecked,
    }
    request = change_requests.authorise(uow, Change(KIND, None, payload))
    row.approved_at, row.approved_by = uow.now, uow.actor.id
    row.confirmed_by = _confirmer(uow, request)
    row.reason, row.unchecked = reason, payload["unchecked"]
    uow.after_commit.add(TOPIC)
    return row


def get(uow: UnitOfWork, set_id: str) -> ModelSet:
    """Return a set, locked; NotFound if there is none."""
    row = uow.session.get(ModelSet, set_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound(Message("set of models"), set_id)
    return row


def is_waiting(uow: UnitOfWork) -> bool:
    """Return whether any set was not checked yet."""
    return uow.session.scalar(select(ModelSet.id).where(ModelSet.checked_at.is_(None)).limit(1)) is not None


def claim_unchecked(uow: UnitOfWork) -> tuple[str, bytes] | None:
    """Return the id and the packed files of the set to check next, and count the try; None if none waits."""
    waits = or_(ModelSet.check_began_at.is_(None), ModelSet.check_began_at < uow.now - TRY_FOR)
    query = select(ModelSet).where(ModelSet.checked_at.is_(None), waits).order_by(ModelSet.uploaded_at)
    row = uow.session.scalar(query.limit(1).with_for_update(skip_locked=True))
    if row is None:
        return None
    if row.tries >= MOST_TRIES:
        keep_result(uow, row.id, {"verdict": FAILED, "rules": 0, "rules_sha256": None, "states": 0})
        return None
    row.tries += 1
    row.check_began_at = uow.now
    return row.id, row.content


def keep_result(uow: UnitOfWork, set_id: str, result: dict[str, Any]) -> None:
    """Keep what the check found, once."""
    row = get(uow, set_id)
    if row.checked_at is not None:
        return
    row.checked_at, row.result = uow.now, result
    audit_trail.record(uow, "models-checked", "model-set", row.id, **_summary(result))


def list_approved(uow: UnitOfWork) -> list[str]:
    """List the ids of the sets that wait to be deployed."""
    query = select(ModelSet.id).where(
        ModelSet.approved_at.is_not(None), ModelSet.deployed_at.is_(None), ModelSet.failure.is_(None)
    )
    return list(uow.session.scalars(query.order_by(ModelSet.approved_at)))


def _summary(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is recorded of a check."""
    return {"result": result["verdict"], **{name: result[name] for name in ("rules", "rules_sha256", "states")}}


def _check_base(uow: UnitOfWork, row: ModelSet) -> None:
    """Refuse a set that was made over other models than those in use now, or while another one is on its way."""
    if list_approved(uow) or in_use.load(uow).fingerprint != row.base:
        raise Refused(
            "models-outdated",
            "Other models were deployed since these were uploaded: upload your changes again, made over the models "
            "that are in use now.",
        )


def _confirmer(uow: UnitOfWork, request: ChangeRequest | None) -> str | None:
    """Return who confirmed; Refused where that person may not confirm it any more."""
    if request is None or request.confirmed_by is None:
        return None
    asking = access_queries.load_departments(uow, [request.requested_by])[request.requested_by]
    if not change_policy.may_confirm(access_queries.load_directory(uow), request, request.confirmed_by, asking):
        raise Refused(
            "confirmer-left",
            "The second person who confirmed this can no longer confirm it: the request has ended, make a new one.",
        )
    return request.confirmed_by
