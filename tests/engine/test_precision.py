"""Half precision to score in: the recipe's, where the device has it."""

import pytest
import torch

from foldwise.engine.precision import autocast_dtype, precisions_of, scoring_dtype

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def able(monkeypatch):
    def set_up(*, cpu: tuple[str, ...] = (), gpu: tuple[int, int] = (8, 0)) -> None:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict.fromkeys(cpu, True))
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: gpu)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)

    return set_up


def test_a_processor_scores_in_bfloat16_where_it_has_it(able):
    able(cpu=("avx512_bf16",))
    assert scoring_dtype("bf16", CPU) is torch.bfloat16
    able(cpu=("avx2",))
    assert scoring_dtype("bf16", CPU) is None


def test_nobody_asked_for_half_precision_on_a_processor(able):
    able(cpu=("avx512_bf16", "amx_bf16"))
    assert scoring_dtype("auto", CPU) is None
    assert scoring_dtype("fp32", CPU) is None


def test_what_was_trained_on_a_gpu_in_fp16_is_scored_in_full_on_a_processor(able):
    able(cpu=("avx512_bf16",))
    assert scoring_dtype("fp16", CPU) is None


def test_a_gpu_that_emulates_bfloat16_trains_and_scores_in_full(able):
    able(gpu=(7, 5))
    assert autocast_dtype("auto", GPU) is None
    assert autocast_dtype("fp16", GPU) is torch.float16
    assert scoring_dtype("auto", GPU) is None
    assert scoring_dtype("fp16", GPU) is torch.float16
    able(gpu=(8, 0))
    assert scoring_dtype("auto", GPU) is torch.bfloat16


def test_a_device_has_the_precisions_that_it_does_not_emulate(able):
    able(cpu=("avx2",), gpu=(7, 5))
    assert precisions_of(CPU) == ["fp32"]
    assert precisions_of(GPU) == ["fp32", "fp16"]
    able(cpu=("amx_bf16",), gpu=(8, 0))
    assert precisions_of(CPU) == ["fp32", "bf16"]
    assert precisions_of(GPU) == ["fp32", "bf16", "fp16"]
