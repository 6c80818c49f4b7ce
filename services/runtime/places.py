"""Where the files beside the code lie: one place that a moved module does not change."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SERVICES = ROOT / "services"
BPMN = ROOT / "bpmn"
DEPLOY = ROOT / "deploy"
