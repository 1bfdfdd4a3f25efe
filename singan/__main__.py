"""`python -m singan` is the command `singan`."""

import sys

from singan.cli import main

sys.exit(main())
