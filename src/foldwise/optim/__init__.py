"""How weights are moved: optimisers by name, the course of the rate, averages of weights."""
