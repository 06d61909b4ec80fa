"""Networks by name, the weights they start from, what of them trains, and their solved head."""
