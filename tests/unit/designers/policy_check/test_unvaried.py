"""What models compute with and no walk has varied is told; what they only hand on is not."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from edited_models import Model, Table
from other_processes import INSPECTION, MATTER, URGENT, alone

from services.database.tables.applications import WAYS_OF_USE
from services.designers.policy_check.check import check
from services.designers.policy_check.files import read
from services.designers.policy_check.report import ExitCode, Report
from services.designers.policy_check.unvaried import computed_names, find_unvaried_in_tables, uses
from services.designers.policy_check.world import NAME as WORLD
from services.domain.custody import violations
from services.domain.matters.kinds import KINDS
from services.engine.feel import compile_expression
from services.engine.processing.deployments import Resource
from services.runtime.jobs.worker import discover
from services.runtime.places import BPMN


def _allows_every_tenth(model: Model) -> None:
    model.condition("Flow_MatterAllowed", '=allowed = true or ends with(matterId, "0")')
    model.condition("Flow_MatterNotAllowed", '=allowed = false and not(ends with(matterId, "0"))')


def _ratifies_on_sundays(model: Model) -> None:
    model.condition("Flow_Ratified", '=ratified = true or day of week(today()) = "Sunday"')
    model.condition("Flow_NotRatified", '=ratified = false and day of week(today()) != "Sunday"')


def _inspects_five(model: Model) -> None:
    model.loop("Phase_InspectCases", inputCollection="=sublist(sampledCases, 1, min(5, count(sampledCases)))")


def _inspects_most(model: Model) -> None:
    model.condition("Flow_HasCases", "=not(duplicate) and count(sampledCases) / 30 > 0")
    model.condition("Flow_NoCases", "=not(duplicate) and count(sampledCases) / 30 <= 0")


def _inspects_two_of_many(model: Model) -> None:
    model.loop(
        "Phase_InspectCases", inputCollection="=if count(sampledCases) > 2 then sampledCases[1] else sampledCases"
    )


def _stops_after_three(model: Model) -> None:
    [loop] = model.one("Phase_InspectCases").iter("{*}multiInstanceLoopCharacteristics")
    text = "=numberOfCompletedInstances >= 3"
    loop.append(model.make("<bpmn:completionCondition />"))
    loop[-1].text = text


def _approves_late_at_weekends(model: Model) -> None:
    weekend = 'list contains(["Saturday", "Sunday"], day of week(today()))'
    model.timer("Event_ApprovalLate", f'=if {weekend} then now() + duration("P9D") else date and time(viewUntil)')


def _writes_no_report_of_many(model: Model) -> None:
    [definition] = model.one("Task_WriteInspectionReport").iter("{*}taskDefinition")
    definition.set("type", '=if count(sampledCases) > 2 then "close-inspection" else "write-inspection-report"')


def _checked(tmp_path: Path, process: str, edit: Callable[[Model], None], meant: str = "") -> Report:
    folder = alone(tmp_path / "models", process)
    model = Model(folder, f"{process}.bpmn")
    edit(model)
    model.save()
    world = folder / WORLD
    world.write_text(world.read_text(encoding="utf-8").replace("not varied: []", f"not varied: [{meant}]"), "utf-8")
    return check(folder, discover())


@pytest.mark.parametrize(
    ("process", "edit", "flow", "name"),
    [
        (MATTER, _allows_every_tenth, "Flow_MatterAllowed", "matterId"),
        (URGENT, _ratifies_on_sundays, "Flow_Ratified", "today()"),
        (INSPECTION, _inspects_five, "Phase_InspectCases", "sampledCases"),
        (INSPECTION, _inspects_most, "Flow_HasCases", "sampledCases"),
        (INSPECTION, _inspects_two_of_many, "Phase_InspectCases", "sampledCases"),
        (INSPECTION, _stops_after_three, "Phase_InspectCases", "numberOfCompletedInstances"),
        (INSPECTION, _writes_no_report_of_many, "Task_WriteInspectionReport", "sampledCases"),
        (URGENT, _approves_late_at_weekends, "Event_ApprovalLate", "today()"),
    ],
)
def test_a_condition_on_what_is_never_varied_is_not_decided(
    process: str, edit: Callable[[Model], None], flow: str, name: str, tmp_path: Path
) -> None:
    report = _checked(tmp_path, process, edit)

    assert report.exit_code == ExitCode.UNDECIDED
    assert [(zh, en) for zh, en in report.unseen if flow in en and f"depends on {name}" in en and name in zh]


@pytest.mark.parametrize(
    ("cell", "told"), [("> 2", True), ("2", True), ("[2..9]", True), (">= 3", True), (">= 2", False), ("< 2", False)]
)
def test_a_table_that_measures_a_list_is_held_against_the_lengths_that_were_tried(
    cell: str, told: bool, tmp_path: Path
) -> None:
    path = tmp_path / "classification.dmn"
    path.write_bytes((BPMN / path.name).read_bytes())
    table = Table(tmp_path)
    table.cell("Table_Importance_InputExpression_1", "count(itemIds)")
    table.cell("Table_Importance_Rule_1_In_1", cell)
    table.save()
    seen = {("case", "length of itemIds"): {"1", "2"}}

    found = {one.name for one in find_unvaried_in_tables(path.read_bytes(), seen, (), (), ())}

    assert found == ({"itemIds"} if told else set())


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("count(itemIds[item >= 1]) >= 2", True),
        ("count(itemIds[item >= 1]) > 1", True),
        ("count(itemIds[item >= 1]) = 1", True),
        ("count(itemIds[item >= 1]) > 0", False),
        ("count(itemIds) >= 2", False),
    ],
)
def test_how_many_entries_fit_is_told_where_others_of_a_longer_list_may_not(
    asked: str, told: bool, tmp_path: Path
) -> None:
    path = tmp_path / "classification.dmn"
    path.write_bytes((BPMN / path.name).read_bytes())
    table = Table(tmp_path)
    table.cell("Table_Importance_InputExpression_1", asked)
    table.save()
    seen = {("case", "length of itemIds"): {"1", "2"}}

    found = {one.name for one in find_unvaried_in_tables(path.read_bytes(), seen, (), (), ())}

    assert found == ({"itemIds"} if told else set())


def test_what_is_meant_is_not_told(tmp_path: Path) -> None:
    meant = "Flow_MatterAllowed matterId, Flow_MatterNotAllowed matterId"
    report = _checked(tmp_path, MATTER, _allows_every_tenth, meant)

    assert report.unseen == ()
    assert report.exit_code == ExitCode.CLEAN


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("a", [("a", "passed")]),
        ('applicationId + ":" + string(round)', [("applicationId", "passed"), ("round", "passed")]),
        ('date and time(dueAt) - duration("P7D")', [("dueAt", "passed")]),
        ("{a: b, c: [d.e]}", [("b", "passed"), ("d", "passed")]),
        ("if a = null then b else c + 1", [("a", "null test"), ("b", "passed"), ("c", "computed")]),
        ("a >= 3 and 2 < b", [("a", "compared"), ("b", "compared")]),
        ("a in [1..3]", [("a", "compared")]),
        ("a between 1 and 3", [("a", "compared")] * 2),
        ('a = "x"', [("a", "computed")]),
        ("a > b", [("a", "computed"), ("b", "computed")]),
        ("some r in list satisfies r.share >= 1", [("list", "computed")]),
        ("list[share > limit].id", [("list", "passed"), ("share", "computed"), ("limit", "computed")]),
    ],
)
def test_how_an_expression_uses_its_names(expression: str, found: list[tuple[str, str]]) -> None:
    assert list(uses(compile_expression(expression).node)) == found


@pytest.mark.parametrize(
    ("condition", "is_computed"),
    [
        ("mean(retrieved.coverage) >= 0.9", True),
        ("every r in retrieved satisfies r.coverage * 100 >= 95", True),
        ("some r in retrieved satisfies 1 - r.coverage <= 0.05", True),
        ("min(retrieved.coverage) >= 0.9", True),
        ("every r in retrieved satisfies round half up(r.coverage, 1) = 1", True),
        ("every r in retrieved satisfies r.coverage >= limit", True),
        ("every r in retrieved satisfies r.coverage >= 0.9", False),
        ("count(retrieved) > 1", False),
    ],
)
def test_arithmetic_with_an_entry_of_a_context_is_seen(tmp_path: Path, condition: str, is_computed: bool) -> None:
    (tmp_path / "video-retrieval.bpmn").write_bytes((BPMN / "video-retrieval.bpmn").read_bytes())
    model = Model(tmp_path)
    model.condition("Flow_AllRetrieved", f"={condition}")
    model.save()

    names = computed_names([Resource("video-retrieval.bpmn", model.path.read_bytes())])

    assert ("coverage" in names) == is_computed


def test_the_world_has_every_value_of_the_domain() -> None:
    values = yaml.safe_load((BPMN / WORLD).read_text(encoding="utf-8"))["values"]

    # the other kinds have processes of their own, and are asked by no table
    own = {"problem", "violation", "urgent"}
    assert set(values["wayOfUse"]) == set(WAYS_OF_USE)
    assert set(values["kind"]) == KINDS.keys() - own
    assert set(values["violationKind"]) == set(violations.KINDS)


def test_rules_that_a_folder_has_changed_or_left_out_are_counted_and_told(tmp_path: Path) -> None:
    folder = alone(tmp_path / "models", MATTER)
    shipped = len({rule.id for rule in read(BPMN).rules})
    own = read(folder)
    assert own.unlike_shipped == shipped - len(own.rules)
    assert read(BPMN).unlike_shipped == 0
    path = folder / "policy-rules.yaml"
    text = path.read_text(encoding="utf-8")
    assert text.count("    after: stage * none\n") == 1
    path.write_text(text.replace("    after: stage * none\n", "    after: stage recall none\n"), encoding="utf-8")

    report = check(folder, discover())

    count = own.unlike_shipped + 1
    assert f"{count} of the shipped rules are not here or changed" in {en for _, en in report.notes}
    assert f"随版本发布的规则中，有 {count} 条在此文件夹中没有或已更改" in {zh for zh, _ in report.notes}
