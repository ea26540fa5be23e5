# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""Reads the tables that spreadsheets and other programs export, and writes
the rows that are rejected beside them."""

import csv
import io
import re
from collections import Counter
from pathlib import Path

from . import encoding

DELIMITERS = ';,\t|'
# The files that are taken for tables, by how they begin
FORMATS = {
    "a workbook": (b'PK\x03\x04', b'\xd0\xcf\x11\xe0'),
    "a web page or XML": (b'<',),
    "a PDF document": (b'%PDF',),
    "a text with its layout (RTF)": (b'{\\rtf',),
    "JSON": (b'{', b'[{', b'[[', b'[\n', b'[\r'),
    "a compressed file": (b'\x1f\x8b', b'BZh', b'7z\xbc\xaf', b'Rar!'),
    "a picture": (b'\x89PNG', b'\xff\xd8\xff', b'GIF8'),
    "an address book": (b'BEGIN:VCARD',),
    }
# Columns of the file of errors: such a file can be imported once corrected
ERROR_COLUMNS = ['line', 'column', 'reason']
FORMULA = re.compile(r'\s*[=+@-]')
# What Windows puts around what is copied, which shows no other text
AROUND = ' \t\r\n\xa0\u200e\u202a\u202c\u202d\u2066\u2067\u2068\u2069'
# The bullet that Word writes in the font Symbol
WORD_BULLET, BULLET = '\uf0b7', '•'
EXCEL_TEXT = re.compile(r'="(.*)"', re.S)


class FormatError(Exception):
    "The file as a whole can not be read"


class Rejected(Exception):
    "A row that can not be imported, with the column to look at"

    def __init__(self, reason, column=''):
        super().__init__(reason)
        self.reason = reason
        self.column = column


class Row:
    __slots__ = ('line', 'raw', 'cells', 'values', 'also')

    def __init__(self, line, raw, cells):
        self.line = line
        self.raw = raw
        self.cells = cells
        self.values = {}
        # What changes with the row and with others, by key
        self.also = {}

    def __getitem__(self, name):
        return self.values.get(name)


class Rows:
    "The rows under a header"
    unit = 'rows'

    def __init__(self, header=None):
        self.header = header
        self.rows = []
        self.too_long = []

    def add(self, line, raw):
        cells = {
            name: clean(cell) for name, cell in zip(self.header, raw)
            if name and name not in ERROR_COLUMNS}
        row = Row(line, raw, cells)
        self.rows.append(row)
        if any(cell.strip() for cell in raw[len(self.header):]):
            self.too_long.append(row)


class Table(Rows):
    "The header and the rows of a CSV file"

    def __init__(self, path, columns, required):
        super().__init__()
        self.path = Path(path)
        text = read_text(self.path)
        self.delimiter, text, self.first_line = detect_delimiter(text)
        self._read(text, columns, required)

    def _read(self, text, columns, required):
        reader = csv.reader(
            io.StringIO(text, newline=''), delimiter=self.delimiter,
            strict=True)
        line = self.first_line
        try:
            for raw in reader:
                if any(cell.strip() for cell in raw):
                    if self.header is None:
                        self.header = check_header(raw, columns, required)
                    else:
                        self.add(line, raw)
                line = self.first_line + reader.line_num
        except csv.Error as exc:
            raise FormatError(
                f"line {line}: {exc}. Look for a quote that is not closed "
                "or not doubled inside a cell.") from exc
        if self.header is None:
            raise FormatError(
                "the file is empty: its first line must name the columns, "
                f"among {';'.join(columns)}")


def read_text(path):
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise FormatError(f"{exc.strerror}.") from exc
    if content.startswith(b'BEGIN:VCALENDAR'):
        raise FormatError(
            "this is a calendar: only the sessions are imported from one.")
    for format_, signatures in FORMATS.items():
        if content.lstrip(b'\xef\xbb\xbf \t\r\n').startswith(signatures):
            raise FormatError(
                f"this is {format_}: save it as CSV from the spreadsheet.")
    text = decode(content)
    if '\0' in text:
        raise FormatError("this is not a text file: save it as CSV.")
    return text


def decode(content):
    try:
        return encoding.decode(content)
    except encoding.EncodingError as exc:
        raise FormatError(
            f"{exc}: save it as CSV UTF-8 from the spreadsheet.") from exc


def detect_delimiter(text):
    "Return the delimiter, the text without 'sep=' and its first line number"
    first, _, rest = text.partition('\n')
    if match := re.fullmatch(r'"?sep=(.)"?\s*', first, re.I):
        return match[1], rest, 2
    lines = (line for line in text.splitlines() if line.strip(' ;,\t|'))
    header = re.sub(r'"[^"]*"', '', next(lines, ''))
    delimiter = max(DELIMITERS, key=header.count)
    return delimiter, text, 1


def check_header(raw, columns, required):
    header = [name.strip().lower() for name in raw]
    while header and not header[-1]:
        header.pop()
    problems = {
        "unknown columns": [
            shorten(raw[i]) or f"(without name, number {i + 1})"
            for i, name in enumerate(header)
            if name not in columns and name not in ERROR_COLUMNS],
        "columns named twice": [
            n for n, count in Counter(header).items() if n and count > 1],
        "missing columns": [
            ' or '.join(' and '.join(a) for a in names) for names in required
            if not any(set(a) <= set(header) for a in names)],
        }
    if len(header) == 1 and problems["unknown columns"]:
        raise FormatError(
            "its first line must name the columns, separated by semicolons, "
            f"among {';'.join(columns)}.")
    if any(problems.values()):
        problems = '; '.join(
            f"{problem}: {', '.join(names)}"
            for problem, names in problems.items() if names)
        raise FormatError(
            f"{problems}. The columns are {';'.join(columns)}.")
    return header


def shorten(text, length=50):
    "The beginning of the text, to show in a message"
    text = ' '.join(text.split())
    return text if len(text) <= length else f'{text[:length]}…'


def mend(cell):
    "The cell without what Windows and Word add to what is copied"
    return cell.strip().strip(AROUND).replace(WORD_BULLET, BULLET)


def clean(cell):
    "The text of a cell without what spreadsheets add to keep it as text"
    cell = re.sub('[\xa0\u2009\u202f]', ' ', mend(cell))
    if match := EXCEL_TEXT.fullmatch(cell):
        return match[1].strip()
    if cell.startswith("'") and FORMULA.match(cell[1:]):
        return cell[1:].strip()
    return cell


def _inert(cell):
    "A cell that a spreadsheet does not compute"
    return f"'{cell}" if FORMULA.match(cell) else cell


class Errors:
    "The rejected rows, written to FILE.errors.csv"

    def __init__(self, table):
        self.table = table
        self.path = table.path.with_name(table.path.name + '.errors.csv')
        self._rejected = {}

    def __len__(self):
        return len(self._rejected)

    def __contains__(self, row):
        return row.line in self._rejected

    def add(self, row, reason, column=''):
        _, problems = self._rejected.setdefault(row.line, (row, []))
        if (column, reason) not in problems:
            problems.append((column, reason))

    def reasons(self):
        "The line, the reason and the column of each problem"
        for line, (_, problems) in sorted(self._rejected.items()):
            for column, reason in problems:
                yield line, reason, column

    def lines(self):
        "What is wrong, one line by problem"
        for line, reason, column in self.reasons():
            yield f"line {line}, {column or 'row'}: {reason}"

    def write(self):
        self.path.unlink(missing_ok=True)
        if not self._rejected:
            return
        with open(
                self.path, 'w', encoding='utf-8-sig', newline='') as output:
            writer = csv.writer(
                output, delimiter=self.table.delimiter, lineterminator='\n')
            names = [
                (i, name) for i, name in enumerate(self.table.header)
                if name and name not in ERROR_COLUMNS]
            writer.writerow(ERROR_COLUMNS + [name for _, name in names])
            for line, (row, problems) in sorted(self._rejected.items()):
                writer.writerow([
                        line if line > 0 else '',
                        ', '.join(dict.fromkeys(c for c, _ in problems if c)),
                        ' '.join(reason for _, reason in problems),
                        ] + [
                        _inert(row.raw[i]) if i < len(row.raw) else ''
                        for i, _ in names])
