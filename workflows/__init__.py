"""Temporal workflows of this deployment."""
