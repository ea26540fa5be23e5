# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""The language of the letters: names, conditions and lists, nothing that runs

The letters are Genshi text templates of which all the expressions are names
of the palette, texts, numbers, comparisons of them and the FUNCTIONS."""
import ast
import math
import re
from difflib import get_close_matches

from genshi.template.base import EXPR, SUB
from genshi.template.directives import ForDirective, IfDirective
from genshi.template.text import OldTextTemplate

from trytond.i18n import gettext

# How deep conditions and lists may stand in each other
NESTING = 2
# The most characters that a letter has, before and after it is written
SOURCE_SIZE = 20_000
SIZE = 100_000

# How a letter may write a name of its palette
FUNCTIONS = {
    'capitalize': str.capitalize,
    'join': ', '.join,
    'lower': str.lower,
    'several': lambda values: len(values) > 1,
    'upper': str.upper,
    }
# Those that are for the lists
LIST_FUNCTIONS = {'join', 'several'}

_NODES = (
    ast.Expression, ast.Name, ast.Load, ast.Constant, ast.Compare, ast.cmpop,
    ast.BoolOp, ast.boolop, ast.UnaryOp, ast.Not, ast.Call)
# An expression of a letter: between braces, or the condition of a directive
_EXPRESSION_RE = re.compile(r'(?<=\$\{)[^{}]+(?=\})|(?<=#if )[^\n]+')
# What other languages of templates read and this one writes as it is
_OTHER_RE = re.compile(r'\{[%{#][^\n]{0,40}|\$\{\s*\}')


class TemplateError(ValueError):
    "What a letter says that it may not"

    def __init__(self, message_id, **variables):
        super().__init__(message_id, variables)
        self.message_id = message_id
        self.variables = variables

    def __str__(self):
        variables = self.variables.copy()
        for name in {'names', 'missing'} & variables.keys():
            variables[name] = ', '.join(map(describe, variables[name]))
        return gettext(f'training_abandon.{self.message_id}', **variables)


def label(name):
    "Return what a name of the letters tells, in the language of the user"
    try:
        return gettext(f'training_abandon.msg_letter_name_{name}')
    except KeyError:
        # A name of another module
        return ''


def describe(name):
    words = label(name)
    return f'{name} ({words})' if words else name


def likely(name, palette):
    "Return the names of the palette that were meant, or else all of them"
    labels = {label(n).lower(): n for n in palette if label(n)}
    close = get_close_matches(name.lower(), [*palette, *labels], n=3)
    return list(dict.fromkeys(
            labels.get(c, c) for c in close)) or sorted(palette)


class LetterTemplate(OldTextTemplate):
    """The template of a subject or of a text

    palette tells by name if it is a list."""
    directives = [('for', ForDirective), ('if', IfDirective)]

    def __init__(self, source, palette):
        if len(source) > SOURCE_SIZE:
            raise TemplateError('msg_letter_size', size=SOURCE_SIZE)
        self._check_directives(source)
        try:
            super().__init__(source)
        except Exception as exception:
            self._check_syntax(source)
            begin = source.rfind('${')
            line = max(getattr(exception, 'lineno', 1), 1)
            if '}' not in source[begin:]:
                line = source.count('\n', 0, max(begin, 0)) + 1
            raise TemplateError(
                'msg_letter_syntax', line=line) from exception
        self._letter, self._read, self._lines = source, 0, {}
        self.names = set()
        self._check(self._stream, palette, NESTING)

    def _check_syntax(self, source):
        "Check that each expression can be read"
        for match in _EXPRESSION_RE.finditer(source):
            self._expression(
                match[0], source.count('\n', 0, match.start()) + 1)

    @staticmethod
    def _expression(expression, line):
        try:
            return ast.parse(expression.strip(), mode='eval')
        except (MemoryError, RecursionError, SyntaxError, ValueError) as error:
            raise TemplateError(
                'msg_letter_expression', line=line,
                expression=expression.strip()[:80]) from error

    def check_other(self):
        """Check that nothing is of another language

        It leaves as it is written, and is in letters of before."""
        if found := _OTHER_RE.search(self._letter):
            raise TemplateError(
                'msg_letter_other', expression=found[0],
                line=self._letter.count('\n', 0, found.start()) + 1)

    def _check_directives(self, source):
        "Check that there are conditions and lists only, each with its end"
        opened = []
        for match in self._DIRECTIVE_RE.finditer(source):
            line = source.count('\n', 0, match.start()) + 1
            if match[1]:
                if not opened:
                    raise TemplateError('msg_letter_end', line=line)
                opened.pop()
            elif not match[2].startswith('#'):
                command = match[2].split()[0]
                if command not in dict(self.directives):
                    raise TemplateError(
                        'msg_letter_directive', line=line, name=command)
                opened.append(line)
        if opened:
            raise TemplateError('msg_letter_no_end', line=opened[-1])

    def _check(self, stream, palette, depth):
        for kind, data, _ in stream:
            if kind is EXPR:
                self._check_expression(
                    data.source, palette, self._line_of(data.source))
            elif kind is SUB:
                (_, cls, value, _, (_, next_line, _)), = data[0]
                line = next_line - 1
                if not depth:
                    raise TemplateError(
                        'msg_letter_nesting', line=line, number=NESTING)
                names = palette
                if cls is ForDirective:
                    names = self._check_for(value or '', palette, line)
                else:
                    self._check_expression(value or '', palette, line)
                self._check(data[1], names, depth - 1)

    def _line_of(self, expression):
        "Return the line of the next expression: Genshi gives the one before"
        found = re.compile(r'\$\{?\s*' + re.escape(expression)).search(
            self._letter, self._read)
        if found:
            self._read = found.end()
        return self._letter.count('\n', 0, self._read) + 1

    def _check_for(self, value, palette, line):
        "Return the palette with the name of the item of the list"
        item, _, name = (part.strip() for part in value.partition(' in '))
        if (not item.isidentifier() or item in FUNCTIONS
                or not palette.get(name)):
            raise TemplateError(
                'msg_letter_for', line=line,
                names=sorted(n for n in palette if palette[n]))
        self.names.add(name)
        return {**palette, item: False}

    def _check_expression(self, source, palette, line):
        tree = self._expression(source, line)
        self._lines.setdefault(source.strip(), line)
        known = {
            *palette, *(n.func.id for n in ast.walk(tree)
                if isinstance(n, ast.Call) and isinstance(n.func, ast.Name))}
        for node in ast.walk(tree):
            if not isinstance(node, _NODES) or not _is_plain(node):
                raise TemplateError(
                    'msg_letter_expression', line=line,
                    expression=source.strip())
            if isinstance(node, ast.Call):
                self._check_call(node, source, palette, line)
            elif isinstance(node, ast.Name):
                if node.id not in known:
                    raise TemplateError(
                        'msg_letter_name', line=line, name=node.id,
                        names=likely(node.id, palette))
                if node.id in palette:
                    self.names.add(node.id)

    def _check_call(self, node, source, palette, line):
        "Check that a function of ours is given one name of its kind"
        name = node.args[0].id if (
            len(node.args) == 1 and isinstance(node.args[0], ast.Name)
            and not node.keywords) else None
        function = node.func.id if isinstance(node.func, ast.Name) else None
        if (function not in FUNCTIONS or name not in palette
                or palette[name] != (function in LIST_FUNCTIONS)):
            raise TemplateError(
                'msg_letter_function', line=line,
                expression=source.strip(),
                functions=', '.join(sorted(FUNCTIONS)))

    def render(self, context):
        "Return the text with the values of the context"
        parts, size = [], 0
        try:
            for part in self.generate(
                    **FUNCTIONS, **context).serialize('text'):
                size += len(part)
                if size > SIZE:
                    raise TemplateError('msg_letter_size', size=SIZE)
                parts.append(part)
        except TypeError as exception:
            _, expression = place_of(exception)
            raise TemplateError(
                'msg_letter_compare', line=self._lines.get(expression, 1),
                expression=expression) from exception
        return ''.join(parts)


def _is_plain(node):
    "Return if what the expression has as a constant is a text or a number"
    return not isinstance(node, ast.Constant) or (
        node.value is None or isinstance(node.value, (int, str))
        or isinstance(node.value, float) and math.isfinite(node.value))


def place_of(exception):
    "Return the line and the expression of the template that raises"
    line = max(getattr(exception, 'lineno', None) or 1, 1)
    expression, traceback = '', exception.__traceback__
    while traceback:
        name = traceback.tb_frame.f_code.co_name
        if name.startswith('<Expression '):
            source = ast.literal_eval(name[len('<Expression '):-1])
            expression = source.strip()
            # The directives hold the end of their line
            line = traceback.tb_lineno - source.count('\n')
        traceback = traceback.tb_next
    return line, expression


_FOR_RE = re.compile(
    r'^#for +(\w+) +in +(\w+)[^\n]*\n((?:(?!#).*\n)*)#end[^\n]*\n?', re.M)
_DIRECTIVE_LINE_RE = re.compile(r'^#(?:if|for|end)\b[^\n]*\n?', re.M)
_NAME_RE = re.compile(r'\$(?:\{\s*(\w+)\s*\}|(\w+))')
# What no letter says
UNFINISHED_RE = re.compile(r'\$\{[^}\n]*\}?')


def draft(source, get_value):
    """Return the source of a letter that cannot be written with the values
    that are known, to be ended by a person.

    get_value returns the value of a name or None."""
    def for_(match):
        item, name, body = match.groups()
        values = get_value(name)
        if not isinstance(values, list):
            return body
        return ''.join(
            _NAME_RE.sub(
                lambda m: value if item in m.groups() else m[0], body)
            for value in values)

    def name_(match):
        value = get_value(match[1] or match[2])
        if isinstance(value, list):
            value = ', '.join(value)
        return match[0] if value is None else str(value)

    text = _DIRECTIVE_LINE_RE.sub('', _FOR_RE.sub(for_, source))
    return _NAME_RE.sub(name_, text)


class _Modernise(ast.NodeTransformer):

    def visit_Call(self, node):
        method = node.func
        if not isinstance(method, ast.Attribute) or node.keywords:
            return node
        if (method.attr == 'join' and len(node.args) == 1
                and isinstance(method.value, ast.Constant)):
            name, = node.args
        elif method.attr in FUNCTIONS and not node.args:
            name = method.value
        else:
            return node
        return ast.Call(ast.Name(method.attr, ast.Load()), [name], [])


def modernise(source):
    """Return the source of a letter with the methods that it could call as
    the functions that say the same"""
    def replace(match):
        try:
            tree = ast.parse(match[0].strip(), mode='eval')
        except SyntaxError:
            return match[0]
        old = ast.unparse(tree)
        new = ast.unparse(_Modernise().visit(tree))
        return match[0] if new == old else new
    return _EXPRESSION_RE.sub(replace, source)
