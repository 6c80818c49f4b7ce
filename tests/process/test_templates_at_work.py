"""Each element template, applied to an empty diagram and deployed: the worker itself does the work there."""

import asyncio
import json
import subprocess
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from case_people import CUSTODIAN, People
from pyzeebe.proto import gateway_pb2 as pb
from sqlalchemy import delete, select

from services.app.container import MODELS
from services.database.tables.applications import Application
from services.database.tables.matters import Matter
from services.database.tables.outbox import OutboxMessage
from services.database.tables.reviews import Review
from services.database.unit_of_work import Actor, UnitOfWork
from services.demo.organisation import demo_id
from services.designers import element_templates, node_tools
from services.designers.element_templates import CHOSEN
from services.domain.accounts.signatures.given import Proof
from services.domain.matters import service as matters
from services.domain.reviews import service as review_service
from services.domain.stages.catalogue import STAGES
from services.runtime.jobs.commands import camel
from services.runtime.jobs.worker import Worker, discover

pytestmark = pytest.mark.slow

WORKERS: dict[str, Worker] = {worker.job_type: worker for worker in discover()}


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One diagram for each template: start, the task with the template, end; and the process that a review calls."""
    target = tmp_path_factory.mktemp("applied")
    node = ["node", node_tools.TOOLS / "templates.mjs", f"--apply={target}", MODELS / element_templates.FOLDER]
    done = subprocess.run(node, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [*sorted(target.glob("*.bpmn")), MODELS / "review.bpmn"]


# One process alone handles a violation or an urgent retrieval, so a diagram of the bench cannot:
# test_violations_at_work and test_urgent_at_work walk them.
OF_NO_CASE = dict.fromkeys(("matterId", "workOrderId", "inspectionId", "sampledCase"))
# what the maintenance of a day does, which takes nothing from a case
OF_A_DAY = ("reverify-footage", "reconcile", "open-due-work-orders", "list-disposals")
OF_ONE_PROCESS = {
    *("start-work-order", "remind-work-order", "escalate-work-order", "reopen-work-order", "close-work-order"),
    *("draw-sample", "write-inspection-report", "open-corrective-actions", "close-inspection"),
    "assess-violation",
    "suspend-for-violation",
    "expire-reply",
    "clear-violation",
    "record-sanction",
    "hand-to-authority",
    "remind-violation",
    "grant-emergency-view",
    "end-emergency-view",
}


class Bench:
    """Runs one template's diagram after the other, and knows which have run."""

    def __init__(self, desk: People) -> None:
        self.desk = desk
        self.done: set[str] = set()

    async def run(self, name: str, variables: dict[str, Any]) -> dict[str, Any]:
        """Start the diagram of this template; the variables at its end."""
        started = pb.CreateProcessInstanceRequest(
            bpmnProcessId=f"try-{name}", version=-1, variables=json.dumps(variables)
        )
        try:
            ended = await self.desk.gateway.CreateProcessInstanceWithResult(
                pb.CreateProcessInstanceWithResultRequest(request=started, requestTimeout=20_000)
            )
        except grpc.aio.AioRpcError:
            raise AssertionError(f"{name}\n{self.desk.picture()}") from None
        given: dict[str, Any] = json.loads(ended.variables)
        return given

    async def does(self, job_type: str, **variables: Any) -> dict[str, Any]:
        """What the worker gives. The diagram is started with what the worker reads and its template does not say."""
        reads = set(WORKERS[job_type].variables) - set(CHOSEN)
        given = await self.run(job_type, {name: variables[name] for name in reads})
        self.done.add(job_type)
        result = WORKERS[job_type].result
        assert {camel(one.name) for one in (fields(result) if is_dataclass(result) else ())} <= set(given), job_type
        return given


async def test_every_worker_does_its_work_where_its_template_is_applied(desk: People, applied: list[Path]) -> None:
    await desk.deploy_on_record(*((path.name, path.read_bytes()) for path in applied))
    bench = Bench(desk)

    await _until_the_loan(desk, bench)
    await _beside_the_case(desk, bench)
    for job_type in OF_A_DAY:
        await bench.does(job_type)
    await bench.does("open-work-orders", defect="reconcile")

    assert bench.done == set(WORKERS) - OF_ONE_PROCESS
    assert not desk.trace.incidents


async def _until_the_loan(desk: People, bench: Bench) -> None:
    """A case that is lent and comes back; whoever did a step does it again, and finds what the first run wrote."""
    case = await desk.apply("cam1")
    await desk.review(case, "preliminary")
    named: dict[str, Any] = {"applicationId": case, **OF_NO_CASE}
    assert (await bench.does("open-case", **named, duplicateIsError=False))["duplicate"] is True
    for job_type in ("preliminary-review", "preserve-footage", "security-review"):
        await bench.does(job_type, **named)
    await desk.accept(case)
    loan = desk.hand_over(case)
    named |= {"handOverId": loan.id, "itemId": desk.items(case)[0].id, "usePeriodDays": loan.use_days}
    named |= desk.look(_class_of(case))
    for job_type in ("file-application", "notify-storage", "retrieve-footage", "back-up-footage", "encrypt-copy"):
        await bench.does(job_type, **named)
    assert (await bench.does("hand-over", **named))["handOverId"] == loan.id
    accepted = await bench.does("expire-offer", **named)
    assert accepted["acceptedMeanwhile"] is True
    named |= {"dueAt": accepted["dueAt"], "gracePeriod": "P3D"}
    for job_type in ("remind-return", "suspend-access", "resume-access"):
        await bench.does(job_type, **named)
    await _reported_and_answered(desk, bench, named, "explained", "lift-freeze")
    named["matterId"] = await desk.database.run(Actor("person", loan.custodian_id), _ask_for_a_transfer, case)
    await bench.does("check-matter", **named)
    await desk.turn(days=loan.use_days + 4)
    await bench.does("open-violation", **named)
    await _reported_and_answered(desk, bench, named, "recall", "recall-copy")
    await bench.does("close-matter", **named, closedAs="moot")
    await desk.decide(case, "return-inspection")
    await desk.closed(case, "footage-re-archived")
    await bench.does("inspect-return", **named)
    await bench.does("re-archive", **named, decision="in-order")
    assert (await bench.does("apply-matter", **named))["applied"] is False, "it ended with the loan"


async def _beside_the_case(desk: People, bench: Bench) -> None:
    """Another case, of which the process itself has opened the first review; then it is closed from the bench."""
    case = await desk.apply("cam2")
    waiting = await desk.review(case, "preliminary")
    # Its own process would go on beside the bench, and ask what the bench has decided meanwhile.
    (own,) = (key for key, name in desk.trace.running.items() if name == "video-retrieval")
    await desk.gateway.CancelProcessInstance(pb.CancelProcessInstanceRequest(processInstanceKey=own))
    named: dict[str, Any] = {
        "applicationId": case,
        "round": 0,
        "decidedBy": "management",
        "handOverId": None,
        **OF_NO_CASE,
    }
    await bench.does("expire-application", **named)
    await _asked_and_answered(desk, bench, case, waiting)
    opened = await bench.does("open-review", **named, stage="security")
    assert opened["reviewId"] != waiting.id
    await desk.turn(days=1, hours=1)
    for job_type in ("remind-reviewer", "escalate-review"):
        await bench.does(job_type, **named, reviewId=opened["reviewId"])
    await desk.decide(case, "security")
    await bench.does("open-review", **named, stage="security-signature")
    await desk.decide(case, "security-signature")
    await bench.does("escalate-to-management", **named)
    await bench.does("open-review", **named, stage="management")
    await desk.decide(case, "management", "rejected")
    await bench.does("release-preservation", **named)
    assert desk.application(case).closed_as == "rejected"


async def _asked_and_answered(desk: People, bench: Bench, case: str, waiting: Review) -> None:
    """The review's template asks people anew, and gives their answer and no earlier one."""
    running = asyncio.create_task(bench.run("review", {"applicationId": case, "decision": "rejected"}))
    another = select(Review).where(Review.application_id == case, Review.id != waiting.id)
    asked = await desk.until(lambda uow: uow.session.scalar(another), "the review of the template")
    assert asked is not None
    assert asked.stage == "preliminary"
    login = desk.candidates(asked)[0]
    await desk.as_person(
        login,
        review_service.decide,
        asked.id,
        outcome="approved",
        answers={question.code: True for question in STAGES[asked.stage].questions},
        reason=None,
        opinion=None,
        proof=desk.proof(case, login),
    )
    assert (await running)["decision"] == "approved"


async def _reported_and_answered(desk: People, bench: Bench, named: dict[str, Any], answer: str, job_type: str) -> None:
    """A problem with the copies on loan, which Security answers; the bench does what follows."""
    case = named["applicationId"]
    custodian = Actor("person", desk.hand_over(case).custodian_id)
    told = {**named, "matterId": await desk.database.run(custodian, _report_a_problem, case)}
    await bench.does("freeze-loan", **told)
    opened = await bench.does("open-review", **told, stage="problem")
    [review] = desk.rows(Review, id=opened["reviewId"])
    [matter] = desk.rows(Matter, id=told["matterId"])
    login = desk.candidates(review)[0]
    await desk.as_person(
        login,
        review_service.decide,
        review.id,
        outcome=answer,
        answers={question.code: True for question in STAGES["problem"].questions},
        reason="已核对",
        opinion=None,
        proof=Proof(matter.facts_sha256, f"demo-{login}"),
    )
    await bench.does(job_type, **told)


def _report_a_problem(uow: UnitOfWork, case: str) -> str:
    """As below: its own process does not hear of it."""
    matter_id = matters.open_matter(uow, "problem", case, {"reason": "none", "problem": "gap"}).id
    uow.session.execute(delete(OutboxMessage).where(OutboxMessage.matter_id == matter_id))
    return matter_id


def _ask_for_a_transfer(uow: UnitOfWork, case: str) -> str:
    """A matter whose own process does not hear of it: the bench does its work."""
    heir = demo_id("lina")
    asked, proof = {"reason": "none", "toPersonId": heir}, Proof(password=f"demo-{CUSTODIAN}")
    matter_id = matters.open_matter(uow, "custody-transfer", case, asked, proof).id
    uow.session.execute(delete(OutboxMessage).where(OutboxMessage.matter_id == matter_id))
    return matter_id


def _class_of(case: str) -> Callable[[Any], dict[str, Any]]:
    def read(uow: Any) -> dict[str, Any]:
        row = uow.session.get_one(Application, case)
        return {
            "importance": row.importance,
            "managementNeeded": row.management_needed,
            "secondPerson": row.second_person,
            "backupNeeded": row.backup_needed,
            "maxUseDays": row.max_use_days,
        }

    return read
