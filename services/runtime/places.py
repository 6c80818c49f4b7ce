"""The folders beside the code; in one module, so that moving others changes nothing."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVICES = ROOT / "services"
BPMN = ROOT / "bpmn"
DEPLOY = ROOT / "deploy"
