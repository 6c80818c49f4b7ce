"""Runs one golden scenario on the engine's core, in process, and reports what happened in the words of golden.json.

The clock is turned by the steps; nothing waits. Status codes are the gateway's, taken from the rejection's reason.
"""

import json
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from golden_outcome import Outcome

from services.engine.errors import Reason, Rejection
from services.engine.processing import (
    core,
    decisions,
    deployments,
    incidents,
    instances,
    jobs,
    messages,
    modification,
    signals,
)
from services.engine.processing.work import Work
from services.engine.state.records import Record
from services.engine.state.store import Store

_DAY_MS = 86_400_000


class TurnableClock:
    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


class Scenario:
    """One folder, run to its end by ``run``."""

    def __init__(self, folder: Path, directory: Path | None = None) -> None:
        """With a ``directory`` the engine is started anew on its data before every step."""
        self.folder = folder
        self.directory = directory
        self.spec = json.loads((folder / "scenario.json").read_text(encoding="utf-8"))
        self.golden = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
        self.clock = TurnableClock()
        self.store = Store(directory)
        self.core = core.Core(self.store, self.clock)
        self.records: list[tuple[int, Record]] = []
        self.step = 0
        self.names: dict[str, int] = {}
        self.jobs: dict[str, list[jobs.HandedOut]] = defaultdict(list)
        self.results: dict[int, dict[str, Any]] = {}
        self.deferred: dict[str, int] = {}

    def run(self) -> dict[str, Any]:
        answers = []
        for number, step in enumerate(self.spec["steps"], 1):
            self.step = number
            if self.directory is not None:
                self._restart(self.directory)
            answer: dict[str, Any] = {"step": number, "do": step["do"], "status": "OK"}
            try:
                answer |= getattr(self, f"do_{step['do']}")(step) or {}
            except Rejection as rejection:
                answer["status"] = rejection.reason.value
            self._settle()
            answers.append(answer)
        return {"order": self.golden["order"], "steps": answers, **self.outcome().report()}

    def _restart(self, directory: Path) -> None:
        self.store.close()
        self.store = Store(directory)
        self.core = core.Core(self.store, self.clock)

    def _apply(self, command: Callable[[Work], Any]) -> Any:
        batch = self.core.apply([command])
        self._take(batch)
        (answer,) = batch.answers
        if isinstance(answer, Rejection):
            raise answer
        return answer

    def _take(self, batch: core.Batch) -> None:
        self.records += [(self.step, record) for record in batch.records]
        self.results |= batch.results

    def _settle(self) -> None:
        while True:
            batch = self.core.apply_due()
            if not batch.answers:
                return
            self._take(batch)

    def outcome(self) -> Outcome:
        return Outcome(self.records, self.names, self.golden["order"])

    def mine(self, value_type: str) -> list[Record]:
        return [record for _, record in self.records if record.value_type == value_type]

    def instance(self, name: str) -> int:
        return self.names.get(name) or {n: k for k, n in self.outcome().names().items()}[name]

    def _variables(self, step: dict[str, Any]) -> dict[str, Any]:
        given = step.get("variables", {})
        if not isinstance(given, str):
            return dict(given)
        try:
            document = json.loads(given) if given else {}
        except ValueError as error:
            raise Rejection(Reason.INVALID_ARGUMENT, str(error)) from error
        if not isinstance(document, dict):
            raise Rejection(Reason.INVALID_ARGUMENT, "not an object")
        return document

    def _job(self, reference: dict[str, Any]) -> jobs.HandedOut:
        found = [
            h
            for h in self.jobs[reference["type"]]
            if reference.get("elementId", h.job.element_id) == h.job.element_id
            and all(h.variables.get(n) == v for n, v in reference.get("where", {}).items())
        ]
        return found[reference.get("n", len(found)) - 1]

    def _job_key(self, step: dict[str, Any]) -> int:
        reference = step["job"]
        if not reference.get("created"):
            return self._job(reference).job.key
        keys = [r.key for r in self.mine("JOB") if r.intent == "CREATED" and r.value["type"] == reference["type"]]
        return keys[reference.get("n", len(keys)) - 1]

    def do_deploy(self, step: dict[str, Any]) -> dict[str, Any]:
        resources = []
        for given in step["files"]:
            file = {"file": given} if isinstance(given, str) else given
            name = file.get("resourceName", f"{self.folder.name}/{file['file']}")
            resources.append(deployments.Resource(name, (self.folder / file["file"]).read_bytes()))
        deployed = self._apply(lambda work: deployments.deploy(work, resources))
        answers: list[dict[str, Any]] = [{"process": d.process_id, "version": d.version} for d in deployed.processes]
        for found in deployed.decisions:
            answers += [{"decision": d.decision_id, "version": d.version} for d in found.decisions]
            requirements = found.requirements
            answers.append({"decisionRequirements": requirements.requirements_id, "version": requirements.version})
        return {"deployments": sorted(answers, key=json.dumps)}

    def do_create(self, step: dict[str, Any]) -> dict[str, Any]:
        awaited = step.get("fetchVariables", []) if step.get("withResult") else None
        variables = self._variables(step)

        def create(work: Work) -> Any:
            definition = instances.find_definition(work, 0, step["processId"], step.get("version", -1))
            return instances.create(work, definition, variables, awaited, step.get("startAt"))

        created = self._apply(create)
        self.names[step["as"]] = created.key
        answer = {"process": created.process_id, "version": created.version}
        if awaited is None:
            return answer
        self.deferred[step["as"]] = created.key
        return {"result": "later"} if step.get("later") else self.do_awaitResult({"instance": step["as"]})

    def do_awaitResult(self, step: dict[str, Any]) -> dict[str, Any]:
        key = self.deferred[step["instance"]]
        started = next(r for r in self.mine("PROCESS_INSTANCE") if r.key == key)
        value = started.value
        return {"process": value["bpmnProcessId"], "version": value["version"], "variables": self.results[key]}

    def do_publish(self, step: dict[str, Any]) -> None:
        key, ttl, identity = step.get("correlationKey", ""), step.get("ttlMs", 0), step.get("messageId", "")
        variables = self._variables(step)
        self._apply(
            lambda work: messages.publish(work, step["name"], key, ttl=ttl, message_id=identity, variables=variables)
        )

    def do_signal(self, step: dict[str, Any]) -> None:
        variables = self._variables(step)
        self._apply(lambda work: signals.broadcast(work, step["name"], variables))

    def do_activate(self, step: dict[str, Any]) -> dict[str, Any]:
        worker, timeout, most = step.get("worker", "w"), step.get("timeoutMs", 60 * _DAY_MS), step.get("max", 32)
        names = step.get("fetchVariables", [])
        found = self._apply(
            lambda work: jobs.activate_jobs(
                work, step["type"], worker=worker, timeout=timeout, most=most, names=names, budget=4_000_000
            )
        )
        self.jobs[step["type"]] += found
        names_of = {key: name for name, key in self.names.items()}
        answers = []
        for handed_out in found:
            job = handed_out.job
            answer = {
                "type": job.type,
                "elementId": job.element_id,
                "process": handed_out.process_id,
                "version": handed_out.version,
                "retries": job.retries,
                "customHeaders": json.loads(job.headers),
                "variables": handed_out.variables,
            }
            if job.instance_key in names_of:
                answer["instance"] = names_of[job.instance_key]
            answers.append(answer)
        if self.golden["order"] == "set":
            answers.sort(key=lambda a: json.dumps(a, sort_keys=True))
        return {"jobs": answers}

    def do_complete(self, step: dict[str, Any]) -> None:
        key, variables = self._job_key(step), self._variables(step)
        self._apply(lambda work: jobs.complete_job(work, key, variables))

    def do_fail(self, step: dict[str, Any]) -> None:
        key, variables = self._job_key(step), self._variables(step)
        backoff, text = step.get("backoffMs", 0), step.get("message", "")
        self._apply(
            lambda work: jobs.fail_job(
                work, key, retries=step["retries"], backoff=backoff, text=text, variables=variables
            )
        )

    def do_throwError(self, step: dict[str, Any]) -> None:
        key, variables = self._job_key(step), self._variables(step)
        self._apply(lambda work: jobs.throw_job_error(work, key, step["code"], step.get("message", ""), variables))

    def do_updateRetries(self, step: dict[str, Any]) -> None:
        key = self._job_key(step)
        self._apply(lambda work: jobs.update_retries(work, key, step["retries"]))

    def do_updateTimeout(self, step: dict[str, Any]) -> None:
        key = self._job_key(step)
        self._apply(lambda work: jobs.update_timeout(work, key, step["timeoutMs"]))

    def do_setVariables(self, step: dict[str, Any]) -> None:
        if "job" in step:
            key = self._job(step["job"]).job.node_key
        else:
            key = self.instance(step["instance"])
            if "scope" in step:
                key = self._element_key(key, step["scope"])
        variables = self._variables(step)
        self._apply(lambda work: instances.set_variables(work, key, variables, local=step.get("local", False)))

    def _element_key(self, instance_key: int, element_id: str) -> int:
        live: dict[int, None] = {}
        for record in self.mine("PROCESS_INSTANCE"):
            if record.value["processInstanceKey"] == instance_key and record.value["elementId"] == element_id:
                if record.intent == "ELEMENT_ACTIVATING":
                    live[record.key] = None
                elif record.intent in ("ELEMENT_COMPLETED", "ELEMENT_TERMINATED"):
                    live.pop(record.key, None)
        return next(iter(live))

    def do_cancel(self, step: dict[str, Any]) -> None:
        key = self.instance(step["instance"])
        self._apply(lambda work: instances.cancel(work, key))

    def do_resolveIncident(self, step: dict[str, Any]) -> None:
        key, open_incidents = self.instance(step["instance"]), {}
        for record in self.mine("INCIDENT"):
            value = record.value
            if value["processInstanceKey"] != key or value["elementId"] != step["element"]:
                continue
            if record.intent == "CREATED":
                open_incidents[record.key] = None
            elif not step.get("again"):
                open_incidents.pop(record.key, None)
        self._apply(lambda work: incidents.resolve(work, list(open_incidents)[-1]))

    def do_modify(self, step: dict[str, Any]) -> None:
        key = self.instance(step["instance"])
        activations = [
            modification.Activation(
                a["element"],
                self._element_key(key, a["ancestor"]) if "ancestor" in a else 0,
                [(v.get("scope", ""), v["set"]) for v in a.get("variables", [])],
            )
            for a in step.get("activate", [])
        ]
        terminations = [self._element_key(key, element) for element in step.get("terminate", [])]
        self._apply(lambda work: modification.modify(work, key, activations, terminations))

    def do_evaluateDecision(self, step: dict[str, Any]) -> dict[str, Any]:
        variables = self._variables(step)
        evaluation = self._apply(lambda work: decisions.evaluate_for_client(work, 0, step["decisionId"], variables))
        result = evaluation.result
        answer = {
            "decision": evaluation.decision.decision_id,
            "version": evaluation.decision.version,
            "output": result.output,
            "evaluated": [
                {"decision": e.id, "output": e.output, "matchedRules": [r.index for r in e.matched_rules]}
                for e in result.evaluated
            ],
        }
        return answer | ({"failed": result.failed_decision_id} if result.failed_decision_id else {})

    def do_advanceClock(self, step: dict[str, Any]) -> None:
        self.clock.moment += timedelta(milliseconds=step["ms"])
