"""A small payment service, as one finds it: it pays what it is told, every time it is told.

It is a process of its own with its own database and knows nothing of the engine. Posting the same
refund twice makes two refunds, so whatever keeps refunds single has to be on the caller's side.
A refund can be looked up by the reference that came with it, and it is not made any more after the
time `not_after`, if one came with it.
"""
