"""The model and its runner: everything that travels to the place where an experiment runs.

This package needs numpy and PyNN only, and Python 3.8, because it is also shipped to machines
whose software is older than the laptop's.
"""
