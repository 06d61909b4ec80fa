"""What `doctor` looks for: rules on competition, plan and recipes, and a short trial of each."""
