"""Branches: forked copies of the notebook's process in which the model's cells run and nothing can be lost."""
