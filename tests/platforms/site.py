"""What the stand-in for Kaggle holds: a competition, datasets, notebooks, submissions and files.

Requests and answers are those of `kagglesdk`; uploads follow Google's resumable protocol.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: An answer: status, headers and body.
Answer = tuple[int, dict[str, str], bytes]
#: Where files go to and come from; reached through the stand-in, as its proxy.
STORAGE = "http://storage.test"


def told(value: object, status: int = 200) -> Answer:
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


def failure(code: int, message: str) -> Answer:
    return told({"code": code, "message": message}, code)


@dataclass
class Blob:
    """A file on its way up."""

    name: str
    size: int
    data: bytearray = field(default_factory=bytearray)

    @property
    def is_whole(self) -> bool:
        return len(self.data) == self.size


@dataclass
class Site:
    """What there is, and what was done.

    Attributes:
        username: whose token it is.
        signature: part of every address that it gives; itself the permission.
        entered: whether the rules are accepted.
        allowed: uploads that are left today.
        last_ones: whether that is all there ever will be.
        dataset_states: states before READY.
        run_states: states before the notebook's end.
        run_end: how it ends, and what is said of it.
        log: of the notebook.
        refused_mounts: datasets that no notebook may mount.
        outputs: name → content of what it writes.
        files: content of the competition's zip file.
        pending: how many looks a submission waits for its score; more are asked of a new one.
        hidden: how many looks it is not shown at all.
        scores: public score of each submission in turn; text: what went wrong instead.
    """

    username: str = "me"
    signature: str = "SIGNED"
    entered: bool = True
    allowed: int = 5
    last_ones: bool = False
    dataset_states: list[str] = field(default_factory=list)
    run_states: list[str] = field(default_factory=list)
    run_end: tuple[str, str] = ("COMPLETE", "")
    log: str = ""
    refused_mounts: list[str] = field(default_factory=list)
    outputs: dict[str, bytes] = field(default_factory=dict)
    files: bytes = b""
    pending: int = 0
    hidden: int = 0
    scores: list[float | str] = field(default_factory=list)
    blobs: dict[str, Blob] = field(default_factory=dict)
    datasets: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    notebooks: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    submissions: list[dict[str, Any]] = field(default_factory=list)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def answer(self, request: str, body: Mapping[str, Any]) -> Answer | None:
        """To a request of the client; None: not known."""
        known = getattr(self, f"_{request}", None)
        return None if known is None else known(body)

    def _IntrospectToken(self, body: Mapping[str, Any]) -> Answer:
        return told({"active": True, "username": self.username})

    def _StartBlobUpload(self, body: Mapping[str, Any]) -> Answer:
        assert body["type"] == "DATASET"
        return self._started(body["name"], body.get("contentLength", 0))

    def _StartSubmissionUpload(self, body: Mapping[str, Any]) -> Answer:
        if not self.entered:
            return failure(403, "You must accept this competition's rules before you'll be able")
        return self._started(body["fileName"], body.get("contentLength", 0))

    def _started(self, name: str, size: int) -> Answer:
        token = f"token-{next(self._numbers)}"
        self.blobs[token] = Blob(name, int(size))
        url = f"{STORAGE}/put/{token}?X-Signature={self.signature}"
        return told({"token": token, "createUrl": url})

    def _GetDataset(self, body: Mapping[str, Any]) -> Answer:
        versions = self.datasets.get(f"{body['ownerSlug']}/{body['datasetSlug']}")
        if versions is None:
            return failure(403, "Permission 'datasets.get' was denied")
        return told(
            {
                "id": 1,
                "currentVersionNumber": len(versions),
                "description": versions[0]["description"],
                "versions": [
                    {"versionNumber": number, "versionNotes": version["notes"]}
                    for number, version in enumerate(versions, start=1)
                ],
            }
        )

    def _CreateDataset(self, body: Mapping[str, Any]) -> Answer:
        key = f"{body['ownerSlug']}/{body['slug']}"
        if key in self.datasets:
            return told({"status": "error", "error": "The requested title is already in use"})
        assert body["isPrivate"] is True
        self.datasets[key] = [
            {
                "title": body["title"],
                "description": body["description"],
                "notes": "Initial release",
                "files": self._taken(body.get("files", [])),
            }
        ]
        return told({"ref": key, "status": "ok"})

    def _CreateDatasetVersion(self, body: Mapping[str, Any]) -> Answer:
        versions = self.datasets[f"{body['ownerSlug']}/{body['datasetSlug']}"]
        inner = body["body"]
        files = self._taken(inner["files"])
        versions.append({"notes": inner["versionNotes"], "files": files, "description": ""})
        return told({"status": "ok"})

    def _taken(self, files: list[Mapping[str, str]]) -> dict[str, bytes]:
        found = [self.blobs[file["token"]] for file in files]
        assert all(blob.is_whole for blob in found), "a file that has not arrived"
        return {blob.name: bytes(blob.data) for blob in found}

    def _GetDatasetStatus(self, body: Mapping[str, Any]) -> Answer:
        state = self.dataset_states.pop(0) if self.dataset_states else "READY"
        return told({"status": state})

    def _GetKernel(self, body: Mapping[str, Any]) -> Answer:
        versions = self.notebooks.get(f"{body['userName']}/{body['kernelSlug']}")
        if versions is None:
            return failure(404, "Not found")
        metadata = {"id": 1, "currentVersionNumber": len(versions)}
        notebook = json.loads(versions[-1]["text"])
        notebook["metadata"]["kaggle"] = {"isInternetEnabled": False}  # It puts in its own.
        source = json.dumps(notebook, indent=1)
        return told({"metadata": metadata, "blob": {"source": source}})

    def _SaveKernel(self, body: Mapping[str, Any]) -> Answer:
        sources = body.get("datasetDataSources", [])
        refused = self.refused_mounts
        invalid = [name for name in sources if name in refused or name not in self.datasets]
        if invalid:
            return told({"versionNumber": 1, "invalidDatasetSources": invalid})
        versions = self.notebooks.setdefault(str(body["slug"]), [])
        versions.append(body)
        return told({"ref": body["slug"], "versionNumber": len(versions), "kernelId": 7})

    def _GetKernelSessionStatus(self, body: Mapping[str, Any]) -> Answer:
        versions = self.notebooks[f"{body['userName']}/{body['kernelSlug']}"]
        assert body["versionLabel"] == f"v{len(versions)}"
        if self.run_states:
            return told({"status": self.run_states.pop(0)})
        return told({"status": self.run_end[0], "failureMessage": self.run_end[1]})

    def _ListKernelSessionOutput(self, body: Mapping[str, Any]) -> Answer:
        """One file a page, so that pages are turned."""
        names = list(self.outputs)
        place = int(body.get("pageToken") or 0)
        here = names[place : place + 1]
        files = [
            {"url": f"{STORAGE}/get/{name}?X-Signature={self.signature}", "fileName": name}
            for name in here
        ]
        more = {"nextPageToken": str(place + 1)} if place + 1 < len(names) else {}
        return told({"files": files, "log": self.log, **more})

    def _GetSubmissionLimits(self, body: Mapping[str, Any]) -> Answer:
        if not self.entered:
            return failure(403, "denied")
        num = len(self.submissions)
        return told(
            {
                "numToday": num,
                "numTotal": num,
                "numAllowedNow": self.allowed if num or not self.allowed else 0,
                "limitedByTotal": self.last_ones,
            }
        )

    def _ListSubmissions(self, body: Mapping[str, Any]) -> Answer:
        """Two a page, the newest first; what is hidden still is left out."""
        shown = [s for s in reversed(self.submissions) if s["hidden"] <= 0]
        for submission in self.submissions:
            submission["hidden"] -= 1
        place = int(body.get("pageToken") or 0)
        here = [self._submission(each) for each in shown[place : place + 2]]
        more = {"nextPageToken": str(place + 2)} if place + 2 < len(shown) else {}
        return told({"submissions": here, **more})

    def _CreateSubmission(self, body: Mapping[str, Any]) -> Answer:
        blob = self.blobs[body["blobFileTokens"]]
        assert blob.is_whole
        return self._entered(body, blob.name, bytes(blob.data))

    def _CreateCodeSubmission(self, body: Mapping[str, Any]) -> Answer:
        versions = self.notebooks[f"{body['kernelOwner']}/{body['kernelSlug']}"]
        assert body["kernelVersion"] == len(versions)
        return self._entered(body, body["fileName"], b"")

    def _entered(self, body: Mapping[str, Any], name: str, data: bytes) -> Answer:
        if not self.allowed:
            return failure(400, "You have reached the daily limit of submissions")
        self.allowed -= 1
        number = 1000 + next(self._numbers)
        self.submissions.append(
            {
                "ref": number,
                "description": body["submissionDescription"],
                "name": name,
                "data": data,
                "score": self.scores.pop(0) if self.scores else 0.5,
                "pending": self.pending,
                "hidden": self.hidden,
            }
        )
        return told({"message": "Successfully submitted", "ref": number})

    def _GetSubmission(self, body: Mapping[str, Any]) -> Answer:
        found = next(each for each in self.submissions if each["ref"] == body["ref"])
        if found["hidden"] > 0:
            found["hidden"] -= 1
            return failure(404, "Not found")
        found["pending"] -= 1
        return told(self._submission(found))

    def _submission(self, found: Mapping[str, Any]) -> dict[str, Any]:
        score = found["score"]
        said = {
            "ref": found["ref"],
            "date": "2026-03-01T10:20:30.123Z",
            "description": found["description"],
            "fileName": found["name"],
        }
        if found["pending"] >= 0:
            return {**said, "status": "PENDING"}
        if isinstance(score, str):
            return {**said, "status": "ERROR", "errorDescription": score}
        return {**said, "status": "COMPLETE", "publicScore": f"{score}", "privateScore": ""}

    def _DownloadDataFiles(self, body: Mapping[str, Any]) -> Answer:
        if not self.entered:
            return failure(403, "denied")
        url = f"{STORAGE}/get/files.zip?X-Signature={self.signature}"
        return 302, {"Location": url}, b""

    def stored(self, name: str) -> bytes:
        """The content of a file that may be downloaded."""
        return self.files if name == "files.zip" else self.outputs[name]
