"""Store the numbered texts of the confidentiality agreement in both languages (R59)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from services.database.tables.agreements import AgreementText
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import administrators
from services.domain.access import queries as access_queries
from services.domain.audit import trail as audit_trail
from services.domain.change_requests import service as change_requests
from services.domain.change_requests.service import Change
from services.domain.notifications import service as notification_service
from services.domain.rules import service as rule_service
from services.domain.rules.catalogue import RULES
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

STANDARD_ZH = """一、本人因工作需要接触本单位的视频录像资料，承诺对其内容以及其中涉及的个人信息、工作信息严格保密。
二、仅按批准的用途、范围和期限查看或使用录像，不翻拍、不转发、不提供给无关人员，未经批准不对外传播。
三、妥善保管副本、借用密钥和账号，不与他人共用；使用期满按时归还，并确认没有留存。
四、发生丢失、损坏或泄露时，立即在系统中报告，并配合调查和整改。
五、违反上述承诺的，愿意承担相应的责任。离岗或离职后，保密义务仍然有效。"""
STANDARD_EN = """\
1. I work with the organisation's video recordings because my duties require it, and keep what they show, and the \
personal and business information in them, confidential.
2. I view and use footage only for the purpose, in the scope and for the time that were approved. I do not film it \
off a screen, forward it or show it to anybody who has no part in it, and spread nothing without approval.
3. I keep copies, loan keys and my account safe and share them with nobody; when the use period ends I return what I \
hold and confirm that nothing was kept.
4. I report loss, damage or leak in the system at once and help to clear it up and to correct it.
5. I answer for a breach of these duties. They go on when I leave my post or the organisation."""


SHORTEST_NOTICE_DAYS = 7  # a week's holiday: below it the issue needs a second person


@dataclass(frozen=True)
class VersionText:
    """A version and its text.

    ``issued_at`` and ``issued_by`` are None for the first version's standard text. Up to ``counts_from`` signatures
    under ``replaces`` are valid too; None: it counted at once.
    """

    version: str
    text_zh: str
    text_en: str
    present: bool
    replaces: str | None = None
    counts_from: datetime | None = None
    issued_at: datetime | None = None
    issued_by: str | None = None
    reason: str | None = None

    @property
    def grace_days(self) -> int:
        """For how many days after its issue signatures under the version before counted."""
        return 0 if self.counts_from is None or self.issued_at is None else (self.counts_from - self.issued_at).days


@dataclass(frozen=True)
class Replacement:
    """When a text was issued, and from when it counts and signatures under the ones before do not."""

    issued_at: datetime
    counts_from: datetime


def get_current_text(uow: UnitOfWork) -> VersionText:
    """Return the text to sign now, for every logged-in person."""
    return _load_text(uow, uow.rules.agreement_version)


def get_text(uow: UnitOfWork, version: str) -> VersionText:
    """Return a version's text. Raises NotFound for an unknown one."""
    number = uow.session.scalar(select(AgreementText.number).where(AgreementText.version == version))
    if number is None and version not in (uow.rules.agreement_version, _first_version(uow)):
        raise NotFound(Message("version of the agreement"), version)
    return _load_text(uow, version)


def list_texts(uow: UnitOfWork) -> list[VersionText]:
    """List all versions, newest first.

    For administrators, Security's head and supervisors.
    """
    administrators.require_reader(uow)
    versions = list(uow.session.scalars(select(AgreementText.version).order_by(AgreementText.number.desc())))
    first = _first_version(uow)
    return [_load_text(uow, version) for version in (*versions, *([first] if first not in versions else ()))]


def get_text_to_revise(uow: UnitOfWork) -> VersionText:
    """Return the current text for an administrator's new version."""
    administrators.require_administrator(uow)
    return get_current_text(uow)


def issue_version(
    uow: UnitOfWork, version: str, text_zh: str, text_en: str, *, reason: str, grace_days: int | None = None
) -> VersionText:
    """Issue a version, which is to be signed from now on; earlier signatures are outdated after ``grace_days`` (R59).

    Without these the rule ``agreement_grace_days`` holds. At short notice nobody could sign in time and others would
    sign in their place, and at a longer one than the rule's the old text counts too long: either takes a second person.
    Everybody whose signature will be outdated is notified. Refused for a version that was issued before.
    """
    administrators.require_administrator(uow)
    usual = uow.rules.agreement_grace.days
    grace_days = usual if grace_days is None else grace_days
    rule = RULES["agreement_version"]
    number = uow.session.scalar(select(AgreementText.number).where(AgreementText.version == version))
    if number is not None or version in (uow.rules.agreement_version, _first_version(uow)):
        raise Refused(
            "agreement-version-used",
            "Version {version} has already been issued: use a new version number.",
            field="version",
            version=version,
        )
    old, counts_from = uow.rules.agreement_version, uow.now + timedelta(days=grace_days)
    if grace_days < SHORTEST_NOTICE_DAYS or grace_days > usual:
        payload = {"version": version, "text_zh": text_zh, "text_en": text_en, "reason": reason}
        change = Change("agreement", None, {**payload, "grace_days": grace_days}, {"replaces": old})
        change_requests.authorise(uow, change)
    _notify_signers(uow)
    uow.session.add(
        AgreementText(
            version=version,
            text_zh=text_zh,
            text_en=text_en,
            issued_at=uow.now,
            issued_by=uow.actor.id,
            reason=reason,
            replaces=old,
            counts_from=counts_from,
        )
    )
    rule_service.record_change(uow, rule, version, reason, was=old)
    audit_trail.record(
        uow,
        "agreement-issued",
        "agreement-text",
        version,
        old=old,
        new=version,
        reason=reason,
        counts_from=counts_from.isoformat(),
    )
    name = uow.session.get_one(Person, uow.actor.id).name
    return VersionText(version, text_zh, text_en, True, old, counts_from, uow.now, name, reason)


def list_replacing(uow: UnitOfWork) -> dict[str, Replacement]:
    """Map the versions that were replaced and are still valid to what ends them."""
    pending = (
        select(AgreementText)
        .where(AgreementText.counts_from > uow.now, AgreementText.replaces.in_(access_queries.select_still_valid(uow)))
        .order_by(AgreementText.number)
    )
    replacing: dict[str, Replacement] = {}
    for text in uow.session.scalars(pending):
        if text.replaces is None or text.counts_from is None:
            continue
        new = Replacement(text.issued_at, text.counts_from)
        # a text that counts ends all before it
        older = {version: min(first, new, key=lambda each: each.counts_from) for version, first in replacing.items()}
        replacing = {**older, text.replaces: new}
    return replacing


def _notify_signers(uow: UnitOfWork) -> None:
    agreed = access_queries.list_agreed(uow, select(Person.id).where(Person.active))
    people = list(uow.session.scalars(select(Person).where(Person.active).order_by(Person.id)))  # loaded once
    for person in people:
        if person.id in agreed:
            notification_service.notify(uow, person.id, "agreement-issued", application_id=None)


def _first_version(uow: UnitOfWork) -> str:
    """Return the version of the settings, before any was issued."""
    changed = rule_service.get_first_value(uow, "agreement_version")
    return changed or uow.rules.agreement_version


def _load_text(uow: UnitOfWork, version: str) -> VersionText:
    present = version == uow.rules.agreement_version
    query = select(AgreementText, Person.name).join(Person, Person.id == AgreementText.issued_by)
    result = uow.session.execute(query.where(AgreementText.version == version)).one_or_none()
    if result is None:
        return VersionText(version, STANDARD_ZH, STANDARD_EN, present)
    row, issuer = result
    return VersionText(
        *(version, row.text_zh, row.text_en, present, row.replaces, row.counts_from),
        *(row.issued_at, issuer, row.reason),
    )
