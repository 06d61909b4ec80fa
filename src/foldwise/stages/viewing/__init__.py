"""What `views` needs: candidates, a run's answers in each view, what they are worth and cost."""
