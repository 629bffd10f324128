"""The inbox: the reviewer's pages and the HTTP API, as one ASGI application.

It reads and decides through Temporal, like the command line, and keeps only who is signed in. It
needs the extra `interlock[inbox]`. Start it with `interlock inbox`.
"""

__all__: list[str] = []
