"""Hosts the agents, tools and workflows that interlock.toml names: `python worker.py`."""

import sys

from interlock.cli import main

if __name__ == "__main__":
    main(["worker", *sys.argv[1:]])
