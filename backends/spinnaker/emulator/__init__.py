"""SpiNNaker in software: sPyNNaker's own binaries, executed, and its own host code beside them.

``python -m backends.spinnaker.emulator SCRIPT [ARGS]`` runs a PyNN script that says
``import pyNN.spiNNaker``. Needs backends/spinnaker/requirements.txt, and Linux.
"""
