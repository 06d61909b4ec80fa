"""Helpers of the costs stage: hours by run and machine, quotas, and tables of them."""
