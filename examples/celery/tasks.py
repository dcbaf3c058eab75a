"""An application with one task, on a broker that is a directory."""

from __future__ import annotations

import os
from pathlib import Path

from celery import Celery
from reputable import ReputableTask

folder = Path(os.environ["KUDOS_CELERY_FOLDER"])
queue, results = folder / "queue", folder / "results"
for made in (queue, results, folder / "processed"):
    made.mkdir(parents=True, exist_ok=True)

app = Celery("frobnicator", broker="filesystem://", backend=f"file://{results}")
app.conf.broker_transport_options = {
    "data_folder_in": str(queue),
    "data_folder_out": str(queue),
    "processed_folder": str(folder / "processed"),
    "control_folder": str(folder / "control"),
}


@app.task(base=ReputableTask)
def double(number: int) -> int:
    return 2 * number
