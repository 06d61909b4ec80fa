import pytest

from foldwise.config.loading import from_values, load
from foldwise.config.recipe import Recipe
from foldwise.config.weighted import weighted_parts
from foldwise.config.writing import to_yaml
from foldwise.errors import ConfigError

MODEL = "model: {name: small_cnn}\n"


def recipe(tmp_path, loss: str) -> Recipe:
    path = tmp_path / "a.yaml"
    path.write_text(f"{MODEL}loss: {loss}\n")
    return load(path, Recipe)


def test_one_loss_or_a_list_of_them_with_their_weights(tmp_path):
    assert recipe(tmp_path, "bce").loss == "bce"
    found = recipe(tmp_path, "[cross_entropy, {name: focal, gamma: 1.5, weight: 0.3}]").loss
    assert weighted_parts(found) == [
        ("cross_entropy", 1.0),
        ({"name": "focal", "gamma": 1.5}, 0.3),
    ]
    assert weighted_parts({"name": "mine:loss", "weight": 2}) == [
        ({"name": "mine:loss", "weight": 2}, 1.0)
    ]


def test_a_list_of_losses_is_written_and_read_again(tmp_path):
    found = recipe(tmp_path, "[bce, {name: asymmetric, weight: 2}]")
    written = found.model_dump(mode="json")
    assert from_values(written, Recipe, source="copy") == found
    (tmp_path / "b.yaml").write_text(to_yaml(written))
    assert load(tmp_path / "b.yaml", Recipe) == found


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        ("[]", "the list is empty"),
        ("[bce, {name: bce, weight: 2}]", "bce stands there twice"),
        ("[bce, {name: focal, weight: 0}]", "focal: weight must be a number above 0, found 0"),
        ("[bce, {name: focal, weight: much}]", "focal: weight must be a number above 0"),
        ("[bce, {weight: 1}]", "a part needs a name"),
    ],
)
def test_a_wrong_list_says_what_is_wrong(tmp_path, loss, words):
    with pytest.raises(ConfigError, match=words) as caught:
        recipe(tmp_path, loss)
    assert "a.yaml:2: loss" in str(caught.value)
