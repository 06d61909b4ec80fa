"""What `init` guesses of a raw folder, each guess with its reason."""
