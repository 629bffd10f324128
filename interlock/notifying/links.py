"""Where a request is decided: the address of its page in the inbox. Pure."""

from __future__ import annotations

import base64
import json


def request_link(origin: str, workflow_id: str, request_id: str) -> str:
    """Return the address of a request's page.

    Args:
        origin: scheme://host:port of the inbox; empty when nobody knows it.
        workflow_id: Of the request's run.
        request_id: Of the request.
    """
    if not origin:
        return ""
    return f"{origin.rstrip('/')}/requests/{request_key(workflow_id, request_id)}"


def request_key(workflow_id: str, request_id: str) -> str:
    """Return the word that names a request in the inbox's addresses."""
    packed = json.dumps([workflow_id, request_id], separators=(",", ":"))
    return base64.urlsafe_b64encode(packed.encode()).rstrip(b"=").decode()
