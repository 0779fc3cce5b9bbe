"""`python -m rdr`, which is the same as the command `rdr`."""

import sys

from rdr.cli.main import main

sys.exit(main())
