"""The review stages: what is asked, how it may be answered, what an answer must bring (R22 to R27, R33, R34, R39).

They are data, ``review-stages.json`` beside the models, so that designers add a human step without code.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

from services.database.tables.people import POSTS
from services.domain.stages import file as stage_file
from services.domain.stages.schema import BilingualLabel, Outcome, Phase, Question, Stage, StageFile
from services.runtime import labels
from services.runtime.places import BPMN
from services.runtime.rules import Rules

__all__ = ["STAGES", "BilingualLabel", "Outcome", "Question", "Stage", "StageCatalogue", "approval_limit"]

DEFAULT_FOLDER = BPMN


class StageCatalogue(Mapping[str, Stage]):
    """The stages by code, in the order of the file; read when first asked for, so that a bad one is told in a sentence.

    One process works by one file: ``use`` names the folder before anything else is done.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: StageFile | None = None

    def use(self, folder: Path) -> None:
        """Read the file of this folder from now on; Fatal where it cannot be used."""
        self._folder, self._file = folder, stage_file.read(folder / stage_file.NAME)

    @property
    def file(self) -> StageFile:
        if self._file is None:
            self._file = stage_file.read(self._folder / stage_file.NAME)
        return self._file

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        return self.file.outcomes

    @property
    def duties(self) -> Mapping[str, BilingualLabel]:
        """The duties that stages bring besides those of the policy, with who does them."""
        return self.file.duties

    @property
    def posts(self) -> tuple[str, ...]:
        """Every kind of post: the register's own, then the file's."""
        return (*POSTS, *self.file.posts)

    def of_phase(self, *phases: Phase) -> tuple[str, ...]:
        """The codes of the stages of these phases."""
        return tuple(code for code, stage in self.items() if stage.phase in phases)

    def words(self, code: str) -> BilingualLabel | None:
        """The words of a stage, an outcome or a post of the file."""
        file = self.file
        return file.stages.get(code) or file.outcomes.get(code) or file.posts.get(code)

    def __getitem__(self, code: str) -> Stage:
        return self.file.stages[code]

    def __iter__(self) -> Iterator[str]:
        return iter(self.file.stages)

    def __len__(self) -> int:
        return len(self.file.stages)


STAGES = StageCatalogue(DEFAULT_FOLDER)


def _labels(code: str) -> Mapping[str, str] | None:
    words = STAGES.words(code)
    return None if words is None else {"zh": words.zh, "en": words.en}


labels.add_lookup(_labels)


def approval_limit(rules: Rules) -> timedelta:
    """The longest that the approvals and the release may take together; decides what is at risk (T4)."""
    approvals = [STAGES[code] for code in STAGES.of_phase("approval") if not STAGES[code].retired]
    waits = (stage.limit(rules) for stage in (*approvals, STAGES["storage-release"]))
    return sum(waits, rules.notify_limit)
