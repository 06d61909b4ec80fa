"""From image files to batches: decoding, cache, augmentation, folds."""
