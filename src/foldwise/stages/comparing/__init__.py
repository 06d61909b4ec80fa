"""What `compare` needs: one-seed scores of runs, and the words for what they say."""
