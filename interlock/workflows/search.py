"""Search attributes of a run. They hold names and states, never personal data."""

from __future__ import annotations

from temporalio.common import SearchAttributeKey

AGENT = SearchAttributeKey.for_keyword("InterlockAgent")
STATUS = SearchAttributeKey.for_keyword("InterlockStatus")
TENANT = SearchAttributeKey.for_keyword("InterlockTenant")
RISK = SearchAttributeKey.for_keyword("InterlockRisk")
RELEASE = SearchAttributeKey.for_keyword("InterlockRelease")

ALL = (AGENT, STATUS, TENANT, RISK, RELEASE)
"""Registered with the server when a worker starts."""
