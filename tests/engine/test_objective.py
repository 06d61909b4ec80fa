import numpy as np
import pytest
import torch

from foldwise.engine.assemble import Assembly
from foldwise.errors import ConfigError
from foldwise.losses import LOSSES
from foldwise.losses.terms import total
from foldwise.stages.recipes import load_recipe
from foldwise.tasks import TASKS
from foldwise.tasks.task import Formulation
from tests.stages.small_competition import make_problem


@pytest.fixture(scope="module")
def problems(tmp_path_factory):
    made = {}
    for task in ("multiclass", "ordinal", "multilabel"):
        made[task] = make_problem(tmp_path_factory.mktemp(task), task)
        path = made[task].home.recipe("a")
        path.parent.mkdir()
        path.write_text("model: {name: small_cnn}\ninput: {size: 16}\n")
    return made


def assembly(problem, *overrides: str) -> Assembly:
    return Assembly(problem, load_recipe(problem.home, "a", overrides=overrides))


def test_a_list_of_losses_is_their_weighted_sum(problems):
    loss = assembly(problems["ordinal"], "loss=[cross_entropy, {name: squared_emd, weight: 0.3}]")
    logits, target = torch.randn(6, 5), torch.tensor([0, 1, 2, 3, 4, 0])
    found = loss.loss()(logits, target)
    assert list(found) == ["cross_entropy", "squared_emd"]
    by_hand = LOSSES["cross_entropy"](logits, target) + 0.3 * LOSSES["squared_emd"](logits, target)
    torch.testing.assert_close(total(found), by_hand)


@pytest.mark.parametrize(
    ("task", "overrides", "words"),
    [
        ("multiclass", ["loss=[cross_entropy, bce]"], "bce does not fit formulation softmax"),
        ("multiclass", ["loss=[{name: focal, gama: 1}]"], "did you mean 'gamma'"),
        ("multiclass", ["loss={name: focal, gamma: -1}"], "greater than or equal to 0"),
        ("multiclass", ["loss={name: focal, weight: 2}"], "unknown option 'weight'"),
        ("multiclass", ["loss=[cross_entropy, focall]"], "did you mean 'focal'"),
        ("multiclass", ["formulation=sigmoid", "loss=focal"], "losses for it: bce, binary_focal"),
        ("ordinal", ["formulation=corn", "loss=bce"], "bce does not fit formulation corn"),
        (
            "ordinal",
            ["loss=[cross_entropy, soft_kappa]", "train.accumulate=2"],
            "soft_kappa is a statistic of the whole batch, which train.accumulate: 2 cuts",
        ),
    ],
)
def test_a_loss_that_cannot_be_is_refused(problems, task, overrides, words):
    with pytest.raises(ConfigError) as caught:
        assembly(problems[task], *overrides).loss()
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("task", "overrides", "words"),
    [
        ("multiclass", ["imbalance=smapler"], "did you mean 'sampler'"),
        ("multilabel", ["imbalance=effective_number"], "needs one class per sample"),
        (
            "multiclass",
            ["imbalance=logit_adjustment", "formulation=sigmoid"],
            "use formulation: softmax; or imbalance: weights",
        ),
        (
            "ordinal",
            ["imbalance={name: logit_adjustment, tau: 1}", "formulation=coral"],
            "use formulation: expectation or classes; or imbalance: weights",
        ),
    ],
)
def test_a_balance_that_cannot_be_is_refused(problems, task, overrides, words):
    with pytest.raises(ConfigError) as caught:
        _ = assembly(problems[task], *overrides).balancing.balance
    assert words in str(caught.value)


@pytest.mark.parametrize("task", ["multiclass", "ordinal", "multilabel"])
def test_every_loss_takes_mixed_targets(problems, task):
    for name, found in problems[task].task.formulations.items():
        for loss in found.losses:
            mixed = assembly(problems[task], f"formulation={name}", f"loss={loss}", "mix=mixup")
            target = mixed.encoded()[:6].float()
            target = 0.3 * target + 0.7 * target.flip(0)
            logits = torch.randn(6, found.num_outputs(mixed.problem.num_classes))
            losses = total(mixed.loss()(logits, target))
            assert losses.shape == (6,), (name, loss)
            assert losses.isfinite().all(), (name, loss)


def _best_outputs(found: Formulation, target: torch.Tensor, num_classes: int) -> torch.Tensor:
    """Logits of the lowest loss that the formulation's head can give one image."""
    shape = (1, found.num_outputs(num_classes))
    own = torch.zeros(1, 1) if found.shares_weights else torch.zeros(shape)
    own = own.double().requires_grad_()
    # A head that shares its weights gives one number, and borders that are those of all images.
    borders = torch.linspace(3.0, -3.0, shape[1]) if found.shares_weights else torch.zeros(shape)
    optimizer = torch.optim.LBFGS([own], max_iter=500, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = total(LOSSES[found.loss](own + borders, target)).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return (own + borders).detach()


@pytest.mark.parametrize("name", TASKS["ordinal"].formulations)
def test_targets_of_grades_mix_just_where_an_image_can_be_both_halves(problems, name):
    problem, found = problems["ordinal"], TASKS["ordinal"].formulations[name]
    num_classes = problem.num_classes
    made = assembly(problem, f"formulation={name}", "mix=mixup")
    ends = torch.tensor([int(np.flatnonzero(problem.target == c)[0]) for c in (0, num_classes - 1)])
    both = made.encoded(ends.numpy()).double()
    raw = found.activate(_best_outputs(found, both.mean(0, keepdim=True), num_classes).numpy())
    halves = {
        "expectation": [0.5, 0, 0, 0, 0.5], "classes": [0.5, 0, 0, 0, 0.5],
        "two_step": [0.5, 0, 0, 0, 1], "regression": [2],
    }  # fmt: skip
    wanted = np.array(halves.get(name, [0.5, 0.5, 0.5, 0.5]))
    assert np.allclose(raw[0], wanted, atol=1e-2) == (found.unmixable is None)
    if found.unmixable is None:
        assert made.mix() is not None
    else:
        with pytest.raises(ConfigError, match="half of one grade and half of another"):
            made.mix()
