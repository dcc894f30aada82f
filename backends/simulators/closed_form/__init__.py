"""Current-based leaky integrate-and-fire cells, solved in closed form between events.

tau_m dv/dt = -(v - v_rest) + tau_m/cm (I + I_exc + I_inh), with I piecewise constant and synaptic
currents of the form (i + d t) exp(-t / tau_syn): d = 0 for exponential synapses, both for alpha
functions (Rotter & Diesmann, 1999, Biol. Cybern. 81:381).
"""
