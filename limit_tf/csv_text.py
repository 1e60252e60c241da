"""Texts in CSV files that spreadsheets do not take for formulas.

A cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return is a
formula for some programs, which run it when the file is opened. Such a text is
written with an apostrophe before it, as OWASP advises; so is one that begins
with apostrophes and then one of these, so that reading gives every text back.
Numbers stay as they are.

References:
    - [OWASP](https://owasp.org/www-community/attacks/CSV_Injection)
"""

import re

_MARK = "'"
_FORMULA = re.compile("'*[=+\\-@\t\r]")
_ESCAPED = re.compile("'+[=+\\-@\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-](inf|nan)")


def escaped(value: object) -> object:
    """Returns a value as a cell may hold it.

    Args:
        value: A text, or anything else, which is returned as it is.

    Returns:
        The text, with an apostrophe before it if it may be a formula. Texts
        that are numbers, such as `-1.5`, are none.
    """
    if not isinstance(value, str) or not _FORMULA.match(value):
        return value
    return value if _NUMBER.fullmatch(value) else _MARK + value


def unescaped(text: str) -> str:
    """Returns the text that `escaped` wrote; any other as it is."""
    return text[1:] if _ESCAPED.match(text) else text
