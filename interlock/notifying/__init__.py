"""Notifying: people are told of requests that wait, through channels that the deployment names.

A channel only tells. Nobody decides by a message: its link leads to the inbox.
"""

from __future__ import annotations

from interlock.notifying.contract import Channel, Message

__all__ = ["Channel", "Message"]
