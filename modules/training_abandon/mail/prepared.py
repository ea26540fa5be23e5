# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Queries that are executed again and again"


class Parameter(str):
    "The name of a value that a prepared query is given"


class Prepared:
    """A query of which only the values change

    It takes longer to make the text of a query than to execute it."""

    def __init__(self, query):
        self._text, self._parameters = tuple(query)

    def execute(self, cursor, **values):
        cursor.execute(self._text, [
                values[p] if isinstance(p, Parameter) else p
                for p in self._parameters])
