"""Words of the review stages that have changed places: a button or a question that says what another one means.

Rules know outcomes and questions by their codes, and people by their words.
"""

from collections.abc import Iterator, Mapping

from services.designers.policy_check.files import Folder
from services.designers.policy_check.report import Sentence
from services.domain.stages import file as stage_file
from services.domain.stages.schema import BilingualLabel, StageFile
from services.domain.supervision import checklists
from services.domain.supervision.checklists import ChecklistFile
from services.runtime.places import BPMN

Labels = Mapping[str, BilingualLabel]


def find_swapped(folder: Folder) -> Iterator[Sentence]:
    """Yield what is called as the shipped files call something else, in either language."""
    stages, _ = stage_file.check(BPMN / stage_file.NAME)
    asked, _ = checklists.check(BPMN / checklists.NAME)
    if stages is None or asked is None:
        return
    shipped = _labels(stages, asked)
    for place, own in _labels(folder.stage_file, folder.checklists).items():
        for code, other, text in _of_another(own, shipped.get(place, {})):
            yield (
                f"{place}：{code} 的文字“{text}”原是 {other} 的，人们选的会与所想的相反",
                f"{place}: {code} is worded “{text}”, as {other} was: people would choose what they do not mean",
            )


def _labels(stages: StageFile, asked: ChecklistFile) -> dict[str, Labels]:
    """Return labels that stand side by side, by the place where they do."""
    return {
        f"{stage_file.NAME}, outcomes": stages.outcomes,
        f"{stage_file.NAME}, outcomes.act": {code: outcome.act for code, outcome in stages.outcomes.items()},
        **{
            f"{stage_file.NAME}, {code}": {question.code: question for question in stage.all_questions}
            for code, stage in stages.stages.items()
        },
        checklists.NAME: {code: question for code, (_, question) in asked.questions().items()},
    }


def _of_another(own: Labels, shipped: Labels) -> Iterator[tuple[str, str, str]]:
    for code, label in own.items():
        if code not in shipped:
            continue
        for language in ("zh", "en"):
            text = getattr(label, language)
            others = {other for other, words in shipped.items() if getattr(words, language) == text}
            if others and code not in others:
                yield code, min(others), text
                break
