"""Readable JSON that keeps Python types: for LangGraph state, checkpoints, messages and results.

A value that is not plain JSON becomes an object whose first key starts with `$`. What comes out of
`decode` equals what went into `encode` and has its type, all the way down. These are kept:

* None, bool, int, float (NaN and infinities too), str (text that is no valid Unicode too);
* list, tuple, dict with keys of any kind here, set, frozenset, deque, defaultdict with a built-in
  factory, OrderedDict and Counter;
* bytes, bytearray, Decimal, UUID;
* datetime and time with their fold and their zone (`ZoneInfo`, `timezone` or pydantic's), date,
  timedelta, and zones by themselves;
* LangChain's messages and classes derived from them;
* pydantic models with extra and private attributes and which fields were set;
* dataclasses, NamedTuples, members and combinations of enums and flags;
* classes derived from str, int, float, bytes or a collection above, with their attributes;
* LangGraph's `Send`, `Command`, `Interrupt` and `Overwrite`, with every field.

A class has to be found under its name in its module; a class inside a function is not. Anything else
is refused with `NotSerializable`, which names the place in the value: exceptions, functions, clients,
secrets, NumPy arrays, parametrised generic models, zones of other libraries.

Objects are made without running their constructors or validators. Decoding imports nothing: it finds
classes among the modules that are loaded. Two references to one object become two equal objects.
"""

from interlock.codec.messages import MESSAGE_TYPES
from interlock.codec.reading import decode
from interlock.codec.writing import encode

__all__ = ["MESSAGE_TYPES", "decode", "encode"]
