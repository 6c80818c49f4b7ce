"""Serve Zeebe's gateway protocol over gRPC."""

import asyncio
import json
from collections.abc import Callable

import grpc
from grpc.aio import ServicerContext as Context
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto import gateway_pb2_grpc as rpc

from services.engine.access import TokenCheck
from services.engine.documents import parse_document
from services.engine.job_activation import ActivationRequest, poll_jobs, stream_jobs, stream_request
from services.engine.processing import (
    decisions,
    deployments,
    incidents,
    instances,
    jobs,
    messages,
    migration,
    modification,
    signals,
)
from services.engine.processing.command_processor import Command
from services.engine.processing.execution import Execution
from services.engine.rejections import DEFAULT_TENANT, rpc_handler
from services.engine.responses import decision_response, deployment_response, topology
from services.engine.state.instances import ProcessInstance
from services.engine.writer import Writer

SERVICE = "gateway_protocol.Gateway"
_OPTIONS = (
    ("grpc.so_reuseport", 0),
    # Clients of Zeebe ping every 45 s while a call is open, and its gateway accepts one in 30 s.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 30_000),
)
_RESULT_SECONDS = 15.0  # the default of Zeebe's gateway


class Gateway(rpc.GatewayServicer):
    """One method for each RPC; the commands are in ``processing``."""

    def __init__(self, writer: Writer, address: Callable[[], str]) -> None:
        self._writer = writer
        self._address = address

    @rpc_handler("TOPOLOGY")
    async def Topology(self, request: pb.TopologyRequest, context: Context) -> pb.TopologyResponse:
        return topology(self._address())

    @rpc_handler("CREATE")
    async def DeployResource(self, request: pb.DeployResourceRequest, context: Context) -> pb.DeployResourceResponse:
        resources = [deployments.Resource(r.name, r.content) for r in request.resources]
        return deployment_response(
            await self._writer.submit(lambda execution: deployments.deploy(execution, resources))
        )

    @rpc_handler("DELETE")
    async def DeleteResource(self, request: pb.DeleteResourceRequest, context: Context) -> pb.DeleteResourceResponse:
        await self._writer.submit(lambda execution: deployments.delete(execution, request.resourceKey))
        return pb.DeleteResourceResponse()

    @rpc_handler("CREATE")
    async def CreateProcessInstance(
        self, request: pb.CreateProcessInstanceRequest, context: Context
    ) -> pb.CreateProcessInstanceResponse:
        created: ProcessInstance = await self._writer.submit(_create_command(request, fetch_variables=None))
        return pb.CreateProcessInstanceResponse(
            processDefinitionKey=created.process_definition_key,
            bpmnProcessId=created.bpmn_process_id,
            version=created.version,
            processInstanceKey=created.key,
            tenantId=DEFAULT_TENANT,
        )

    @rpc_handler("CREATE_WITH_AWAITING_RESULT")
    async def CreateProcessInstanceWithResult(
        self, request: pb.CreateProcessInstanceWithResultRequest, context: Context
    ) -> pb.CreateProcessInstanceWithResultResponse:
        command = _create_command(request.request, fetch_variables=list(request.fetchVariables))
        created, result = await self._writer.submit_with_result(command)
        seconds = request.requestTimeout / 1000 if request.requestTimeout > 0 else _RESULT_SECONDS
        try:
            async with asyncio.timeout(seconds):
                variables = await asyncio.shield(result)
        except TimeoutError:
            text = f"Process instance {created.key} has started but did not end within {seconds:g} s."
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, text)
        finally:
            self._writer.discard_result(created.key)
        return pb.CreateProcessInstanceWithResultResponse(
            processDefinitionKey=created.process_definition_key,
            bpmnProcessId=created.bpmn_process_id,
            version=created.version,
            processInstanceKey=created.key,
            variables=json.dumps(variables, ensure_ascii=False),
            tenantId=DEFAULT_TENANT,
        )

    @rpc_handler("CANCEL")
    async def CancelProcessInstance(
        self, request: pb.CancelProcessInstanceRequest, context: Context
    ) -> pb.CancelProcessInstanceResponse:
        await self._writer.submit(lambda execution: instances.cancel(execution, request.processInstanceKey))
        return pb.CancelProcessInstanceResponse()

    @rpc_handler("UPDATE")
    async def SetVariables(self, request: pb.SetVariablesRequest, context: Context) -> pb.SetVariablesResponse:
        variables = parse_document(request.variables)
        key = await self._writer.submit(
            lambda execution: instances.set_variables(
                execution, request.elementInstanceKey, variables, local=request.local
            )
        )
        return pb.SetVariablesResponse(key=key)

    @rpc_handler("PUBLISH")
    async def PublishMessage(self, request: pb.PublishMessageRequest, context: Context) -> pb.PublishMessageResponse:
        variables = parse_document(request.variables)
        key = await self._writer.submit(
            lambda execution: messages.publish(
                execution,
                request.name,
                request.correlationKey,
                ttl=request.timeToLive,
                message_id=request.messageId,
                variables=variables,
            )
        )
        return pb.PublishMessageResponse(key=key, tenantId=DEFAULT_TENANT)

    @rpc_handler("BROADCAST")
    async def BroadcastSignal(self, request: pb.BroadcastSignalRequest, context: Context) -> pb.BroadcastSignalResponse:
        variables = parse_document(request.variables)
        key = await self._writer.submit(lambda execution: signals.broadcast(execution, request.signalName, variables))
        return pb.BroadcastSignalResponse(key=key, tenantId=DEFAULT_TENANT)

    @rpc_handler("ACTIVATE")
    async def ActivateJobs(  # type: ignore[override]  # grpc.aio also takes a coroutine that writes
        self, request: pb.ActivateJobsRequest, context: Context
    ) -> None:
        activation = ActivationRequest(
            request.type, request.worker, request.timeout, request.maxJobsToActivate, list(request.fetchVariable)
        )
        await poll_jobs(self._writer, activation, request.requestTimeout, context.write)

    @rpc_handler("ACTIVATE")
    async def StreamActivatedJobs(  # type: ignore[override]  # as above
        self, request: pb.StreamActivatedJobsRequest, context: Context
    ) -> None:
        await stream_jobs(self._writer, stream_request(request), context.write)

    @rpc_handler("COMPLETE")
    async def CompleteJob(self, request: pb.CompleteJobRequest, context: Context) -> pb.CompleteJobResponse:
        variables = parse_document(request.variables)
        await self._writer.submit(lambda execution: jobs.complete_job(execution, request.jobKey, variables))
        return pb.CompleteJobResponse()

    @rpc_handler("FAIL")
    async def FailJob(self, request: pb.FailJobRequest, context: Context) -> pb.FailJobResponse:
        variables = parse_document(request.variables)
        await self._writer.submit(
            lambda execution: jobs.fail_job(
                execution,
                request.jobKey,
                retries=request.retries,
                backoff=request.retryBackOff,
                text=request.errorMessage,
                variables=variables,
            )
        )
        return pb.FailJobResponse()

    @rpc_handler("THROW_ERROR")
    async def ThrowError(self, request: pb.ThrowErrorRequest, context: Context) -> pb.ThrowErrorResponse:
        variables = parse_document(request.variables)
        await self._writer.submit(
            lambda execution: jobs.throw_job_error(
                execution, request.jobKey, request.errorCode, request.errorMessage, variables
            )
        )
        return pb.ThrowErrorResponse()

    @rpc_handler("UPDATE_RETRIES")
    async def UpdateJobRetries(
        self, request: pb.UpdateJobRetriesRequest, context: Context
    ) -> pb.UpdateJobRetriesResponse:
        await self._writer.submit(lambda execution: jobs.update_retries(execution, request.jobKey, request.retries))
        return pb.UpdateJobRetriesResponse()

    @rpc_handler("UPDATE_TIMEOUT")
    async def UpdateJobTimeout(
        self, request: pb.UpdateJobTimeoutRequest, context: Context
    ) -> pb.UpdateJobTimeoutResponse:
        await self._writer.submit(lambda execution: jobs.update_timeout(execution, request.jobKey, request.timeout))
        return pb.UpdateJobTimeoutResponse()

    @rpc_handler("RESOLVE")
    async def ResolveIncident(self, request: pb.ResolveIncidentRequest, context: Context) -> pb.ResolveIncidentResponse:
        await self._writer.submit(lambda execution: incidents.resolve(execution, request.incidentKey))
        return pb.ResolveIncidentResponse()

    @rpc_handler("EVALUATE")
    async def EvaluateDecision(
        self, request: pb.EvaluateDecisionRequest, context: Context
    ) -> pb.EvaluateDecisionResponse:
        variables = parse_document(request.variables)
        evaluation = await self._writer.submit(
            lambda execution: decisions.evaluate_for_client(
                execution, request.decisionKey, request.decisionId, variables
            )
        )
        return decision_response(evaluation)

    @rpc_handler("MODIFY")
    async def ModifyProcessInstance(
        self, request: pb.ModifyProcessInstanceRequest, context: Context
    ) -> pb.ModifyProcessInstanceResponse:
        activations = [
            modification.Activation(
                a.elementId,
                max(a.ancestorElementInstanceKey, 0),
                [(v.scopeId, parse_document(v.variables)) for v in a.variableInstructions],
            )
            for a in request.activateInstructions
        ]
        terminations = [t.elementInstanceKey for t in request.terminateInstructions]
        await self._writer.submit(
            lambda execution: modification.modify(execution, request.processInstanceKey, activations, terminations)
        )
        return pb.ModifyProcessInstanceResponse()

    @rpc_handler("MIGRATE")
    async def MigrateProcessInstance(
        self, request: pb.MigrateProcessInstanceRequest, context: Context
    ) -> pb.MigrateProcessInstanceResponse:
        plan = request.migrationPlan
        instructions = [(m.sourceElementId, m.targetElementId) for m in plan.mappingInstructions]
        await self._writer.submit(
            lambda execution: migration.migrate(
                execution, request.processInstanceKey, plan.targetProcessDefinitionKey, instructions
            )
        )
        return pb.MigrateProcessInstanceResponse()

    @rpc_handler("CREATE")
    async def DeployProcess(self, request: pb.DeployProcessRequest, context: Context) -> pb.DeployProcessResponse:
        resources = [deployments.Resource(p.name, p.definition) for p in request.processes]
        response = deployment_response(
            await self._writer.submit(lambda execution: deployments.deploy(execution, resources))
        )
        return pb.DeployProcessResponse(key=response.key, processes=[d.process for d in response.deployments])


def _create_command(request: pb.CreateProcessInstanceRequest, fetch_variables: list[str] | None) -> Command:
    """Build the command of a creation; raises Rejection for invalid variables."""
    start_at = [instruction.elementId for instruction in request.startInstructions]
    variables = parse_document(request.variables)

    def create(execution: Execution) -> ProcessInstance:
        definition = instances.find_definition(
            execution, request.processDefinitionKey, request.bpmnProcessId, request.version
        )
        return instances.create(execution, definition, variables, fetch_variables, start_at)

    return create


async def start_gateway(
    gateway: Gateway, add_port: Callable[[grpc.aio.Server], object], check: TokenCheck | None = None
) -> grpc.aio.Server:
    """Serve on what ``add_port`` adds, to callers that pass ``check``.

    Raises GatewayError, or RuntimeError if the port is in use.
    """
    server = grpc.aio.server(options=_OPTIONS, interceptors=[] if check is None else [check])
    add_port(server)
    rpc.add_GatewayServicer_to_server(gateway, server)
    health_servicer = health.aio.HealthServicer()
    for service in ("", SERVICE):
        await health_servicer.set(service, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    await server.start()
    return server
