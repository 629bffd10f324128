"""Whether each statement of a draft is one of the facts, nearly word for word. Pure functions.

A model that changes a few words can turn a fact around: "not in the microwave", "until it is
dispatched". So a draft is compared clause by clause. It may leave facts out; it may not add any.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_SUPPORTED = 0.6
"""Share of a clause's telling words that one clause of the facts must have."""
_CLAUSE = re.compile(
    r"(?<=[.!?;])\s+|\n+|;|, (?!\d)|: |\s+(?:and|but|although|however)\s+|\s+[-\u2013]\s+|[()]"
)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_QUESTION = re.compile(
    r"(?:and |or |so )?(?:am|are|can|could|did|do|does|has|have|how|is|may|should|was|what|when|where|"
    r"which|who|why|will|would)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+(?:[.,-]\d+)*")
_NEGATION = re.compile(
    r"\b(?:no|not|never|cannot|unable|neither|nor)\b|n[\u2019']t\b", re.IGNORECASE
)
_TURNING = ("until", "unless", "except", "only", "before", "after", "without")
"""Words that turn a statement around as much as a 'not' does."""
_COURTESY = frozenset(
    word[:5]
    for word in re.findall(
        r"\w+",
        """additional afternoon all answer any anything apologise apologize apologies appreciate assist
        assistance best caused concerns contact customer dear don else enjoy feel forward free further
        glad good greetings happy happily have hear hello help hesitate here hope inconvenience inform
        just keep kind kindly know let like look looking message morning more need patience please
        question questions reach regards regret reply sincerely sorry soon support sure team thank thanks
        these things this trouble understand understanding want welcome well wish with would write
        writing yes""",
    )
)
_SMALL = frozenset(
    re.findall(
        r"\w+",
        """about also and are been being but can could did does for from get got had has her him his how
        into its may might our out own shall she should some than that the their them then there they those
        was were what when where which while who why will you your yours""",
    )
)


def unsupported(draft: str, facts: Sequence[str]) -> list[str]:
    """Return the clauses of a draft that no clause of the facts says."""
    known = [clause for fact in facts for clause in clauses_of(fact)]
    return [
        clause
        for clause in clauses_of(draft)
        if _telling(clause) and not any(_says(fact, clause) for fact in known)
    ]


def says_any(draft: str, facts: Sequence[str]) -> bool:
    """Return whether a draft has at least one clause that the facts say."""
    known = [clause for fact in facts for clause in clauses_of(fact)]
    return any(
        _says(fact, clause) for clause in clauses_of(draft) if _telling(clause) for fact in known
    )


def statements_of(text: str) -> list[str]:
    """Return the sentences of a text that ask nothing."""
    sentences = [part.strip() for part in _SENTENCE.split(text)]
    return [
        sentence
        for sentence in sentences
        if sentence and not sentence.endswith("?") and not _QUESTION.match(sentence)
    ]


def clauses_of(text: str) -> list[str]:
    """Return the parts of a text that each state one thing."""
    parts = (part.strip().removeprefix("but ") for part in _CLAUSE.split(text))
    return [part for part in parts if part]


def plain_number(number: str) -> str:
    """Return a number in one form: 24, 24.00 and 24,0 are the same."""
    text = number.replace(",", ".")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _says(fact: str, clause: str) -> bool:
    wanted, there = _telling(clause), _telling(fact, courteous=True)
    if len(wanted & there) < _SUPPORTED * len(wanted):
        return False
    if bool(_NEGATION.search(fact)) != bool(_NEGATION.search(clause)):
        return False
    return all(word in fact.lower().split() for word in _turning(clause))


def _turning(clause: str) -> list[str]:
    return [word for word in clause.lower().split() if word in _TURNING]


def _telling(text: str, *, courteous: bool = False) -> frozenset[str]:
    """Return the words that state something: numbers, and all but small and courteous words."""
    words = [word for word in _WORD.findall(text.lower()) if len(word) > 2 or word.isdigit()]
    stems = frozenset(_stem(word) for word in words if word not in _SMALL)
    return stems if courteous else stems - _COURTESY


def _stem(word: str) -> str:
    return plain_number(word) if any(letter.isdigit() for letter in word) else word[:5]
