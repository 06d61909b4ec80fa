"""What is trained in the time there is: limits, forecasts, and the choice."""
