"""Hosts the agents, tools and workflows that interlock.toml names: `python worker.py`."""

from interlock.cli import main

if __name__ == "__main__":
    main(["worker"])
