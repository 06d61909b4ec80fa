"""What `pick` needs of runs and ledger: candidates, families, public scores, and the words."""
