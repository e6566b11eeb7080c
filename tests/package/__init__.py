"""What is installed and what other tools read of the project: wheel, core files, import rules."""
