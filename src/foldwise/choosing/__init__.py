"""What scores that are known say of what is still to be chosen: trust, picks, comparisons."""
