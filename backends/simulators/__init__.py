"""PyNN simulators of this project: modules that a user's PyNN script imports as it does pyNN.nest.

`backends.simulators.exact` and `backends.simulators.exact_grid` are the reference that every other
simulator is compared with. `backends.simulators.common` is what such a module is built from.
"""
