"""An organisation in which everything that anybody could write is hostile, and one case at every stage."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from lent_case import TIMES, attached, offered
from loan_matter import LoanDesk
from portal_client import Portal
from review_desk import FORM, PASSWORD, ReviewDesk
from review_pages import Lens
from sqlalchemy import JSON, String, Table, select, update
from urgent_desk import Urgent

from services.database.base import Base
from services.database.tables.agreements import Agreement
from services.database.tables.applications import Application
from services.database.tables.cameras import Camera, Recorder
from services.database.tables.consents import Consent, Consultation
from services.database.tables.custody import HandOver
from services.database.tables.deliveries import Delivery
from services.database.tables.deployments import ModelSet
from services.database.tables.documents import Document
from services.database.tables.sites import Site
from services.database.tables.working_calendar import CalendarYear
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.agreements import texts
from services.domain.applications import drafts, forms, joint
from services.domain.applications import service as application_service
from services.domain.cameras import plans
from services.domain.cameras.photographs import Picture
from services.domain.cameras.plans import PlanEntry
from services.domain.cases import saved_searches
from services.domain.custody import hand_overs, holder_entries, recipient_access, returns, sittings, viewings
from services.domain.custody.returns import AttestedFate
from services.domain.deployments import in_use, versions
from services.domain.deployments.uploads import pack
from services.domain.deployments.versions import Definition
from services.domain.matters import held as legal_holds
from services.domain.matters.violations import acts as violation_acts
from services.domain.matters.violations import tasks as violation_tasks
from services.domain.matters.violations.assessment import Assessment
from services.domain.notifications import service as notification_service
from services.domain.packages import service as packages
from services.domain.packages.service import Asked
from services.domain.retrieval import uploads
from services.domain.retrieval.uploads import Facts
from services.domain.reviews import filing, questions
from services.domain.reviews.classification import Classification
from services.domain.reviews.given_judgements import GivenSanction, Judgement
from services.domain.rules import service as rule_service
from services.domain.storage import devices, media, sites
from services.domain.storage.schemas import DeviceBody, MediumBody, SiteBody
from services.runtime.calendar_days import CalendarDay
from services.runtime.errors import Retryable
from services.runtime.rules import Rules
from services.vault.age import generate_identity

# A formula to a spreadsheet, a way out of an attribute, two scripts to a browser, a sum to a template.
HOSTILE = "=1+1\"'><img src=x onerror=alert(1)><script>alert(1)</script>{{7*7}}"
COMPANION = "inspector"
DRAFT = "11111111-1111-4111-8111-111111111111"  # an application that was typed and not yet submitted


def hostile(place: str) -> str:
    """The hostile text with its place behind it, by which it is known again where it is shown."""
    return f"{HOSTILE}§{place}§"


STATION = "<b>监控室</b>"  # the name of a station is short

# Columns that the product fills, with codes, hashes, addresses and keys; people write all others.
MACHINE = {
    "kind", "code", "severity", "stage", "outcome", "event", "action", "channel", "rule", "source", "phase", "sha256",
    "previous_sha256", "leaf_sha256", "statement_sha256", "form_sha256", "code_sha256", "browser_sha256", "entry",
    "login", "password_hash", "locale", "zone", "number", "version", "policy_version", "conditions_version", "key",
    "bucket", "version_id", "subject_kind", "subject_id", "actor_kind", "actor_id", "application_id", "hand_over_id",
    "copy_id", "item_id", "answer", "sealed", "encrypted_secret", "return_to", "recipient", "pending_step", "id",
    "purpose_category", "legal_basis", "way_of_use", "granted_way_of_use", "camera_class", "closed_as", "decided_by",
    "importance", "clock_method", "process_id", "element_id", "name", "correlation_key", "message_id", "content",
    "fingerprint", "start_known_by", "origin", "closed_because", "old", "new", "check", "ended_because", "trouble",
    "last_error", "address", "cause", "matter_id", "facts_sha256", "lifted_by", "media_type", "secret",
    "part", "amount", "currency", "dropped_because", "station",
}  # fmt: skip
NAMES = ("people", "recorders", "saved_searches")  # here ``name`` is a person's or a thing's, and no message's
# one of a list, or made by the machine
CODES = {
    *("upload_attempts.purpose", "progress.purpose", "model_sets.base", "model_versions.result"),
    *("site_keepers.part", "media.state", "floor_plan_pictures.encrypted"),
    *("evidence_packages.footage", "evidence_packages.recipient_kind"),
}


SPAN = {"start": TIMES[0], "end": TIMES[1], "zone": "UTC"}
RECORD = {
    "title": "视频录像调取记录",
    "organisation": hostile("rules.organisation"),
    "policyVersion": "2026-01",
    "form": {"number": "SQ-2031-000001", "sha256": "f" * 64},
    "operator": {"id": "o", "name": hostile("record.operator")},
    "secondPersons": [{"id": "p", "name": hostile("record.second")}],
    "source": {
        "site": hostile("record.site"),
        "recorder": {"name": hostile("record.recorder"), "make": hostile("record.make"), "model": "m"},
        "camera": {"id": "c", "nameZh": hostile("record.camera"), "channel": hostile("record.channel")},
        "origin": "recorder",
    },
    "recorderClock": {"zone": "UTC", "offsetMs": None, "method": "ntp", "uncertaintyMs": None},
    "asked": SPAN,
    "outcome": "complete",
    "coverage": 1,
    "obtained": {
        **{"covered": [TIMES], "gaps": [], "leadInMs": 0, "tailMs": 0, "codecs": ["h264"]},
        "sources": [{"name": hostile("record.segment"), "sha256": "a" * 64}],
    },
    "files": [],
    "tools": {"footage-desk": "0.1.0"},
    "startedAt": TIMES[0],
    "finishedAt": TIMES[1],
    "difficulties": [hostile("record.difficulty")],
}


class Away:
    """A store that is away: whoever gets as far as it was let through."""

    def __getattr__(self, name: str) -> Any:
        if name == "unwrapper":
            return lambda _copy_id: None
        raise Retryable("away")


class HostileOrganisation(ReviewDesk):
    """``portal()`` opens it; ``known`` are the values that the parameters of its addresses may take.

    ``questioned``: the case whose applicant has a question to answer. ``lent``: the hand-over whose copies are held.
    """

    def __init__(self, url: str) -> None:
        told = {"organisation": hostile("rules.organisation"), "viewing_stations": f"127.0.0.1 {STATION}"}
        super().__init__(url, rules=Rules(max_use_days=30, **told))
        self._form = replace(
            FORM,
            recipient_ids=("office-head", "operator2"),
            **{
                name: hostile(f"applications.{name}")
                for name in (
                    "reason",
                    "purpose",
                    "way_of_use_because",
                    "place_of_use",
                    "incident_reference",
                    "urgent_because",
                )
            },
        )
        self.run(_write_over)  # names, which documents hold
        self._cases()
        self._besides()
        self.written = self.run(_write_over)

    def portal(self) -> Portal:
        lens = Lens()
        opened = Portal(self, recorders=lambda _kind, _configuration: lens, store=Away(), loan_keys=Away())
        opened.app.state.dependencies["vault_recipients"] = lambda: [generate_identity()[1]]
        return opened

    def case(self, **changes: Any) -> str:
        form = replace(self._form, **changes)

        def act(uow: UnitOfWork) -> str:
            return application_service.submit(uow, application_service.create_draft(uow, form).id).id

        return self.run(act, by="drafter")

    def _cases(self) -> None:
        self.run(application_service.create_draft, self._form, by="drafter")
        words = {"reason": hostile("decisions.reason"), "opinion": hostile("decisions.opinion")}
        self.opened(self.case(), "preliminary")
        for outcome in ("returned", "rejected"):
            back = self.case()
            self.decide(self.opened(back, "preliminary"), "head", outcome, **words)
        self.run(application_service.withdraw, self.case(), hostile("withdrawal.reason"), by="drafter")
        at_security = self.questioned = self.case()
        self.decide(self.opened(at_security, "preliminary"), "head", **words)
        review_id = self.opened(at_security, "security")
        asked = [self.run(questions.ask, review_id, hostile("question"), by="reviewer").id for _ in range(2)]
        self.run(questions.answer, at_security, asked[0], hostile("answer"), by="drafter")
        important = self.case()
        self.approved(important)
        self.classed(important, important_information=True)
        self.opened(important, "management")
        lent = self._lent(words)
        self._held(*lent)
        self.lent = lent[2]
        self.run(recipient_access.allow, self.lent, "office-head", by="keeper")
        entry = {"text": hostile("entries.text"), "place": hostile("entries.place")}
        self.run(holder_entries.write, self.lent, "moved", **entry, by="keeper")
        for end in (self._declined, self._lost, self._returned):
            end(*self._lent(words))
        self._matters(words)
        self._sitting(words)
        consent_id, sha256 = self._jointly()
        reason = hostile("consents.reason")
        self.run(joint.refuse, consent_id, reason, Proof(sha256, PASSWORD), by="security-head")
        self._jointly()
        held = str(self.the(Application, id=at_security).number)
        self.run(legal_holds.place, held, cause="manual", reason=hostile("legal_holds.reason"), by="security-deputy")
        named = {"recipient": hostile("packages.recipient"), "reason": hostile("packages.reason")}
        asked = Asked(str(self.the(Application, id=lent[0]).number), "hash", "inside", **named)
        self.run(packages.ask, asked, (), by="reviewer")
        self.run(_registers, by="operator")
        self.run(_plan, by="admin")

    def _lent(self, words: Mapping[str, str], way: str = "download", **changes: Any) -> tuple[str, str, str]:
        """A case whose copy is offered: its id, the copy's and the hand-over's."""
        application_id = self.case(**changes)
        for stage, by in (("preliminary", "head"), ("security", "reviewer"), ("security-signature", "security-head")):
            self.decide(self.opened(application_id, stage), by, **words)
        self.run(filing.file, application_id, Classification("ordinary", False, False, False, 15))
        self.classed(application_id, granted_way_of_use=way)
        self.decide(self.opened(application_id, "storage-release"), "operator", **words)
        _, copy_id, hand_over_id = self.run(offered, application_id, RECORD)
        self.opened(application_id, "receipt", hand_over_id=hand_over_id)
        return application_id, copy_id, hand_over_id

    def _proof(self, application_id: str) -> Proof:
        def read(uow: UnitOfWork) -> str:
            revision = forms.current_revision(uow, application_id)
            assert revision is not None
            return revision.sha256

        return Proof(self.run(read), PASSWORD)

    def _held(self, application_id: str, copy_id: str, hand_over_id: str) -> str:
        version, proof = self.rules.policy_version, self._proof(application_id)
        self.run(hand_overs.accept, hand_over_id, conditions_version=version, proof=proof, by="keeper")
        self.run(viewings.open_viewing, copy_id, purpose_confirmed=True, address="x", by="keeper")
        wish = {"recipient": generate_identity()[1], "medium": hostile("downloads.medium"), "address": "x"}
        return str(self.run(viewings.list_download, copy_id, **wish, by="keeper").id)

    def _declined(self, application_id: str, _copy_id: str, hand_over_id: str) -> None:
        proof = self._proof(application_id)
        self.run(hand_overs.decline, hand_over_id, reason=hostile("declined.reason"), proof=proof, by="keeper")

    def _lost(self, application_id: str, copy_id: str, hand_over_id: str) -> None:
        self._held(application_id, copy_id, hand_over_id)
        told = hostile("loss.what_happened")
        self.run(hand_overs.report_loss, hand_over_id, kind="lost", what_happened=told, by="keeper")

    def _returned(self, application_id: str, copy_id: str, hand_over_id: str) -> None:
        download_id = self._held(application_id, copy_id, hand_over_id)
        fate = AttestedFate(download_id, "destroyed", hostile("returns.note"))
        given = {"return_to": "security", "fates": [fate], "no_other_copies": True, "proof": Proof(password=PASSWORD)}
        self.run(returns.return_copies, hand_over_id, **given, by="keeper")
        self.run(returns.record_inspection, application_id, hand_over_id, {copy_id: True})
        self.opened(application_id, "return-inspection", hand_over_id=hand_over_id)

    def _matters(self, words: Mapping[str, str]) -> None:
        """What is asked about a loan, a violation that can be appealed, and an urgent call whose footage is shown."""
        asked = LoanDesk(self, {"application_id": self.the(HandOver, id=self.lent).application_id})
        asked.ids["hand_over_id"] = self.lent
        wish = {"purpose": hostile("matters.purpose"), "wayOfUse": "view", "reason": hostile("matters.reason")}
        changed, note = asked.ask("purpose-change", "head", **wish), hostile("attachments.note")
        self.run(lambda uow: attached(uow, changed, "letter", note, subject="matter"), by="head")
        application_id, copy_id, hand_over_id = self._lent(words)
        self._held(application_id, copy_id, hand_over_id)
        loan = LoanDesk(self, {"application_id": application_id, "hand_over_id": hand_over_id})
        found = {"violationKind": "finding", "reason": hostile("violations.found")}
        violation = loan.ask("violation", "supervisor", **found)
        assessed = Assessment("minor", "violation-security", suspend_person=False, referral_asked=False)
        self.run(violation_tasks.assess, violation, loan.instance)
        self.run(violation_tasks.serve, violation, assessed)
        self.run(violation_acts.reply, violation, hostile("hearings.said"), by="keeper")
        other = GivenSanction("other", note=hostile("sanctions.measure"))
        judged = Judgement(sanctions=(GivenSanction("warning"), other), loss=False, referral=False)
        given = {"judgement": judged, **words}
        loan.decide(violation, "violation-security", "security-deputy", **given)
        self.run(violation_tasks.record_sanctions, violation)
        self.run(violation_tasks.close, violation, "handled")
        urgent = Urgent.of(self, self.case())
        urgent.shown(reason=hostile("urgent.reason"))

    def _sitting(self, words: Mapping[str, str]) -> None:
        """A loan that is viewed on site, in a sitting that goes on."""
        changed = {"custodian_id": COMPANION, "way_of_use": "on-site"}
        application_id, copy_id, hand_over_id = self._lent(words, way="on-site", **changed)
        version, proof = self.rules.policy_version, self._proof(application_id)
        self.run(hand_overs.accept, hand_over_id, conditions_version=version, proof=proof, by=COMPANION)
        present = sittings.Present(("office-head",))
        begun = {"present": present, "purpose_confirmed": True, "address": "127.0.0.1"}
        self.run(sittings.begin, hand_over_id, by=COMPANION, **begun)
        self.run(viewings.open_viewing, copy_id, purpose_confirmed=True, address="127.0.0.1", by=COMPANION)

    def _jointly(self) -> tuple[str, str]:
        """A case that waits for a department's consent: the consent's id, and the hash of what is consented to."""
        application_id = self.case(joint_department_ids=("security",))
        consent = self.the(Consent, application_id=application_id)
        return consent.id, self.the(Consultation, id=consent.consultation_id).sha256

    def _besides(self) -> None:
        told = {name: hostile(f"uploads.{name}") for name in ("title", "occasion", "place", "recorded_by")}
        facts = Facts("meeting", description=hostile("uploads.description"), zone="UTC", **told)
        self.run(uploads.announce, facts, None, by="drafter")
        text = hostile("agreement_texts.text") + "字" * 20
        self.run(texts.issue_version, "2031-1", text, text, reason=hostile("agreement_texts.reason"), by="admin")
        self.run(_sign_again)
        self.run(rule_service.change_rule, "max_items", "19", hostile("rule_changes.reason"), was="20", by="admin")
        self.run(
            notification_service.notify,
            "drafter",
            "application-incomplete",
            application_id=None,
            channels=("mail", "webhook"),
        )
        typed = {"reason": hostile("drafts.reason"), "items-0-camera": hostile("drafts.camera")}
        form = replace(self._form, items=())
        self.run(_measure_and_fail)
        self.run(drafts.save, DRAFT, form, typed=typed, by="drafter")
        self.run(attached, DRAFT, "letter", hostile("attachments.note"), by="drafter")
        self.run(saved_searches.save, "mine", "text=gate", by="reviewer")
        self.run(_calendar)
        self.run(_models)

    def known(self) -> dict[str, list[str]]:
        """The values that the parameters of addresses may take, by name."""
        tables = {
            "application_id": "applications", "consent_id": "consents", "upload_id": "uploads", "item_id": "items",
            "hand_over_id": "hand_overs", "copy_id": "copies", "download_id": "downloads", "review_id": "reviews",
            "recorder_id": "recorders", "camera_id": "cameras", "department_id": "departments",
            "delivery_id": "deliveries", "notice_id": "notices", "post_id": "posts", "session_id": "sessions",
            "absence_id": "absences", "search_id": "saved_searches", "set_id": "model_sets", "matter_id": "matters",
            "sitting_id": "sittings", "plan_id": "floor_plans", "package_id": "evidence_packages",
        }  # fmt: skip
        found = {name: self.ids(Base.metadata.tables[table]) for name, table in tables.items()}
        numbers = self.run(lambda uow: list(uow.session.scalars(select(Document.number))))
        return {
            **{name: keys[:12] for name, keys in found.items()},
            "person_id": ["reviewer2"],
            "manual": ["custodian"],
            "language": ["zh"],
            "picture": ["overview.webp"],
            "number": numbers,
            "name": ["organisation", "max_items"],
            "rule_name": ["organisation"],
            "process_id": ["review"],
            "version": ["2026", "2031-1"],
            "act": ["unlock"],
            "year": ["2031"],
        }

    def ids(self, table: Table) -> list[str]:
        return self.run(lambda uow: list(uow.session.scalars(select(table.c.id).order_by(table.c.id))))

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of all tables: what an act has changed is seen by comparing."""

        def read(uow: UnitOfWork) -> dict[str, list[tuple[Any, ...]]]:
            return {
                table.name: sorted((tuple(row) for row in uow.session.execute(select(table))), key=repr)
                for table in Base.metadata.sorted_tables
            }

        return self.run(read)


def _sign_again(uow: UnitOfWork) -> None:
    """A new text is out, without which nobody would find anything to do."""
    uow.session.execute(update(Agreement).values(version="2031-1"))


def _registers(uow: UnitOfWork) -> None:
    """A site with a device, one that is retired, and media in every state that has a note."""
    words = {name: hostile(f"sites.{name}") for name in ("name", "address", "area")}
    site = sites.add(uow, SiteBody(**words))
    sites.set_keeper(uow, site.id, "operator", "keeper")
    for number in range(2):
        told = {
            name: hostile(f"devices.{name}{number}") for name in ("number", "make", "model", "capacity", "redundancy")
        }
        body = DeviceBody(**told, serial=hostile(f"devices.serial{number}"), kind="array", site_id=site.id)
        devices.add(uow, body)
    media.add(uow, MediumBody(number="JZ-1", serial=hostile("media.serial"), kind="disk", site_id=site.id))


def _plan(uow: UnitOfWork) -> None:
    """A floor plan with a picture and a camera, of a site with hostile names."""
    words = [hostile(f"floor_plans.{name}") for name in ("building_zh", "building_en", "floor_zh", "floor_en")]
    site_id = uow.session.scalars(select(Site.id).limit(1)).one()
    plan = plans.add(uow, PlanEntry(site_id, *words, level=1))
    plans.upload(uow, plan.id, Picture(b"\xff\xd8\xff", 800, 600))
    camera = uow.session.scalars(select(Camera.id).where(Camera.active).limit(1)).one()
    plans.place(uow, plan.id, {camera: (250, 500)})


def _calendar(uow: UnitOfWork) -> None:
    """A year whose holiday has a hostile name."""
    zh, en = hostile("calendar_years.zh"), hostile("calendar_years.en")
    days = [CalendarDay(date(2031, 5, 1), "off", zh, en).as_json()]
    reason = hostile("calendar_years.reason")
    uow.session.add(CalendarYear(year=2031, days=days, imported_at=uow.now, imported_by="admin", reason=reason))


def _models(uow: UnitOfWork) -> None:
    """Sets of models: one that can be asked for, and one that was not deployed; and a version on no record."""
    found = {name: hostile(f"model_sets.{name}") for name in ("zh", "en", "why_zh", "why_en", "floor_zh", "floor_en")}
    found |= {"expected_zh": hostile("model_sets.zh"), "expected_en": hostile("model_sets.en")}
    sentence = {"zh": hostile("model_sets.zh"), "en": hostile("model_sets.en")}
    result = {
        **{"verdict": "broken", "rules": 1, "rules_sha256": None, "states": 1, "changes": [sentence]},
        **{"broken": [{**found, "requirements": ["R2"], "steps": [sentence]}], "undecided": [found]},
        **{"lint": [sentence], "notes": [sentence], "unreadable": hostile("model_sets.unreadable")},
    }
    files = {"review.bpmn": "0" * 64, f"{hostile('model_sets.file')}.bpmn": "0" * 64}
    given = {"uploaded_by": "admin", "uploaded_at": uow.now, "checked_at": uow.now, "files": files, "result": result}
    given |= {"content": pack({}), "base": in_use.load(uow).fingerprint, "tries": 1}
    asked = {"reason": hostile("model_sets.reason"), "unchecked": hostile("model_sets.unchecked")}
    uow.session.add(ModelSet(**given))
    uow.session.add(ModelSet(**given, **asked, failure=hostile("model_sets.failure")))
    versions.enter(uow, [Definition("review", 1, 1)], "shipped")
    versions.note_unrecorded(uow, Definition(hostile("model_versions.process_id"), 1, 2))


def _measure_and_fail(uow: UnitOfWork) -> None:
    """What a recorder and a mail server said of themselves."""
    recorder = uow.session.get_one(Recorder, "recorder")
    recorder.make = recorder.model = recorder.identity = "told"
    for delivery in uow.session.scalars(select(Delivery)):
        delivery.given_up_at, delivery.last_error, delivery.last_detail = uow.now, "unreachable", "told"


def _write_over(uow: UnitOfWork) -> set[str]:
    """Put the hostile text into every column that people can write; which ones those are."""
    written = set()
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            place = f"{table.name}.{column.name}"
            named = column.name == "name" and table.name in NAMES
            ours = place in CODES or (column.name in MACHINE and not named) or isinstance(column.type, JSON)
            if ours or column.primary_key or column.foreign_keys or not isinstance(column.type, String):
                continue
            filled = uow.session.execute(select(column).where(column.is_not(None)).limit(1)).first()
            if filled is not None:  # what is empty stays so: it says in which state a row is
                uow.session.execute(update(table).where(column.is_not(None)).values({column.name: hostile(place)}))
                written.add(place)
    return written
