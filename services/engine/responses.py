"""The engine's longer answers in the protocol's words."""

import json
from typing import Any

from pyzeebe.proto import gateway_pb2 as pb

from services.engine.processing.decision_engine import EvaluatedDecision
from services.engine.processing.decisions import Evaluation
from services.engine.processing.deployments import Deployed
from services.engine.rejections import DEFAULT_TENANT

VERSION = "8.6.0"  # whose behaviour the engine follows


def topology(address: str) -> pb.TopologyResponse:
    """One broker with one partition."""
    host, _, port = address.rpartition(":")
    partition = pb.Partition(partitionId=1, role=pb.Partition.LEADER, health=pb.Partition.HEALTHY)
    broker = pb.BrokerInfo(nodeId=0, host=host, port=int(port), version=VERSION, partitions=[partition])
    return pb.TopologyResponse(
        brokers=[broker], clusterSize=1, partitionsCount=1, replicationFactor=1, gatewayVersion=VERSION
    )


def deployment_response(deployed: Deployed) -> pb.DeployResourceResponse:
    answer = pb.DeployResourceResponse(key=deployed.key, tenantId=DEFAULT_TENANT)
    for definition in deployed.processes:
        answer.deployments.add(
            process=pb.ProcessMetadata(
                bpmnProcessId=definition.process_id,
                version=definition.version,
                processDefinitionKey=definition.key,
                resourceName=definition.resource_name,
                tenantId=DEFAULT_TENANT,
            )
        )
    for found in deployed.decisions:
        requirements = found.requirements
        for decision in found.decisions:
            answer.deployments.add(
                decision=pb.DecisionMetadata(
                    dmnDecisionId=decision.decision_id,
                    dmnDecisionName=decision.name,
                    version=decision.version,
                    decisionKey=decision.key,
                    dmnDecisionRequirementsId=requirements.requirements_id,
                    decisionRequirementsKey=requirements.key,
                    tenantId=DEFAULT_TENANT,
                )
            )
    for found in deployed.decisions:
        requirements = found.requirements
        answer.deployments.add(
            decisionRequirements=pb.DecisionRequirementsMetadata(
                dmnDecisionRequirementsId=requirements.requirements_id,
                dmnDecisionRequirementsName=requirements.name,
                version=requirements.version,
                decisionRequirementsKey=requirements.key,
                resourceName=requirements.resource_name,
                tenantId=DEFAULT_TENANT,
            )
        )
    return answer


def decision_response(evaluation: Evaluation) -> pb.EvaluateDecisionResponse:
    decision, result = evaluation.decision, evaluation.result
    answer = pb.EvaluateDecisionResponse(
        decisionKey=decision.key,
        decisionId=decision.decision_id,
        decisionName=decision.name,
        decisionVersion=decision.version,
        decisionRequirementsId=evaluation.requirements.requirements_id,
        decisionRequirementsKey=evaluation.requirements.key,
        decisionOutput=_json(None if result.failure_message else result.output),
        failedDecisionId=result.failed_decision_id,
        failureMessage=result.failure_message,
        decisionInstanceKey=evaluation.key,
        tenantId=DEFAULT_TENANT,
    )
    for evaluated in result.evaluated:
        answer.evaluatedDecisions.append(_evaluated(evaluated, evaluation))
    return answer


def _evaluated(evaluated: EvaluatedDecision, evaluation: Evaluation) -> pb.EvaluatedDecision:
    version = evaluation.versions.get(evaluated.id)  # a business knowledge model has none, which Zeebe tells as -1
    return pb.EvaluatedDecision(
        decisionKey=version.key if version is not None else -1,
        decisionId=evaluated.id,
        decisionName=evaluated.name,
        decisionVersion=version.version if version is not None else -1,
        decisionType=evaluated.type,
        decisionOutput=_json(evaluated.output),
        tenantId=DEFAULT_TENANT,
        evaluatedInputs=[
            pb.EvaluatedDecisionInput(inputId=i.id, inputName=i.name, inputValue=_json(i.value))
            for i in evaluated.inputs
        ],
        matchedRules=[
            pb.MatchedDecisionRule(
                ruleId=rule.id,
                ruleIndex=rule.index,
                evaluatedOutputs=[
                    pb.EvaluatedDecisionOutput(outputId=o.id, outputName=o.name, outputValue=_json(o.value))
                    for o in rule.outputs
                ],
            )
            for rule in evaluated.matched_rules
        ],
    )


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
