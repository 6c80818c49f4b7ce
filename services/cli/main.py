"""The whole command line, as ``footage-desk --help`` lists it."""

from services.cli import (
    audit,
    backup,
    bench,
    bpmn,
    demonstration,
    doctor,
    engine,
    evidence,
    keys,
    models,
    operations,
    policy,
    processes,
)
from services.cli.entry import make_app

app = make_app()
for module in (
    processes,
    demonstration,
    doctor,
    policy,
    bpmn,
    backup,
    evidence,
    audit,
    keys,
    bench,
    models,
    operations,
    engine,
):
    module.add_to(app)
