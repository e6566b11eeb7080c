"""The store of results (`sim_build/results`): every run of a command with its settings, figures and files."""
