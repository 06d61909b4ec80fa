"""Features of runs: their files, and the jobs that write them."""
