"""Experiment `bounded`: can the time of one token be bounded, and what makes it vary? (docs/bounded.md)"""
