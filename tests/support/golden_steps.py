"""The steps of golden scenarios as calls of Zeebe's gateway, and what is stable in their answers; for any engine."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any, Protocol

from golden_outcome import Outcome
from google.protobuf.message import Message
from pyzeebe.proto import gateway_pb2 as pb

from services.engine.state.records import Record

_DAY_MS = 86_400_000
_RESULT_MS = 20_000


class Refused(Exception):
    """The engine refused a call; ``status`` is the gRPC status' name."""

    def __init__(self, status: str, text: str) -> None:
        super().__init__(text)
        self.status = status


class OutOfReach(Exception):
    """A step needs what the engine does not give: records, or a clock."""


class Engine(Protocol):
    """Where scenarios are run."""

    def begin(self) -> None:
        """A step begins."""

    def call(self, method: str, request: Message) -> Any:
        """The answer; raises Refused."""

    def ask(self, request: pb.CreateProcessInstanceWithResultRequest) -> Any:
        """Begin to wait for a result, which ``result`` takes."""

    def result(self, asked: Any) -> pb.CreateProcessInstanceWithResultResponse:
        """Raises Refused."""

    def fetch(self, request: pb.ActivateJobsRequest, expected: int) -> list[pb.ActivatedJob]:
        """The jobs there are; one that tells no records may wait a little for as many as are ``expected``."""

    def advance(self, by: int) -> None:
        """Turn the clock, in ms; raises OutOfReach."""

    def settle(self) -> list[Record] | None:
        """Wait until nothing is left to do; returns what was recorded since, None where nothing is."""


class Steps:
    """One folder, run to its end by ``run``."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        self.folder = folder
        self.engine = engine
        self.spec = json.loads((folder / "scenario.json").read_text(encoding="utf-8"))
        self.golden = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
        self.records: list[tuple[int, Record]] | None = []
        self.step = 0
        self.names: dict[str, int] = {}
        self.jobs: dict[str, list[pb.ActivatedJob]] = defaultdict(list)
        self.definitions: set[int] = set()
        self.stopped = ""
        """Why it could not be run to its end."""
        self._asked: dict[str, Any] = {}

    def run(self) -> dict[str, Any]:
        answers: list[dict[str, Any]] = []
        for number, step in enumerate(self.spec["steps"], 1):
            self.step = number
            self.engine.begin()
            answer: dict[str, Any] = {"step": number, "do": step["do"], "status": "OK"}
            try:
                answer |= getattr(self, f"do_{step['do']}")(step) or {}
            except Refused as refusal:
                answer["status"] = refusal.status
            except (LookupError, StopIteration) as missing:
                answer["status"] = f"NOT RUN: it names what is not there ({missing!r})"
            except OutOfReach as lack:
                self.stopped = f"step {number} ({step['do']}) needs {lack}"
                break
            self._settle()
            answers.append(answer)
        report: dict[str, Any] = {"order": self.golden["order"], "steps": answers}
        return report if self.stopped or self.records is None else report | self.outcome().report()

    def clean_up(self) -> None:
        """Leave nothing behind that the next scenario on the same engine could meet."""
        calls: list[tuple[str, Message]] = [
            ("DeleteResource", pb.DeleteResourceRequest(resourceKey=key)) for key in self.definitions
        ]
        instances = self.names.values() if self.records is None else self.outcome().names()
        calls += [("CancelProcessInstance", pb.CancelProcessInstanceRequest(processInstanceKey=k)) for k in instances]
        for method, request in calls:
            try:
                self.engine.call(method, request)
            except Refused:
                continue  # it has ended, or was called by another
        self.engine.settle()

    def _settle(self) -> None:
        new = self.engine.settle()
        if new is None or self.records is None:
            self.records = None
        else:
            self.records += [(self.step, record) for record in new]

    def outcome(self) -> Outcome:
        return Outcome(self._recorded("records"), self.names, self.golden["order"], self.definitions)

    def _recorded(self, what: str) -> list[tuple[int, Record]]:
        if self.records is None:
            raise OutOfReach(what)
        return self.records

    def mine(self, value_type: str, what: str) -> list[Record]:
        return [record for _, record in self._recorded(what) if record.value_type == value_type]

    def instance(self, name: str) -> int:
        if name in self.names:
            return self.names[name]
        self._recorded("the key of an instance that no call has told")
        return {n: k for k, n in self.outcome().names().items()}[name]

    def _element_key(self, instance_key: int, element_id: str) -> int:
        live: dict[int, None] = {}
        for record in self.mine("PROCESS_INSTANCE", "the key of an element"):
            if record.value["processInstanceKey"] == instance_key and record.value["elementId"] == element_id:
                if record.intent == "ELEMENT_ACTIVATING":
                    live[record.key] = None
                elif record.intent in ("ELEMENT_COMPLETED", "ELEMENT_TERMINATED"):
                    live.pop(record.key, None)
        return next(iter(live))

    def _job(self, reference: dict[str, Any]) -> pb.ActivatedJob:
        found = [
            job
            for job in self.jobs[reference["type"]]
            if reference.get("elementId", job.elementId) == job.elementId
            and all(json.loads(job.variables).get(n) == v for n, v in reference.get("where", {}).items())
        ]
        return found[reference.get("n", len(found)) - 1]

    def _job_key(self, step: dict[str, Any]) -> int:
        reference = step["job"]
        if not reference.get("created"):
            return self._job(reference).key
        created = self.mine("JOB", "the key of a job that nobody fetched")
        keys = [r.key for r in created if r.intent == "CREATED" and r.value["type"] == reference["type"]]
        return keys[reference.get("n", len(keys)) - 1]

    def do_deploy(self, step: dict[str, Any]) -> dict[str, Any]:
        resources = []
        for given in step["files"]:
            file = {"file": given} if isinstance(given, str) else given
            name = file.get("resourceName", f"{self.folder.name}/{file['file']}")
            resources.append(pb.Resource(name=name, content=(self.folder / file["file"]).read_bytes()))
        deployed = self.engine.call("DeployResource", pb.DeployResourceRequest(resources=resources))
        answers: list[dict[str, Any]] = []
        for one in deployed.deployments:
            match one.WhichOneof("Metadata"):
                case "process":
                    self.definitions.add(one.process.processDefinitionKey)
                    answers.append({"process": one.process.bpmnProcessId, "version": one.process.version})
                case "decision":
                    answers.append({"decision": one.decision.dmnDecisionId, "version": one.decision.version})
                case "decisionRequirements":
                    drg = one.decisionRequirements
                    answers.append({"decisionRequirements": drg.dmnDecisionRequirementsId, "version": drg.version})
        return {"deployments": sorted(answers, key=json.dumps)}

    def do_create(self, step: dict[str, Any]) -> dict[str, Any]:
        request = pb.CreateProcessInstanceRequest(
            bpmnProcessId=step["processId"],
            version=step.get("version", -1),
            variables=_text(step),
            startInstructions=[{"elementId": element} for element in step.get("startAt", [])],
        )
        if not step.get("withResult"):
            created = self.engine.call("CreateProcessInstance", request)
            self.names[step["as"]] = created.processInstanceKey
            return {"process": created.bpmnProcessId, "version": created.version}
        self._asked[step["as"]] = self.engine.ask(
            pb.CreateProcessInstanceWithResultRequest(
                request=request,
                requestTimeout=step.get("requestTimeoutMs", _RESULT_MS),
                fetchVariables=step.get("fetchVariables", []),
            )
        )
        return {"result": "later"} if step.get("later") else self.do_awaitResult({"instance": step["as"]})

    def do_awaitResult(self, step: dict[str, Any]) -> dict[str, Any]:
        answer = self.engine.result(self._asked[step["instance"]])
        self.names[step["instance"]] = answer.processInstanceKey
        return {"process": answer.bpmnProcessId, "version": answer.version, "variables": json.loads(answer.variables)}

    def do_publish(self, step: dict[str, Any]) -> None:
        request = pb.PublishMessageRequest(
            name=step["name"],
            correlationKey=step.get("correlationKey", ""),
            timeToLive=step.get("ttlMs", 0),
            messageId=step.get("messageId", ""),
            variables=_text(step),
        )
        self.engine.call("PublishMessage", request)

    def do_signal(self, step: dict[str, Any]) -> None:
        self.engine.call("BroadcastSignal", pb.BroadcastSignalRequest(signalName=step["name"], variables=_text(step)))

    def do_activate(self, step: dict[str, Any]) -> dict[str, Any]:
        request = pb.ActivateJobsRequest(
            type=step["type"],
            worker=step.get("worker", "w"),
            timeout=step.get("timeoutMs", 60 * _DAY_MS),
            maxJobsToActivate=step.get("max", 32),
            fetchVariable=step.get("fetchVariables", []),
            requestTimeout=-1,
        )
        found = self._own_jobs(request, len(self.golden["steps"][self.step - 1].get("jobs", [])))
        if "max" not in step:
            found = sorted(found, key=lambda job: job.key)
        self.jobs[step["type"]] += found
        answers = [self._shown(job) for job in found]
        if self.golden["order"] == "set":
            answers.sort(key=lambda a: json.dumps(a, sort_keys=True))
        return {"jobs": answers}

    def _own_jobs(self, request: pb.ActivateJobsRequest, expected: int) -> list[pb.ActivatedJob]:
        """The jobs of what was deployed here; those of others may have hidden some, and are out of the way then."""
        found: list[pb.ActivatedJob] = []
        while True:
            fetched = self.engine.fetch(request, max(0, expected - len(found)))
            own = [job for job in fetched if job.processDefinitionKey in self.definitions]
            found += own
            if len(own) == len(fetched):
                return found

    def _shown(self, job: pb.ActivatedJob) -> dict[str, Any]:
        names = {key: name for name, key in self.names.items()}
        answer = {
            "type": job.type,
            "elementId": job.elementId,
            "process": job.bpmnProcessId,
            "version": job.processDefinitionVersion,
            "retries": job.retries,
            "customHeaders": json.loads(job.customHeaders or "{}"),
            "variables": json.loads(job.variables or "{}"),
        }
        return answer | ({"instance": names[job.processInstanceKey]} if job.processInstanceKey in names else {})

    def do_complete(self, step: dict[str, Any]) -> None:
        self.engine.call("CompleteJob", pb.CompleteJobRequest(jobKey=self._job_key(step), variables=_text(step)))

    def do_fail(self, step: dict[str, Any]) -> None:
        request = pb.FailJobRequest(
            jobKey=self._job_key(step),
            retries=step["retries"],
            retryBackOff=step.get("backoffMs", 0),
            errorMessage=step.get("message", ""),
            variables=_text(step),
        )
        self.engine.call("FailJob", request)

    def do_throwError(self, step: dict[str, Any]) -> None:
        request = pb.ThrowErrorRequest(
            jobKey=self._job_key(step),
            errorCode=step["code"],
            errorMessage=step.get("message", ""),
            variables=_text(step),
        )
        self.engine.call("ThrowError", request)

    def do_updateRetries(self, step: dict[str, Any]) -> None:
        request = pb.UpdateJobRetriesRequest(jobKey=self._job_key(step), retries=step["retries"])
        self.engine.call("UpdateJobRetries", request)

    def do_updateTimeout(self, step: dict[str, Any]) -> None:
        request = pb.UpdateJobTimeoutRequest(jobKey=self._job_key(step), timeout=step["timeoutMs"])
        self.engine.call("UpdateJobTimeout", request)

    def do_setVariables(self, step: dict[str, Any]) -> None:
        if "job" in step:
            key = self._job(step["job"]).elementInstanceKey
        else:
            key = self.instance(step["instance"])
            if "scope" in step:
                key = self._element_key(key, step["scope"])
        request = pb.SetVariablesRequest(elementInstanceKey=key, variables=_text(step), local=step.get("local", False))
        self.engine.call("SetVariables", request)

    def do_cancel(self, step: dict[str, Any]) -> None:
        key = self.instance(step["instance"])
        self.engine.call("CancelProcessInstance", pb.CancelProcessInstanceRequest(processInstanceKey=key))

    def do_resolveIncident(self, step: dict[str, Any]) -> None:
        key, open_incidents = self.instance(step["instance"]), {}
        for record in self.mine("INCIDENT", "the key of an incident"):
            value = record.value
            if value["processInstanceKey"] != key or value["elementId"] != step["element"]:
                continue
            if record.intent == "CREATED":
                open_incidents[record.key] = None
            elif record.intent == "RESOLVED" and not step.get("again"):
                open_incidents.pop(record.key, None)
        self.engine.call("ResolveIncident", pb.ResolveIncidentRequest(incidentKey=list(open_incidents)[-1]))

    def do_modify(self, step: dict[str, Any]) -> None:
        request = pb.ModifyProcessInstanceRequest(processInstanceKey=self.instance(step["instance"]))
        for given in step.get("activate", []):
            ancestor = -1
            if "ancestor" in given:
                ancestor = self._element_key(request.processInstanceKey, given["ancestor"])
            activation = request.activateInstructions.add(
                elementId=given["element"], ancestorElementInstanceKey=ancestor
            )
            for variables in given.get("variables", []):
                activation.variableInstructions.add(
                    variables=json.dumps(variables["set"]), scopeId=variables.get("scope", "")
                )
        for element in step.get("terminate", []):
            key = self._element_key(request.processInstanceKey, element)
            request.terminateInstructions.add(elementInstanceKey=key)
        self.engine.call("ModifyProcessInstance", request)

    def do_evaluateDecision(self, step: dict[str, Any]) -> dict[str, Any]:
        request = pb.EvaluateDecisionRequest(decisionId=step["decisionId"], variables=_text(step))
        result = self.engine.call("EvaluateDecision", request)
        answer = {
            "decision": result.decisionId,
            "version": result.decisionVersion,
            "output": _value(result.decisionOutput),
            "evaluated": [
                {
                    "decision": evaluated.decisionId,
                    "output": _value(evaluated.decisionOutput),
                    "matchedRules": [rule.ruleIndex for rule in evaluated.matchedRules],
                }
                for evaluated in result.evaluatedDecisions
            ],
        }
        return answer | ({"failed": result.failedDecisionId} if result.failedDecisionId else {})

    def do_advanceClock(self, step: dict[str, Any]) -> None:
        self.engine.advance(step["ms"])


def _text(step: dict[str, Any]) -> str:
    """Variables as they are sent: an object as JSON, a string as it is."""
    given = step.get("variables", {})
    return given if isinstance(given, str) else json.dumps(given)


def _value(text: str) -> Any:
    return json.loads(text) if text else None
