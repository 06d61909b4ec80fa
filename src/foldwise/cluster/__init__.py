"""Where units run: each in a process of its own."""
