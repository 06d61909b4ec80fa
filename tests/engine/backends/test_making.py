"""Every backend gives what eager gives, for every kind of network, normalisation included."""

import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from foldwise.data.batches import Source
from foldwise.engine.backends import BACKENDS, TOLERANCE, making
from foldwise.engine.backends.checking import checked, difference, logits, opened
from foldwise.engine.backends.exporting import exported
from foldwise.engine.infer import infer
from foldwise.views import views_of
from tests.engine.backends.networks import (
    CPU,
    NETWORKS,
    images,
    made,
    model_of,
    skip_unless_there,
    softmax,
)

#: Compiling takes many seconds a network.
CASES = [
    pytest.param(backend, name, marks=pytest.mark.slow if backend == "compile" else ())
    for backend in BACKENDS
    for name in (NETWORKS if backend != "compile" else ("plain", "added"))
]


@pytest.fixture(autouse=True)
def _released():
    yield
    torch.compiler.reset()


@pytest.mark.parametrize(("backend", "name"), CASES)
def test_gives_what_eager_gives(backend, name, monkeypatch):
    skip_unless_there(backend)
    network, inputs = made(name)
    monkeypatch.setattr(making, "exported", lambda network, inputs: model_of(name))
    found = checked(network, backend, inputs, activate=softmax)
    assert (found.reason, found.limit) == ("", TOLERANCE)
    assert found.forward is not None
    wanted = softmax(logits(network, inputs))
    assert np.ptp(wanted, axis=0).max() > 0.1  # Else anything would be equal.
    again = softmax(logits(found.forward, inputs))
    assert difference(again, wanted) <= TOLERANCE


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_other_rows_do_not_come_through_what_the_pass_was_made_with(backend):
    skip_unless_there(backend)
    network, inputs = made("plain")
    forward = BACKENDS[backend].make(network, inputs, None)
    others = (images(seed=5).flip(3),)
    first = forward(*inputs)
    kept = first.clone()
    found = softmax(logits(forward, others))
    assert difference(found, softmax(logits(network, others))) <= TOLERANCE
    assert torch.equal(first, kept)  # Its memory was not written over.


@pytest.mark.parametrize("name", ["plain", "added"])
def test_parts_side_by_side_are_put_together_in_order(name, monkeypatch):
    skip_unless_there("openvino")
    network, inputs = made(name)
    many = tuple(each.repeat(6, *[1] * (each.ndim - 1)) for each in inputs)  # Rows differ by four.
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    monkeypatch.setattr(making, "num_parts", lambda batch, threads: threads)
    forward = BACKENDS["openvino"].make(network, many, None)
    others = tuple(each.flip(0) for each in many)
    for given in (many, others):
        found = softmax(logits(forward, given))
        assert difference(found, softmax(logits(network, given))) <= TOLERANCE
    assert np.ptp(found, axis=0).max() > 0.1


@pytest.mark.parametrize("name", NETWORKS)
def test_the_exported_model_takes_raw_images_as_onnx_itself_reads_it(name):
    if find_spec("onnx") is None or find_spec("onnxscript") is None:
        pytest.skip("onnx not installed")
    from onnx.reference import ReferenceEvaluator

    network, inputs = made(name)
    model = ReferenceEvaluator(model_of(name))
    assert model.input_names == ["images", "columns"][: len(inputs)]
    feed = {
        key: each.contiguous().numpy() for key, each in zip(model.input_names, inputs, strict=True)
    }
    (found,) = model.run(None, feed)
    with torch.inference_mode():
        wanted = network(*inputs).numpy()
    assert found == pytest.approx(wanted, abs=1e-3)


def test_a_network_is_left_as_it_is():
    skip_unless_there("onnxruntime")
    network, inputs = made("plain")
    before = {key: value.clone() for key, value in network.state_dict().items()}
    exported(network, inputs)
    assert network.layout == "channels_last"
    for key, each in network.state_dict().items():
        assert torch.equal(before[key], each)
        assert before[key].stride() == each.stride()


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_what_is_not_installed_says_how_to_get_it(backend, monkeypatch):
    monkeypatch.setattr(making, "find_spec", lambda name: None if name == backend else True)
    assert "foldwise[inference]" in BACKENDS[backend].obstacle(CPU)
    assert backend in BACKENDS[backend].obstacle(CPU)
    assert "not on cuda" in BACKENDS[backend].obstacle(torch.device("cuda"))
    network, inputs = made("plain")
    found = checked(network, backend, inputs, activate=softmax)
    assert (found.forward, found.difference) == (None, None)
    assert "foldwise[inference]" in found.reason


def test_nothing_is_counted_and_sent_by_openvino(tmp_path):
    skip_unless_there("openvino")
    code = """
import socket
def refuse(*_): raise SystemExit("it asks for the network")
socket.socket.connect = socket.getaddrinfo = refuse
from foldwise.engine.backends.checking import checked
from tests.engine.backends.networks import made, softmax
network, inputs = made("plain")
found = checked(network, "openvino", inputs, activate=softmax)
raise SystemExit(found.reason or 0)
"""
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
def test_one_forward_pass_for_all_backends(backend):
    skip_unless_there(backend)
    network, _ = made("plain")
    pixels = images(10).permute(0, 2, 3, 1).numpy()
    source = Source(lambda name: pixels[int(name)], np.arange(10).astype(str), np.arange(10), 32)

    def scored(forward) -> dict[str, np.ndarray]:
        return infer(forward, source, views=views_of(["identity", "hflip"]), batch=4, device=CPU)

    wanted = scored(network)
    with opened(network, backend, activate=softmax, tell=pytest.fail) as forward:
        found = scored(forward)
    for view, each in wanted.items():
        assert difference(softmax(found[view]), softmax(each)) <= TOLERANCE
