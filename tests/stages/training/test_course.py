"""The learning curve's file."""

from foldwise.stages.training.course import _history_csv


def test_an_epoch_without_terms_leaves_their_cells_empty():
    rows = [{"epoch": 1}, {"epoch": 2, "train_near": 0.5}, {"epoch": 3}]
    assert _history_csv(rows).splitlines() == ["epoch,train_near", "1,", "2,0.5", "3,"]
