from __future__ import annotations

import pytest

from foldwise.stages.proposing.rules import EXTERNAL, PRETRAINED, ban_on


@pytest.mark.parametrize(
    "text",
    [
        "Pretrained weights are forbidden.",
        "Pre-trained models are not allowed here.",
        "Using pretrained models isn't allowed.",
        "You may not use any pretrained networks.",
        "No pretrained weights, please.",
        "Train from scratch, without pretrained models.",
        "Participants must train without pretrained weights.",
        "Use of pretrained weights is prohibited.",
        "The rules prohibit the use of pretrained models.",
        "Pretrained weights\nare not allowed.",
        "Pretrained weights: no.",
        "Forbidden: pretrained models, external data.",
        "Pretrained models, e.g. ImageNet, are forbidden.",
        "Pretrained models (e.g. ImageNet) are not allowed.",
        "External data, pretrained models and other tricks are not allowed.",
        "- pretrained models: not allowed\n- external data: allowed",
    ],
)
def test_a_rule_against_pretrained_weights_is_heard(text):
    assert ban_on(PRETRAINED, text.lower()) is not None


@pytest.mark.parametrize(
    "text",
    [
        "Pretrained weights are allowed.",
        "Pretrained weights are not forbidden.",
        "Pretrained weights help. External data are forbidden.",
        "Pretrained weights help, external data are forbidden.",
        "External data are not allowed; pretrained models are.",
        "External data is not allowed, but pretrained models are.",
        "Pretrained models are allowed, external data is not allowed",
        "Pretrained models are allowed but external data are not allowed.",
        "There are no restrictions on pretrained models.",
        "resnet18, without any pretrained weights (baseline): 0.61",
        "We trained a net without pretrained weights.",
        "No pretrained weights are needed.",
        "",
    ],
)
def test_what_is_allowed_is_not_heard_as_forbidden(text):
    assert ban_on(PRETRAINED, text.lower()) is None


@pytest.mark.parametrize(
    ("text", "is_banned"),
    [
        ("No limits on external data.", False),
        ("Pretrained models are not allowed, external data is allowed.", False),
        ("Pretrained models are allowed, external data is not allowed.", True),
        ("You may use pretrained models, but not external data.", True),
        ("No pretrained models or external data.", True),
        ("Forbidden: pretrained models, external images.", True),
    ],
)
def test_rules_on_external_data(text, is_banned):
    assert (ban_on(EXTERNAL, text.lower()) is not None) == is_banned
