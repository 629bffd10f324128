"""The support copilot: a graph that stays useful with a small model and gets better with a big one."""
