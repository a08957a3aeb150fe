"""unverified-webhook: compare a signature in constant time, where the module already imports `hmac`."""

from __future__ import annotations

import re

import libcst as cst

from flowaudit.scanner.patches.edits import Edit, code, slice_of
from flowaudit.scanner.rule import Finding

RULES = ("unverified-webhook",)
_IMPORTS = re.compile(r"^import hmac\b", re.MULTILINE)


def edits(finding: Finding, text: str) -> list[Edit]:
    """`a == b` becomes `hmac.compare_digest(a, b)`, `a != b` its negation; only a comparison that stands alone in the finding's place."""
    if not finding.key.endswith("|timing") or not _IMPORTS.search(text):
        return []
    try:
        node = cst.parse_expression(slice_of(text, finding.at.start, finding.at.end))
    except (cst.ParserSyntaxError, RecursionError, ValueError):
        return []
    if not isinstance(node, cst.Comparison) or len(node.comparisons) != 1:
        return []
    operator, other = node.comparisons[0].operator, node.comparisons[0].comparator
    if not isinstance(operator, cst.Equal | cst.NotEqual) or node.lpar:
        return []
    new = f"hmac.compare_digest({code(node.left)}, {code(other)})"
    return [Edit(finding.at.start, finding.at.end, f"not {new}" if isinstance(operator, cst.NotEqual) else new)]
