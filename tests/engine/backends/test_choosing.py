"""The trial: who is tried, who is fastest, when that pays, and what a pack remembers of it."""

import json
import time

import pytest
import torch

from foldwise.engine.backends import BACKENDS, BackendTrial, Candidate, choose_backend, trial_key
from foldwise.engine.backends.making import Backend
from tests.engine.backends.networks import images, made, softmax

PLAIN = Candidate("eager", 0.1, difference=0.0)


def trial(*others: Candidate, num_images: int = 10_000) -> BackendTrial:
    return BackendTrial("key", num_images, "fp32", 1e-4, (PLAIN, *others))


def slowed(by_s: float):
    def make(network, inputs, half):
        def forward(*given: torch.Tensor) -> torch.Tensor:
            time.sleep(by_s)
            found: torch.Tensor = network(*given)
            return found

        return forward

    return make


@pytest.fixture
def table(monkeypatch):
    """A table of eager, made slow, and others."""

    def put(**backends: Backend) -> None:
        for name in [name for name in BACKENDS if name != "eager"]:
            monkeypatch.delitem(BACKENDS, name)
        for name, backend in {"eager": Backend(slowed(0.05)), **backends}.items():
            monkeypatch.setitem(BACKENDS, name, backend)

    return put


def refusing(network, inputs, half):
    raise ValueError("no such layer")


def test_the_fastest_that_gives_the_same_is_chosen(table):
    def wrong(network, inputs, half):
        return lambda *given: -network(*given)

    table(
        slow=Backend(slowed(0.1)),
        fast=Backend(slowed(0.0)),
        wrong=Backend(wrong),
        none=Backend(refusing),
        absent=Backend(refusing, lambda device: f"not for {device.type}"),
    )
    network, inputs = made("plain")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = choose_backend(network, inputs, num_images=10_000, activate=softmax)
    assert found.choice == "fast"
    each = {candidate.backend: candidate for candidate in found.candidates}
    assert list(each) == ["eager", "slow", "fast", "wrong", "none", "absent"]
    assert 0.01 < (each["eager"].seconds or 0) < (each["slow"].seconds or 0)
    assert (each["fast"].seconds or 1) < 0.01
    assert each["wrong"].seconds is None
    assert (each["wrong"].difference or 0) > found.limit
    assert each["none"].reason == "ValueError: no such layer"
    assert each["absent"].reason == "not for cpu"
    assert found.precision == "fp32"
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert BackendTrial.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_few_images_are_not_worth_a_trial(table):
    table(
        cheap=Backend(slowed(0.0), least_s=60.0),
        dear=Backend(lambda network, inputs, half: pytest.fail("tried"), least_s=10_000.0),
    )
    network, inputs = made("plain")
    few = choose_backend(network, inputs, num_images=100, activate=softmax)
    assert few.choice == "eager"
    assert [each.is_untried for each in few.candidates] == [False, True, True]
    assert few.candidates[1].reason.startswith("not tried: eager takes ")
    more = choose_backend(network, inputs, num_images=10_000, activate=softmax)
    assert more.choice == "cheap"
    assert [each.is_untried for each in more.candidates] == [False, False, True]
    assert few.holds(few.key, 100)
    assert not few.holds(few.key, 10_000)
    assert more.holds(few.key, 10_000)
    assert not more.holds(few.key, 10_000_000)
    assert not few.holds("another", 100)


def test_what_it_takes_to_make_a_pass_counts_against_the_images_to_come():
    found = trial(
        Candidate("compile", 0.05, making_s=60.0), Candidate("onnxruntime", 0.06, making_s=5.0)
    )
    assert [found.best(num) for num in (100, 200, 5000, 6000)] == [
        *("eager", "onnxruntime", "onnxruntime", "compile")
    ]
    assert found.choice == "compile"


def test_less_than_the_machines_noise_changes_nothing():
    assert trial(Candidate("openvino", 0.098), num_images=10**6).choice == "eager"
    assert trial(Candidate("openvino", 0.096), num_images=10**6).choice == "openvino"


def test_what_differs_is_not_chosen_however_fast():
    wrong = Candidate("openvino", 0.01, difference=0.1, reason="differs")
    assert trial(wrong).choice == "eager"


def test_a_trial_that_was_made_holds_for_any_number_of_images():
    assert trial().holds("key", 10)
    assert trial().holds("key", 10**7)


def test_a_pack_remembers_it_with_the_choice_to_be_read():
    found = trial(Candidate("openvino", None, reason="openvino: not installed"))
    stored = json.loads(json.dumps(found.to_json()))
    assert stored["choice"] == "eager"
    assert BackendTrial.from_json(stored) == found


def test_the_key_tells_networks_batches_threads_and_versions_apart(monkeypatch):
    network, inputs = made("plain")
    other, _ = made("siamese")
    keys = [
        trial_key(network, inputs),
        trial_key(other, inputs),
        trial_key(network, (images(5),)),
        trial_key(network, inputs, half=torch.bfloat16),
    ]
    monkeypatch.setattr("foldwise.engine.backends.trial.version", lambda package: "0.0")
    keys.append(trial_key(network, inputs))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        keys.append(trial_key(network, inputs))
    finally:
        torch.set_num_threads(threads)
    assert len(set(keys)) == len(keys)


def test_the_key_is_the_same_for_the_networks_of_all_folds():
    network, inputs = made("plain")
    key = trial_key(network, inputs)
    with torch.no_grad():
        network.head.weight.add_(1.0)
    assert trial_key(network, inputs) == key
