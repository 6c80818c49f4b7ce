"""Models whose process calls processes of the designers' own, nested, with timer, signal and a job of their own."""

from bpmn_makers import with_ends

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    targetNamespace="own">"""


def _call(identity: str, name: str, process: str, stage: str = "") -> str:
    stage = f'<zeebe:input source="=&#34;{stage}&#34;" target="stage" />' if stage else ""
    return f"""<bpmn:callActivity id="{identity}" name="{name}"><bpmn:extensionElements>
      <zeebe:calledElement processId="{process}" propagateAllChildVariables="false" />
      <zeebe:ioMapping><zeebe:input source="=applicationId" target="applicationId" />{stage}</zeebe:ioMapping>
      </bpmn:extensionElements></bpmn:callActivity>"""


def _process(identity: str, name: str, parts: str, *ways: tuple[str, str]) -> bytes:
    """A process that begins at ``start``; each way is drawn as a flow."""
    flows = "".join(f'<bpmn:sequenceFlow id="f{n}" sourceRef="{a}" targetRef="{b}" />' for n, (a, b) in enumerate(ways))
    begin = '<bpmn:startEvent id="start" name="开始" />'
    return with_ends(
        f"""{HEAD}
  <bpmn:process id="{identity}" name="{name}" isExecutable="true">{begin}{parts}{flows}</bpmn:process>
  <bpmn:signal id="All_Clear" name="all-clear" />
</bpmn:definitions>""".encode()
    )


MAIN = _process(
    "video-retrieval",
    "录像调取",
    _call("Call_Own", "翻译", "interpretation")
    + """<bpmn:boundaryEvent id="Timer_Own" name="三天已到" cancelActivity="false" attachedToRef="Call_Own">
      <bpmn:timerEventDefinition id="Timer_Own_t">
      <bpmn:timeDuration xsi:type="bpmn:tFormalExpression">P3D</bpmn:timeDuration>
      </bpmn:timerEventDefinition></bpmn:boundaryEvent>
      <bpmn:endEvent id="end" /><bpmn:endEvent id="timed" />""",
    ("start", "Call_Own"),
    ("Call_Own", "end"),
    ("Timer_Own", "timed"),
)
INTERPRETATION = _process(
    "interpretation",
    "翻译流程",
    _call("Call_Transcribe", "转写", "transcription")
    + _call("Call_Ask", "部门初审", "review", "preliminary")
    + """<bpmn:parallelGateway id="fork" />
      <bpmn:intermediateCatchEvent id="Wait_Clear" name="等待解除">
        <bpmn:signalEventDefinition id="Wait_Clear_s" signalRef="All_Clear" /></bpmn:intermediateCatchEvent>
      <bpmn:endEvent id="end" />""",
    ("start", "fork"),
    ("fork", "Call_Transcribe"),
    ("fork", "Wait_Clear"),
    ("fork", "Call_Ask"),
    ("Call_Transcribe", "end"),
    ("Wait_Clear", "end"),
    ("Call_Ask", "end"),
)
TRANSCRIPTION = _process(
    "transcription",
    "转写流程",
    """<bpmn:serviceTask id="Task_Transcribe" name="转写录音"><bpmn:extensionElements>
      <zeebe:taskDefinition type="own-transcribe" /></bpmn:extensionElements></bpmn:serviceTask>
      <bpmn:endEvent id="end" />""",
    ("start", "Task_Transcribe"),
    ("Task_Transcribe", "end"),
)
REVIEW = _process(
    "review",
    "审核任务",
    """<bpmn:serviceTask id="Task_Open" name="发起"><bpmn:extensionElements>
      <zeebe:taskDefinition type="open-review" /></bpmn:extensionElements></bpmn:serviceTask>
      <bpmn:endEvent id="end" />""",
    ("start", "Task_Open"),
    ("Task_Open", "end"),
)
FILES = {"video-retrieval.bpmn": MAIN, "interpretation.bpmn": INTERPRETATION, "transcription.bpmn": TRANSCRIPTION}
