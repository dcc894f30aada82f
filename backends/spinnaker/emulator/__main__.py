"""``python -m backends.spinnaker.emulator SCRIPT [ARGS]``."""

from __future__ import annotations

import sys

from .launcher import main

sys.exit(main(sys.argv[1:]))
