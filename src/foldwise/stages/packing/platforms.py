"""What notebook platforms give and take: folders, hours, room, and how they are told apart."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class NotebookPlatform:
    """A place where notebooks run.

    Attributes:
        name: also of the machine in the plan's `machines`; see `time_records.machine_name`.
        title: as people write it.
        input: folder below which data, packs and stores of earlier sessions are mounted.
        output: folder that outlives the session.
        limit: how long a session may be at most, less a reserve for a slow end.
        max_bytes: that the output may take; None: not known.
        max_pack_bytes: that a pack may take; None: not known.
        mount: lines that must run before the input is there.
        steps: what to do by hand to train, in Markdown.
        answer_steps: the same to answer.
        has_gpu: whether the notebook asks for a GPU.
        is_other: whether it is known to be another machine than this one.
    """

    name: str
    title: str
    input: str
    output: str
    limit: str
    max_bytes: int | None
    mount: tuple[str, ...]
    steps: str
    answer_steps: str
    max_pack_bytes: int | None = None
    has_gpu: bool = True
    is_other: bool = False


_KAGGLE = NotebookPlatform(
    name="kaggle",
    title="Kaggle",
    input="/kaggle/input",
    output="/kaggle/working",
    limit="11h30m",
    max_bytes=19_000_000_000,
    max_pack_bytes=200_000_000_000,
    mount=(),
    steps="""\
1. **Add Input**: the dataset made of this pack, the competition's data, and from the second
   session on the output of the last one (Add Input → Your Work → Notebooks).
2. **Session options**: a GPU; internet off works, if the image has what foldwise needs.
3. **Save Version → Save & Run All**. It ends by itself in time; what is done is then in the
   output, in the folder `store`.""",
    answer_steps="""\
1. **Add Input**: the dataset made of this pack, and the competition's data.
2. **Session options**: the accelerator that the pack was planned for, internet off.
3. **Save Version → Save & Run All**, then **Submit**.""",
)
_COLAB = NotebookPlatform(
    name="colab",
    title="Colab",
    input="/content/drive/MyDrive/foldwise",
    output="/content/drive/MyDrive/foldwise",
    limit="11h30m",
    max_bytes=None,
    mount=("from google.colab import drive", 'drive.mount("/content/drive")'),
    steps="""\
1. Put this pack's folder and the data, best as one zip file, into the folder `foldwise` of your
   Drive.
2. **Runtime → Change runtime type**: a GPU.
3. **Runtime → Run all**, and leave the page open. Colab may end a session at any time; what was
   saved by then is in the folder `store` beside the pack. Run all again to go on.""",
    answer_steps="""\
1. Put this pack's folder and the data, best as one zip file, into the folder `foldwise` of your
   Drive.
2. **Runtime → Change runtime type**: as the pack was planned for. **Runtime → Run all**.""",
)

_THIS = NotebookPlatform(
    name="this",
    title="this machine",
    input=".",
    output=".",
    limit="11h30m",
    max_bytes=None,
    mount=(),
    steps="Run all cells below the folder of the data.",
    answer_steps="Run all cells, or `python predict.py --input DATA --output OUT`.",
)


def _kaggle_with(title: str, *, has_gpu: bool = True) -> NotebookPlatform:
    return replace(_KAGGLE, title=f"Kaggle ({title})", has_gpu=has_gpu, is_other=True)


#: What `--on` may say → platform.
NOTEBOOK_PLATFORMS = {
    "kaggle": _KAGGLE,
    "t4x2": _kaggle_with("GPU T4 x2"),
    "p100": _kaggle_with("GPU P100"),
    "cpu": _kaggle_with("no accelerator", has_gpu=False),
    "colab": _COLAB,
    "this": _THIS,
}
