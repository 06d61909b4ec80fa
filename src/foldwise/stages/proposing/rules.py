"""What a competition's text forbids, clause by clause: `no X`, `X is not allowed`, `without X`."""

from __future__ import annotations

import re

#: Things that rules speak of.
PRETRAINED = r"pre-?trained"
EXTERNAL = r"(?:external|additional|extra|outside) (?:training )?(?:data(?:sets?)?|images)"

_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n\s*(?=[-*#|>\n])|\n\n+")
_CLAUSE = re.compile(r"[,;:()]+|\b(?:but|while|whereas|however|although|though)\b")
_NO = r"(?:not|n't|never|cannot)"
_DENIED = r"(?:allowed|permitted|used|accepted|eligible|an option)"
_BANNED = rf"(?:forbidden|prohibited|banned|disallowed|off-limits|{_NO} (?:be )?{_DENIED})"
#: `no restrictions on X`, `X is not forbidden`, `no X is needed`: nothing is taken away.
_FREE = re.compile(
    r"\b(?:no|not any|without(?: any)?) (?:[\w-]+ ){0,2}"
    r"(?:restrict\w*|limit\w*|rules?|bans?|constraints?|prohibitions?)\b"
    rf"|{_NO} (?:be )?(?:explicitly )?(?:forbidden|prohibited|banned|disallowed|restricted|limited)"
    r"|\b(?:needed|required|necessary|provided|included|supplied|shipped)\b"
)
_MUST = re.compile(
    r"\b(?:must|should|shall|may only|have to|has to|required to|only)\b"
    r"|^\W*(?:please )?(?:train|work|solve|build|do)\b"
)
_VERB = re.compile(
    r"\b(?:is|are|was|were|be|may|can|must|shall|should|will|do|does|have|has|help\w*|give\w*|"
    r"allow\w*|permit\w*|forbid\w*|prohibit\w*|banned|use|used|using)\b|n't\b"
)

_NEGATION = re.compile(r"\b(?:no|not|without)\b")


def ban_on(what: str, text: str) -> str | None:
    """The words that forbid something, or None.

    Args:
        what: pattern of the thing, such as `PRETRAINED`.
        text: lower case.

    >>> ban_on(PRETRAINED, "pretrained models are allowed, external data is not allowed.")
    >>> ban_on(EXTERNAL, "pretrained models are allowed, external data is not allowed.")
    'external data is not allowed'
    """
    for sentence in _SENTENCE.split(re.sub(r"\b([ei])\.([ge])\.", r"\1\2", text)):
        for clause in _clauses(sentence):
            found = None if _FREE.search(clause) else _ban(what, clause, sentence)
            if found is not None:
                return " ".join(found.split())
    return None


def _clauses(sentence: str) -> list[str]:
    """Clauses that say something; names in a list go with the verb that follows."""
    clauses: list[str] = []
    waiting = ""
    for part in _CLAUSE.split(" ".join(sentence.split())):
        clause = f"{waiting} {part.strip()}".strip()
        is_head = not waiting and re.fullmatch(_BANNED, clause)
        if is_head or not (_VERB.search(part) or _NEGATION.search(part)):
            waiting = clause
        else:
            clauses.append(clause)
            waiting = ""
    return [*clauses, waiting]


def _ban(what: str, clause: str, sentence: str) -> str | None:
    few = r"(?:[\w-]+ ){0,3}"
    patterns = [
        rf"\bno {few}{what}",
        rf"\b(?:forbid\w*|prohibit\w*|ban|bans|banned|disallow\w*) {few}{what}",
        rf"{_NO} (?:be )?(?:use|using|allow\w*|permit\w*) {few}{what}",
        rf"{what}.*?{_BANNED}\b",
        rf"{what}(?: \w+)? no\b",
        rf"^not {few}{what}",
    ]
    for pattern in patterns:
        if found := re.search(pattern, clause):
            return found[0]
    without = re.search(rf"\bwithout {few}{what}", clause)
    return without[0] if without and _MUST.search(sentence.strip()) else None
