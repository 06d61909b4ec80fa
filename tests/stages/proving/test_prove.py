"""A pack is installed and run as a stranger would; what it should not do is found."""

from __future__ import annotations

import json

import pytest

from foldwise.home import Home
from foldwise.stages.prove import prove
from foldwise.stages.proving.proof import Proof
from tests.stages.answering.trained import make_trained, pack
from tests.stages.mounted_notebooks import QUIET

SAME = "its submission is the run's own"
OFFLINE = "it asks for nothing of the network"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_trained(tmp_path_factory.mktemp("trained"))


def checks(found: Proof) -> dict[str, bool | None]:
    return {check.what: check.passed for check in found.checks}


def test_a_pack_holds_and_its_report_goes_with_it(home: Home) -> None:
    folder = pack(home, skips_public=True)
    found = prove(home, "answer", display=QUIET)
    assert found.holds, [check for check in found.checks if check.passed is False]
    seen = checks(found)
    assert seen[SAME]
    assert seen[OFFLINE]
    assert seen["2.5 times slower, it ends within its limit"]
    assert seen["slowed, it leaves a valid submission of networks"]
    assert json.loads((folder / "proof.json").read_text())["holds"]
    assert "byte for byte" in (folder / "proof.md").read_text()


#: Laid over the last line of `predict.py`: asks for a name, and then hands in its own idea.
SPOILED = """\
    code = subprocess.run(command, env={**os.environ, **begun}).returncode
    import socket
    try:
        socket.getaddrinfo("example.org", 80)
    except OSError:
        pass
    path = Path(output, "submission.csv")
    path.write_text(path.read_text().replace(",2", ",1"))
    return code
"""


def test_who_asks_the_network_and_answers_something_else_is_found(home: Home) -> None:
    script = pack(home, "a", as_name="bad") / "predict.py"
    honest = "    return subprocess.run(command, env={**os.environ, **begun}).returncode\n"
    assert honest in script.read_text()
    script.write_text(script.read_text().replace(honest, SPOILED))
    found = prove(home, "bad", display=QUIET)
    seen = checks(found)
    assert not found.holds
    assert seen[OFFLINE] is False
    assert seen[SAME] is False
