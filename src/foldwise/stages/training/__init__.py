"""Units: what one worker does, from its place on disk to its weights and scores."""
