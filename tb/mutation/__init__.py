"""Mutation of the RTL by the hundred: one build that holds every mutant, one short run per mutant."""
