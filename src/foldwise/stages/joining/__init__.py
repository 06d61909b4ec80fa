"""What is blended: runs, references and score files, checked for likeness."""
