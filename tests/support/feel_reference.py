"""The released FEEL engines of Camunda (org.camunda.feel:feel-engine, Apache-2.0), run beside ours.

They are taken from the local Maven repository, or from the folder that FOOTAGE_DESK_MAVEN names; they need a JDK of 17.
"""

import base64
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from feel_expressions import VARIABLES, Case

from services.engine.feel import FeelEvaluationError, FeelSyntaxError, compile_expression, compile_unary_tests
from services.engine.feel.convert import text_of
from services.engine.feel.nodes import input_bindings
from services.engine.feel.scope import Scope, Variables, system_now

VERSIONS = ("1.18.5", "1.19.5")
GET = "; ".join(f"mvn dependency:get -Dartifact=org.camunda.feel:feel-engine:{version}" for version in VERSIONS)
_REPOSITORY = Path(os.environ.get("FOOTAGE_DESK_MAVEN") or Path.home() / ".m2" / "repository")
_SCALA = {"1.18.5": "2.13.14", "1.19.5": "2.13.15"}
_SECONDS = 240  # for all expressions of one run


def class_path(version: str) -> list[Path]:
    """Return the engine of a version and what it needs, as Maven lays them."""
    artifacts = [
        ("org/camunda/feel", "feel-engine", version),
        ("org/scala-lang", "scala-library", _SCALA[version]),
        ("com/lihaoyi", "fastparse_2.13", "3.1.1"),
        ("com/lihaoyi", "sourcecode_2.13", "0.4.0"),
        ("com/lihaoyi", "geny_2.13", "1.1.0"),
        ("com/fasterxml/uuid", "java-uuid-generator", "5.1.0"),
        ("org/slf4j", "slf4j-api", "1.7.25"),
    ]
    return [_REPOSITORY / group / name / number / f"{name}-{number}.jar" for group, name, number in artifacts]


def missing() -> str:
    """Say what is needed to run the released engines; empty where all is there."""
    if shutil.which("java") is None or shutil.which("javac") is None:
        return f"The released FEEL engines need a JDK of 17; then: {GET}"
    if not all(jar.is_file() for version in VERSIONS for jar in class_path(version)):
        return f"The released FEEL engines are not in {_REPOSITORY}. Get them with: {GET}"
    return ""


def theirs(version: str, cases: Sequence[Case]) -> list[str]:
    """Return what a released engine answers: PARSE, FAIL, or `= ` and the value as FEEL writes it."""
    lines = [" ".join(map(_encoded, [case] if isinstance(case, str) else case)) for case in cases]
    program = Path(__file__).with_name("FeelReference.java")
    path = os.pathsep.join(map(str, class_path(version)))
    done = subprocess.run(
        ["java", "-cp", path, str(program), VARIABLES],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=_SECONDS,
    )
    return [base64.b64decode(line).decode() for line in done.stdout.split()]


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def variables() -> Mapping[str, object]:
    """Return the variables of the cases."""
    value = compile_expression(VARIABLES).evaluate({})
    assert isinstance(value, dict)
    return value


def ours(case: Case, known: Mapping[str, object]) -> str:
    """Return what our engine answers, in the same words."""
    try:
        if isinstance(case, str):
            return "= " + text_of(compile_expression(case).evaluate(known))
        tests, value = compile_unary_tests(case[0]), compile_expression(case[1]).evaluate(known)
        scope = Scope(input_bindings(value), Variables(known, system_now))
        return "= " + text_of(tests.evaluate_in(scope))
    except FeelSyntaxError:
        return "PARSE"
    except FeelEvaluationError:
        return "FAIL"
