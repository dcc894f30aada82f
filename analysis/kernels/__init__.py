"""Compiled loops over pairs of spike trains, by numba; imported only where a measure is computed.

Importing numba takes half a second, so nothing imports these modules at its top. What is compiled
is kept beside the source (or in the user's cache directory where that cannot be written to) and
loaded from there the next time. numba looks at the caller's file alone when it decides whether
that is still valid, hence functions that call each other are in one file.

Trains come as in `analysis.pairs`: the times of all trains in one array, ms, and where each begins.
"""
