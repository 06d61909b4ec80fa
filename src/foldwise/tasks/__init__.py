"""The tasks: one frozen value each, looked up by the name in `competition.yaml`."""

from foldwise.tasks import multiclass, multilabel, ordinal, regression, segmentation
from foldwise.tasks.task import Task

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        *(multiclass.TASK, multilabel.TASK, ordinal.TASK, regression.TASK),
        segmentation.TASK,
    )
}
