"""The folders beside the code; in one module, so that moving others changes nothing."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVICES = ROOT / "services"
BPMN = ROOT / "bpmn"
DEPLOY = ROOT / "deploy"


def own_or_shipped(folder: Path, name: str) -> Path:
    """Return a folder's own file of the models, or the shipped one where it has none of this name."""
    own = folder / name
    return own if own.exists() else BPMN / name
