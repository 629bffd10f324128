"""Tools of this deployment: what the agents of Harbour Lane may read and change.

`contracts` says what each tool takes, gives and risks and is safe to import in a workflow.
`service` does the work and is loaded by the worker only, when a tool is first called.
`payment_service` is the other side: a process of its own that pays money back.
"""
