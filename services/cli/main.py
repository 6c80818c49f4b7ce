"""The whole command line, as ``footage-desk --help`` lists it."""

from services.cli import (
    audit,
    backup,
    bench,
    bpmn,
    demonstration,
    doctor,
    engine,
    events,
    evidence,
    inspection,
    keys,
    models,
    operations,
    people,
    play,
    policy,
    processes,
    simulation,
    storage,
)
from services.cli.entry import make_app

app = make_app()
for module in (
    processes,
    demonstration,
    doctor,
    policy,
    simulation,
    play,
    bpmn,
    backup,
    evidence,
    audit,
    events,
    inspection,
    keys,
    bench,
    models,
    operations,
    people,
    storage,
    engine,
):
    module.add_to(app)
