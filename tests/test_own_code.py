from pathlib import Path

from foldwise.own_code import own_code_hash


def write(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        path = folder / f"{name.replace('__in__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


RECIPE = {"model": {"name": "mine:net"}, "augment": [{"name": "turn"}], "loss": None}


def test_only_modules_that_are_named_or_imported_count(tmp_path):
    code = write(tmp_path, mine="import blocks\n", blocks="from deep import far\n", deep="far = 1")
    before = own_code_hash(code, RECIPE)
    assert before is not None
    write(code, other="import nothing\n")
    assert own_code_hash(code, RECIPE) == before
    write(code, deep="far = 2")
    assert own_code_hash(code, RECIPE) != before


def test_names_are_found_wherever_they_stand(tmp_path):
    code = write(tmp_path, mine="a = 1", soft="b = 1")
    assert own_code_hash(code, {"loss": {"name": "soft:b", "gamma": 2}}) is not None
    assert own_code_hash(code, {"augment": [{"name": "turn"}, "soft:b"]}) is not None
    for none in ("small_cnn", "package:weights", "soft", "nowhere:b", {"pretrained": True}):
        assert own_code_hash(code, none) is None
    assert own_code_hash(code / "absent", RECIPE) is None


def test_packages_and_relative_imports_are_followed(tmp_path):
    code = write(
        tmp_path,
        nets__in____init__="",
        nets__in__wide="from .parts import block\nfrom . import tail\n",
        nets__in__parts="block = 1",
        nets__in__tail="end = 1",
        nets__in__unused="end = 1",
    )
    names = ["__init__", "wide", "parts", "tail"]
    for name in names:
        before = own_code_hash(code, "nets.wide:Net")
        path = code / "nets" / f"{name}.py"
        path.write_text(path.read_text() + "\nmore = 1\n")
        assert own_code_hash(code, "nets.wide:Net") != before
    before = own_code_hash(code, "nets.wide:Net")
    write(code, nets__in__unused="end = 2")
    assert own_code_hash(code, "nets.wide:Net") == before


def test_a_module_that_python_cannot_read_has_a_hash_too(tmp_path):
    code = write(tmp_path, mine="def net(:\n")
    before = own_code_hash(code, RECIPE)
    write(code, mine="def net(): ...\n")
    assert before is not None
    assert own_code_hash(code, RECIPE) != before
