"""`python -m include.toritos.simulator` writes a night of frames."""

from include.toritos.simulator.cli import main

raise SystemExit(main())
