"""`push` against the stand-in: a pack becomes a dataset and a notebook that runs, each once."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from foldwise.errors import PlatformError, RunError
from foldwise.home import Home
from foldwise.publish import publish_json
from foldwise.stages.push import push
from tests.platforms.stand_in import StandIn, Trouble
from tests.stages.small_competition import QUIET
from tests.stages.uploading.conftest import Shown, home, kaggle, make_pack, shown, waits

__all__ = ["home", "kaggle", "shown", "waits"]
REF = "me/retina-grades-night"


def requests_of(kaggle: StandIn) -> list[str]:
    return [request for request, _ in kaggle.asked]


def test_a_pack_becomes_a_dataset_and_a_notebook_that_runs(kaggle: StandIn, home: Home) -> None:
    folder = make_pack(home)
    kaggle.site.dataset_states = ["BLOBS_RECEIVED", "INDIVIDUAL_BLOBS_COMPRESSED"]
    kaggle.site.run_states = ["QUEUED", "RUNNING", "RUNNING"]
    kaggle.site.outputs = {"submission.csv": b"id,label\n", "deep/log.txt": b"x" * 1000}
    done = push(home, "night", display=QUIET)
    [version] = kaggle.site.datasets[REF]
    files = version["files"]
    assert set(files) == {"pack.json", "train.ipynb", "install.py", "competition.zip", "wheels.zip"}
    assert files["install.py"] == (folder / "install.py").read_bytes()
    with zipfile.ZipFile(io.BytesIO(files["competition.zip"])) as file:
        assert file.read("plan.yaml") == b"recipes: {a: {}}\n"
    [notebook] = kaggle.site.notebooks[REF]
    check_notebook(notebook)
    assert done.output == home.packs / "night-output" / "v1"
    assert (done.output / "submission.csv").read_bytes() == b"id,label\n"
    assert (done.output / "deep" / "log.txt").read_bytes() == b"x" * 1000
    assert [path.name for path in home.packs.iterdir()] == ["night", "night-output"]


def check_notebook(sent: Mapping[str, Any]) -> None:
    assert sent["enableInternet"] is False
    assert sent["isPrivate"] is True
    assert sent["enableGpu"] is True
    assert sent["datasetDataSources"] == [REF]
    assert sent["competitionDataSources"] == ["retina-grades"]
    assert sent.get("kernelDataSources", []) == []
    assert (sent["language"], sent["kernelType"]) == ("python", "notebook")
    cells = json.loads(sent["text"])["cells"]
    assert all(isinstance(cell["source"], str) for cell in cells)


def test_the_same_pack_is_uploaded_and_run_once(kaggle: StandIn, home: Home) -> None:
    make_pack(home)
    push(home, "night", display=QUIET)
    kaggle.asked.clear()
    push(home, "night", display=QUIET)
    assert not {"StartBlobUpload", "CreateDatasetVersion", "SaveKernel"} & {*requests_of(kaggle)}
    push(home, "night", again=True, display=QUIET)
    assert len(kaggle.site.datasets[REF]) == 1
    first, second = kaggle.site.notebooks[REF]
    assert "kernelDataSources" not in first
    assert second["kernelDataSources"] == [REF]  # What the session before has saved.


def test_a_changed_pack_is_a_new_version(kaggle: StandIn, home: Home) -> None:
    folder = make_pack(home)
    push(home, "night", display=QUIET)
    (folder / "wheels" / "more.whl").write_text("more")
    push(home, "night", display=QUIET)
    first, second = kaggle.site.datasets[REF]
    assert second["files"]["wheels.zip"] != first["files"]["wheels.zip"]
    assert second["files"]["competition.zip"] == first["files"]["competition.zip"]
    assert len(kaggle.site.notebooks[REF]) == 2


def test_a_pack_is_known_on_the_platform_when_all_is_forgotten_here(
    kaggle: StandIn, home: Home
) -> None:
    folder = make_pack(home)
    for change in ("", "more"):
        (folder / "install.py").write_text(change)
        first = push(home, "night", display=QUIET).version
        home.stamp("platform").unlink()
        kaggle.asked.clear()
        again = push(home, "night", wait=False, display=QUIET).version
        assert not {"StartBlobUpload", "SaveKernel"} & {*requests_of(kaggle)}
        assert first is not None
        assert again == replace(first, is_new=False)
        home.stamp("platform").unlink()
    assert len(kaggle.site.datasets[REF]) == len(kaggle.site.notebooks[REF]) == 2


def test_the_next_session_reads_the_last_one_when_all_is_forgotten_here(
    kaggle: StandIn, home: Home
) -> None:
    make_pack(home)
    push(home, "night", display=QUIET)
    home.stamp("platform").unlink()
    push(home, "night", again=True, display=QUIET)
    assert kaggle.site.notebooks[REF][-1]["kernelDataSources"] == [REF]


def test_a_notebook_that_was_changed_on_its_page_is_pushed_again_when_all_is_forgotten(
    kaggle: StandIn, home: Home
) -> None:
    make_pack(home)
    push(home, "night", display=QUIET)
    [pushed] = kaggle.site.notebooks[REF]
    notebook = json.loads(pushed["text"])
    notebook["cells"][1]["source"] += "\nLIMIT = '1h'"
    kaggle.site.notebooks[REF].append({**pushed, "text": json.dumps(notebook)})
    home.stamp("platform").unlink()
    push(home, "night", display=QUIET)
    assert len(kaggle.site.notebooks[REF]) == 3
    assert kaggle.site.notebooks[REF][-1]["text"] == pushed["text"]


def test_what_an_interrupted_upload_brought_over_is_not_sent_again(
    kaggle: StandIn, home: Home
) -> None:
    make_pack(home)
    kaggle.troubles["put"] = [None, None, Trouble(403)]
    with pytest.raises(PlatformError, match="does not take it"):
        push(home, "night", display=QUIET)
    kaggle.troubles["CreateDataset"] = [Trouble(502)]
    with pytest.raises(PlatformError, match="may have been done or not"):
        push(home, "night", display=QUIET)
    assert requests_of(kaggle).count("StartBlobUpload") == 3 + 3
    kaggle.asked.clear()
    push(home, "night", display=QUIET)
    assert "StartBlobUpload" not in requests_of(kaggle)
    assert len(kaggle.site.datasets[REF][0]["files"]) == 5


@pytest.mark.parametrize("request_name", ["CreateDataset", "SaveKernel"])
def test_what_was_done_without_an_answer_is_not_done_again(
    request_name: str, kaggle: StandIn, home: Home
) -> None:
    make_pack(home)
    kaggle.troubles[request_name] = [Trouble()]
    with pytest.raises(PlatformError, match="may have been done or not"):
        push(home, "night", display=QUIET)
    push(home, "night", display=QUIET)
    assert len(kaggle.site.datasets[REF]) == 1
    assert len(kaggle.site.notebooks[REF]) == 1


def test_an_interrupted_wait_goes_on(
    kaggle: StandIn, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from foldwise.platforms import kaggle_line

    make_pack(home)
    kaggle.site.run_states = ["QUEUED", "RUNNING"]

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(kaggle_line, "pause", interrupt)
        with pytest.raises(KeyboardInterrupt):
            push(home, "night", display=QUIET)
    assert push(home, "night", display=QUIET).version is not None
    assert len(kaggle.site.notebooks[REF]) == 1


def test_progress_is_said_when_it_changes(kaggle: StandIn, home: Home, shown: Shown) -> None:
    make_pack(home)
    kaggle.site.run_states = ["QUEUED", "QUEUED", "RUNNING", "RUNNING"]
    push(home, "night", display=shown.display)
    lines = [line.strip() for line in shown.text.getvalue().splitlines() if "so far" in line]
    assert [line.split(",")[0] for line in lines] == [
        f"{REF} version 1: queued",
        f"{REF} version 1: running",
    ]


def test_a_run_that_fails_is_told_with_the_end_of_its_log(kaggle: StandIn, home: Home) -> None:
    make_pack(home)
    kaggle.site.run_end = ("ERROR", "Your notebook ran out of memory")
    text = "\n".join(["first", *["line"] * 20, "MemoryError\x1b[0m"])
    kaggle.site.log = json.dumps([{"stream_name": "stderr", "time": 1.0, "data": text}])
    with pytest.raises(PlatformError, match="ended with error: Your notebook ran out") as error:
        push(home, "night", display=QUIET)
    assert error.value.problems[-1] == "its log: MemoryError [0m"
    assert "its log: first" not in error.value.problems
    assert "--again" in error.value.remedy


def test_an_output_that_would_leave_its_folder_is_refused(kaggle: StandIn, home: Home) -> None:
    make_pack(home)
    kaggle.site.outputs = {"../../competition.yaml": b"x"}
    before = home.competition.read_bytes()
    with pytest.raises(PlatformError, match="would lie outside"):
        push(home, "night", display=QUIET)
    assert home.competition.read_bytes() == before


def test_mounts_that_kaggle_refuses_are_told(kaggle: StandIn, home: Home) -> None:
    make_pack(home)
    kaggle.site.refused_mounts = [REF]
    with pytest.raises(PlatformError, match="does not take notebook") as error:
        push(home, "night", display=QUIET)
    assert f"it may not mount dataset {REF}" in error.value.problems


def test_title_and_id_may_be_said(kaggle: StandIn, home: Home) -> None:
    folder = make_pack(home)
    publish_json(folder / "dataset-metadata.json", {"title": "Our pack", "id": "team/our-pack"})
    push(home, "night", display=QUIET)
    assert list(kaggle.site.datasets) == ["team/our-pack"]
    assert kaggle.site.datasets["team/our-pack"][0]["title"] == "Our pack"
    assert "dataset-metadata.json" not in kaggle.site.datasets["team/our-pack"][0]["files"]
    publish_json(folder / "dataset-metadata.json", {"title": "x", "id": "me/INSERT_SLUG_HERE"})
    with pytest.raises(RunError, match="wanted user/name"):
        push(home, "night", display=QUIET)


def test_what_is_no_pack_for_kaggle_is_refused(kaggle: StandIn, home: Home) -> None:
    with pytest.raises(RunError, match="no pack 'day'") as error:
        push(home, "day", display=QUIET)
    assert error.value.remedy == "known: none"
    make_pack(home, "day", platform="colab")
    with pytest.raises(RunError, match="only Kaggle can be pushed to"):
        push(home, "day", display=QUIET)
    assert kaggle.asked == []
