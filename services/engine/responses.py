"""Build the gateway's larger responses."""

import json
from typing import Any

from pyzeebe.proto import gateway_pb2 as pb

from services.engine.processing.decision_engine import EvaluatedDecision
from services.engine.processing.decisions import Evaluation
from services.engine.processing.deployments import Deployed
from services.engine.rejections import DEFAULT_TENANT

VERSION = "8.6.0"  # of Zeebe, whose behaviour the engine follows


def topology(address: str) -> pb.TopologyResponse:
    """Return one broker with one partition."""
    host, _, port = (address, "", "0") if address.startswith("unix:") else address.rpartition(":")
    partition = pb.Partition(partitionId=1, role=pb.Partition.LEADER, health=pb.Partition.HEALTHY)
    broker = pb.BrokerInfo(nodeId=0, host=host, port=int(port), version=VERSION, partitions=[partition])
    return pb.TopologyResponse(
        brokers=[broker], clusterSize=1, partitionsCount=1, replicationFactor=1, gatewayVersion=VERSION
    )


def deployment_response(deployed: Deployed) -> pb.DeployResourceResponse:
    response = pb.DeployResourceResponse(key=deployed.key, tenantId=DEFAULT_TENANT)
    for definition in deployed.processes:
        response.deployments.add(
            process=pb.ProcessMetadata(
                bpmnProcessId=definition.bpmn_process_id,
                version=definition.version,
                processDefinitionKey=definition.key,
                resourceName=definition.resource_name,
                tenantId=DEFAULT_TENANT,
            )
        )
    for deployed_file in deployed.decisions:
        requirements = deployed_file.requirements
        for decision in deployed_file.decisions:
            response.deployments.add(
                decision=pb.DecisionMetadata(
                    dmnDecisionId=decision.decision_id,
                    dmnDecisionName=decision.name,
                    version=decision.version,
                    decisionKey=decision.key,
                    dmnDecisionRequirementsId=requirements.decision_requirements_id,
                    decisionRequirementsKey=requirements.key,
                    tenantId=DEFAULT_TENANT,
                )
            )
    for deployed_file in deployed.decisions:
        requirements = deployed_file.requirements
        response.deployments.add(
            decisionRequirements=pb.DecisionRequirementsMetadata(
                dmnDecisionRequirementsId=requirements.decision_requirements_id,
                dmnDecisionRequirementsName=requirements.name,
                version=requirements.version,
                decisionRequirementsKey=requirements.key,
                resourceName=requirements.resource_name,
                tenantId=DEFAULT_TENANT,
            )
        )
    return response


def decision_response(evaluation: Evaluation) -> pb.EvaluateDecisionResponse:
    decision, result = evaluation.decision, evaluation.result
    response = pb.EvaluateDecisionResponse(
        decisionKey=decision.key,
        decisionId=decision.decision_id,
        decisionName=decision.name,
        decisionVersion=decision.version,
        decisionRequirementsId=evaluation.requirements.decision_requirements_id,
        decisionRequirementsKey=evaluation.requirements.key,
        decisionOutput=_json(None if result.failure_message else result.output),
        failedDecisionId=result.failed_decision_id,
        failureMessage=result.failure_message,
        decisionInstanceKey=evaluation.key,
        tenantId=DEFAULT_TENANT,
    )
    for evaluated in result.evaluated:
        response.evaluatedDecisions.append(_evaluated_decision(evaluated, evaluation))
    return response


def _evaluated_decision(evaluated: EvaluatedDecision, evaluation: Evaluation) -> pb.EvaluatedDecision:
    version = evaluation.versions.get(evaluated.id)  # a business knowledge model has none, which Zeebe writes as -1
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
