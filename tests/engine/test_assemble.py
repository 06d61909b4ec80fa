from foldwise.engine.assemble import Assembly
from foldwise.stages.recipes import load_recipe
from foldwise.tasks.problem import Problem
from tests.stages.small_competition import make_problem


def backbone_print(problem: Problem, name: str) -> str:
    recipe = load_recipe(problem.home, "a", overrides=[f"model.name={name}"])
    return Assembly(problem, recipe).backbone_print()


def test_features_of_an_own_network_are_those_of_its_code(tmp_path):
    problem = make_problem(tmp_path)
    recipe = problem.home.recipe("a")
    recipe.parent.mkdir()
    recipe.write_text("model: {name: small_cnn}\ninput: {size: 16}\n")
    problem.home.code.mkdir()
    code = problem.home.code / "mine_print.py"
    code.write_text("WIDTH = 8\n")
    before = [backbone_print(problem, name) for name in ("mine_print:network", "small_cnn")]
    code.write_text("WIDTH = 9\n")
    after = [backbone_print(problem, name) for name in ("mine_print:network", "small_cnn")]
    assert before[0] != after[0]
    assert before[1] == after[1]
