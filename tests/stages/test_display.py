import subprocess
import sys

_SPEAKS = """
import sys
from foldwise.stages.display import Display
show = Display()
show.say("begun")
sys.stdin.readline()
for _ in range(3):
    show.say("nobody reads this")
open(sys.argv[1], "w").write("done")
"""


def test_work_goes_on_when_nobody_reads_what_it_says(tmp_path):
    command = [sys.executable, "-c", _SPEAKS, str(tmp_path / "end")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as speaker:
        assert speaker.stdout.readline() == "begun\n"
        speaker.stdout.close()
        speaker.stdin.write("\n")
        speaker.stdin.close()
        said = speaker.stderr.read()
    assert speaker.returncode == 0, said
    assert said == ""
    assert (tmp_path / "end").read_text() == "done"
