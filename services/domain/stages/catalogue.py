"""The catalogue of review stages: their questions and outcomes (R22 to R27, R33, R34, R39).

They are data, ``review-stages.json`` beside the models, so that designers add a human step without code.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from services.database.tables.people import POSTS
from services.domain.stages import file as stage_file
from services.domain.stages.schema import BilingualLabel, Outcome, Phase, Question, SanctionKind, Stage, StageFile
from services.runtime import labels
from services.runtime.places import BPMN

__all__ = ["STAGES", "BilingualLabel", "Outcome", "Question", "Stage", "StageCatalogue", "list_approvals"]

DEFAULT_FOLDER = BPMN


class StageCatalogue(Mapping[str, Stage]):
    """The stages by code, in the order of the file; read on first use, to report a bad file.

    A process uses one file: ``use`` names its folder at the start.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: StageFile | None = None

    def use(self, folder: Path, file: StageFile | None = None) -> None:
        """Use the file of this folder from now on; Fatal if it is invalid. ``file`` is its content if read already."""
        self._folder, self._file = folder, file or stage_file.read(folder / stage_file.NAME)

    @property
    def folder(self) -> Path:
        """The folder of the file, which is that of the models."""
        return self._folder

    @property
    def file(self) -> StageFile:
        if self._file is None:
            self._file = stage_file.read(self._folder / stage_file.NAME)
        return self._file

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        return self.file.outcomes

    @property
    def sanctions(self) -> Mapping[str, SanctionKind]:
        return self.file.sanctions

    @property
    def duties(self) -> Mapping[str, BilingualLabel]:
        """The duties of stages besides those of the policy, with the label of who does them."""
        return self.file.duties

    @property
    def posts(self) -> tuple[str, ...]:
        """Every kind of post: the built-in ones, then the file's."""
        return (*POSTS, *self.file.posts)

    def of_phase(self, *phases: Phase) -> tuple[str, ...]:
        """List the codes of the stages of these phases."""
        return tuple(code for code, stage in self.items() if stage.phase in phases)

    def label(self, code: str) -> BilingualLabel | None:
        """Return the label of an outcome, a stage or a post of the file; of an outcome where a stage has its code."""
        file = self.file
        sanction = file.sanctions.get(code.removeprefix("sanction-")) if code.startswith("sanction-") else None
        return file.outcomes.get(code) or file.stages.get(code) or file.posts.get(code) or sanction

    def __getitem__(self, code: str) -> Stage:
        return self.file.stages[code]

    def __iter__(self) -> Iterator[str]:
        return iter(self.file.stages)

    def __len__(self) -> int:
        return len(self.file.stages)


STAGES = StageCatalogue(DEFAULT_FOLDER)


def _labels(code: str) -> Mapping[str, str] | None:
    label = STAGES.label(code)
    return None if label is None else {"zh": label.zh, "en": label.en}


labels.add_lookup(_labels)


# A stage that is asked in the place of another one, and never beside it.
IN_PLACE_OF = {"credentials": "preliminary"}


def list_approvals() -> list[Stage]:
    """List the stages that one application can be asked in turn, without those that no model asks any more."""
    codes = STAGES.of_phase("approval")
    return [STAGES[code] for code in codes if not STAGES[code].retired and IN_PLACE_OF.get(code) not in codes]
