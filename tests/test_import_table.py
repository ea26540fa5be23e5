# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What scripts/import_training.py accepts as tables and cells"

import datetime as dt
import tempfile
import unittest
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from trytond.modules.training_abandon.scripts.importing import cells
from trytond.modules.training_abandon.scripts.importing.table import (
    Errors, FormatError, Rejected, Table)

COLUMNS = ['code', 'name', 'phone']
REQUIRED = [[['code']], [['name']]]
NAMES = [
    "Zoé Étampes", "René", "Ève", "Mission locale d’Évry", "NOËL", "BENOÎT",
    "CŒUR", "Cœur", "Sánchez", "Núñez", "João", "Müller", "Gaëlle", "HÉLÈNE",
    "INÈS", "François", "FRANÇOIS", "Agnès", "Citroën", "école", "Élodie",
    "Œuvre sociale", "Aïcha", "Jérôme", "Chloé", "Maël", "à voir", "n° 12",
    "1 450,50 €", "déjà vu", "Forêt", "Bâtiment", "MARCHÉ « À »", "Hôtel",
    "Île-de-France", "Mañana", "Dupont"]


class TableTestCase(unittest.TestCase):
    "Test the reading of tables"

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name) / 'table.csv'

    def read(self, content, name=None, required=REQUIRED):
        if isinstance(content, str):
            content = content.encode('utf-8')
        path = self.path.with_name(name) if name else self.path
        path.write_bytes(content)
        return Table(path, COLUMNS, required)

    def rows(self, content):
        return [row.cells for row in self.read(content).rows]

    def test_encodings(self):
        text = "code;name\n1;Éloïse œuvre 1 €\n"
        for encoding in ['utf-8', 'utf-8-sig', 'cp1252', 'utf-16']:
            with self.subTest(encoding=encoding):
                self.assertEqual(
                    self.rows(text.encode(encoding)),
                    [{'code': '1', 'name': "Éloïse œuvre 1 €"}])

    def written(self, encoding, names=NAMES):
        "Return the names that the encoding can write, and the table of them"
        kept = [
            name for name in names
            if name.encode(encoding, 'ignore').decode(encoding) == name]
        return kept, 'code;name\n{}'.format(''.join(
                f'{i};{n}\n' for i, n in enumerate(kept))).encode(encoding)

    def test_old_encodings(self):
        "The tables of Excel for Mac and of DOS are read"
        for encoding in ['cp1252', 'mac_roman', 'cp850', 'iso8859-15']:
            with self.subTest(encoding=encoding):
                names, content = self.written(encoding)
                self.assertGreater(len(names), len(NAMES) - 7)
                self.assertEqual(
                    [row['name'] for row in self.rows(content)], names)
        for names in [
                ["Zoé Étampes", "Mission locale d’Évry"], ["René"],
                ["Chloé", "Loïc"], ["HÉLÈNE"]]:
            content = self.written('mac_roman', names)[1]
            self.assertEqual(
                [row['name'] for row in self.rows(content)], names)

    @given(
        st.lists(st.sampled_from(NAMES), min_size=1, max_size=6),
        st.sampled_from([
                'utf-8', 'cp1252', 'mac_roman', 'cp850', 'iso8859-15']),
        st.binary(max_size=2))
    @settings(max_examples=300, deadline=None, derandomize=True)
    def test_never_garbled(self, names, encoding, noise):
        "What is not sure is refused, as a table or as a cell"
        names, content = self.written(encoding, names)
        try:
            rows = self.rows(content)
        except FormatError:
            rows = []
        for row, name in zip(rows, names):
            try:
                cells.check_text(row['name'])
            except Rejected:
                continue
            self.assertEqual(row['name'], name)
        # Any bytes are read or refused
        try:
            self.read(b'code;name\n1;' + noise + content)
        except FormatError:
            pass

    def test_mixed_encodings(self):
        "The cells of another encoding are refused, not the others"
        for encoding, other in [
                ('utf-8', 'cp1252'), ('utf-8-sig', 'cp1252'),
                ('cp1252', 'mac_roman'), ('mac_roman', 'cp1252')]:
            with self.subTest(encoding=encoding, other=other):
                names = ["Zoé", "Jérôme", "René", "Chloé", "Agnès"]
                content = 'code;name\n'.encode(encoding) + b''.join(
                    f'{i};{name}\n'.encode(
                        other if name == "René" else
                        encoding.removesuffix('-sig'))
                    for i, name in enumerate(names))
                found = [row['name'] for row in self.rows(content)]
                self.assertEqual(found[:2] + found[3:], names[:2] + names[3:])
                with self.assertRaisesRegex(Rejected, r"U\+FFFD"):
                    cells.check_text(found[2])

    def test_valid_by_chance(self):
        "The apostrophe of Mac Roman and a capital are not a letter"
        rows = self.rows(
            'code;name\n1;'.encode() + "d’Évry".encode('mac_roman')
            + '\n2;Côté\n3;5 μm\n'.encode())
        with self.assertRaisesRegex(Rejected, r"U\+FFFD"):
            cells.check_text(rows[0]['name'])
        self.assertEqual([r['name'] for r in rows[1:]], ["Côté", "5 μm"])

    def test_delimiters(self):
        for delimiter in [';', ',', '\t', '|']:
            with self.subTest(delimiter=delimiter):
                self.assertEqual(
                    self.rows(delimiter.join(['code', 'name']) + '\n'
                        + delimiter.join(['1', '"a;b,c"']) + '\n'),
                    [{'code': '1', 'name': 'a;b,c'}])

    def test_excel_habits(self):
        self.assertEqual(
            self.rows(
                'sep=;\r\n'
                ' Code ;NAME;phone;;\r\n'
                '="007";"say ""hi""";\'+33\u202f1;;\r\n'
                ';;;;\r\n'
                '\r\n'
                '8;"two\r\nlines"\r\n'),
            [
                {'code': '007', 'name': 'say "hi"', 'phone': '+33 1'},
                {'code': '8', 'name': "two\r\nlines"},
                ])

    def test_copied(self):
        "What Windows and Word add to what is copied is not read"
        row, other = self.rows(
            'code;name\n\u202aa@b.example\u202c;\uf0b7 one\n'
            '1;Zo\u202e\n')
        self.assertEqual(row, {'code': 'a@b.example', 'name': '• one'})
        with self.assertRaises(Rejected):
            cells.check_text(other['name'])

    def test_lines(self):
        table = self.read('sep=;\ncode;name\n\n1;"a\nb"\n2;c\n')
        self.assertEqual([row.line for row in table.rows], [4, 6])

    def test_too_long(self):
        table = self.read('code;name\n1;a;b\n2;c;\n')
        self.assertEqual(table.too_long, table.rows[:1])

    def test_wrong_headers(self):
        for content, reason in [
                ('', "the file is empty"),
                ('code;nom\n', "unknown columns: nom"),
                ('code;;name\n', "without name, number 2"),
                ('code;phone\n', "missing columns: name"),
                ('code;name;code\n', "columns named twice: code"),
                ('1;Paul\n', "unknown columns: 1, Paul; "
                    "missing columns: code, name"),
                ('code;nom\n', "unknown columns: nom; "
                    "missing columns: name"),
                ('code,name\n1,"' + 'a' * 200000 + '"\n', "line 2"),
                ('code;name\n1;a\0b\n', "not a text file"),
                ('code;name\n1;a\0b\n'.encode('utf-16'), "not a text file"),
                ('code;name\n'.encode('utf-16-le'), "not a text file"),
                (b'\xff\xfec', "not valid UTF-16"),
                (b'\xef\xbb\xbf', "the file is empty"),
                (' \n;;\n', "the file is empty"),
                ('code;name\n1;"a\n', "line 2"),
                ('code;name\n1;"a"b\n', "line 2"),
                (b'PK\x03\x04', "workbook"),
                (b'<!DOCTYPE html><html>', "a web page"),
                (b'\xef\xbb\xbf\n<?xml version="1.0"?>', "a web page"),
                (b'%PDF-1.4', "a PDF"),
                (b'{"code": 1}', "this is JSON"),
                (b'[{"code": 1}]', "this is JSON"),
                (b'{\\rtf1', "RTF"),
                (b'BEGIN:VCARD', "an address book"),
                ('Code name\n1 Paul\n', "its first line must name"),
                ('code/name\n', "its first line must name"),
                ('code;name\n1;école\n'.encode('mac_roman'),
                    "accents are written is not sure"),
                (b'co\0de;name\n', "not a text file"),
                (b'BEGIN:VCALENDAR\n', "this is a calendar")]:
            with self.subTest(content=content):
                with self.assertRaisesRegex(FormatError, reason):
                    self.read(content)

    def test_not_readable(self):
        with self.assertRaisesRegex(FormatError, "No such file"):
            Table(self.path, COLUMNS, REQUIRED)
        with self.assertRaisesRegex(FormatError, "Is a directory"):
            Table(self.path.parent, COLUMNS, REQUIRED)
        with patch.object(
                Path, 'read_bytes',
                side_effect=PermissionError(13, "Permission denied")):
            with self.assertRaisesRegex(FormatError, "Permission denied"):
                Table(self.path, COLUMNS, REQUIRED)

    def test_calendar(self):
        with self.assertRaisesRegex(FormatError, "this is a calendar"):
            self.read('BEGIN:VCALENDAR\nVERSION:2.0\n')

    def test_errors_can_be_imported(self):
        table = self.read(
            'code;name;phone\n1;=A1;+33 1\n2;b;c\n-1;@x;"\t=1"\n')
        errors = Errors(table)
        errors.add(table.rows[0], "It is a formula.", 'name')
        errors.add(table.rows[0], "It is wrong.")
        errors.add(table.rows[2], "They are wrong.", 'code')
        errors.write()

        content = errors.path.read_text('utf-8-sig')
        self.assertEqual(
            content,
            "line;column;reason;code;name;phone\n"
            "2;name;It is a formula. It is wrong.;1;'=A1;'+33 1\n"
            "4;code;They are wrong.;'-1;'@x;'\t=1\n")
        again = Table(errors.path, COLUMNS, REQUIRED)
        self.assertEqual(
            [row.cells for row in again.rows],
            [
                {'code': '1', 'name': '=A1', 'phone': '+33 1'},
                {'code': '-1', 'name': '@x', 'phone': '=1'},
                ])
        self.assertEqual(list(errors.lines()), [
                "line 2, name: It is a formula.",
                "line 2, row: It is wrong.",
                "line 4, code: They are wrong.",
                ])

    def test_no_error_removes_file(self):
        table = self.read('code;name\n1;a\n')
        errors = Errors(table)
        errors.path.write_text("of another time")
        errors.write()
        self.assertFalse(errors.path.exists())


class CellTestCase(unittest.TestCase):
    "Test the conversion of cells"

    def test_accepted(self):
        for convert, cell, value in [
                (cells.label, "D'Arcy-N'Guyen", "D'Arcy-N'Guyen"),
                (cells.label, "two \n  words", "two words"),
                (cells.text, '=1+1', '=1+1'),
                (cells.text, "-\r\n@a", "- @a"),
                (cells.code, '-1', '-1'),
                (cells.email, 'a.b+c@d.example.org', 'a.b+c@d.example.org'),
                (cells.phone, '+33 (0)6.39-98 12 34', '+33 (0)6.39-98 12 34'),
                (cells.siret, '732 829 320 00074', '73282932000074'),
                (cells.siret, '35600000049837', '35600000049837'),
                (cells.date, '2026-02-01', dt.date(2026, 2, 1)),
                (cells.date, '01/02/2026', dt.date(2026, 2, 1)),
                (cells.date, '2026-02-01 00:00:00', dt.date(2026, 2, 1)),
                (cells.time, '9:05', dt.time(9, 5)),
                (cells.time, '09h30', dt.time(9, 30)),
                (cells.time, '14h', dt.time(14, 0)),
                (cells.percentage, '30', Decimal('0.3')),
                (cells.percentage, '12,5 %', Decimal('0.125')),
                (cells.percentage, '0,5 %', Decimal('0.005')),
                (cells.price, '1 234,5', Decimal('1234.50')),
                (cells.price, '1.234,50 €', Decimal('1234.50')),
                (cells.price, '1234.5', Decimal('1234.50')),
                (cells.price, '1\u202f234,5', Decimal('1234.50')),
                (cells.price, "1'234.50", Decimal('1234.50')),
                (cells.price, '1,234.50', Decimal('1234.50')),
                (cells.price, '1.234.567', Decimal('1234567.00')),
                (cells.price, '0.500', Decimal('0.50')),
                (cells.price, '1 500.000', Decimal('1500.00')),
                (cells.price, '1500', Decimal('1500.00')),
                (cells.price, '12 EUR', Decimal('12.00')),
                (cells.time, '9 h 00', dt.time(9)),
                (cells.time, '12 h 30', dt.time(12, 30)),
                (cells.time, '09:00:00', dt.time(9)),
                (cells.hours, '03:30:00', dt.timedelta(hours=3, minutes=30)),
                (cells.hours, '3 h 30', dt.timedelta(hours=3, minutes=30)),
                (cells.hours, '3h30min', dt.timedelta(hours=3, minutes=30)),
                (cells.hours, '105:00:00', dt.timedelta(hours=105)),
                (cells.hours, '3,33333', dt.timedelta(hours=3, minutes=20)),
                (cells.minutes, '00:15:00', dt.timedelta(minutes=15)),
                (cells.date, '01/01/1990', dt.date(1990, 1, 1)),
                (cells.hours, '7,5', dt.timedelta(hours=7, minutes=30)),
                (cells.hours, '35 h', dt.timedelta(hours=35)),
                (cells.hours, '7:30', dt.timedelta(hours=7, minutes=30)),
                (cells.minutes, '15 min', dt.timedelta(minutes=15)),
                (cells.minutes, '1h05', dt.timedelta(minutes=65)),
                (cells.start, '09:00', dt.time(9)),
                (cells.start, 'Matin', 'morning'),
                (cells.start, 'APRÈS-MIDI', 'afternoon'),
                (cells.start, 'journée', 'day'),
                (cells.start, 'AM', 'am'),
                (cells.start, 'pm', 'pm'),
                (cells.kind, 'Société', 'organisation'),
                (cells.agreement, 'Apprentissage', 'apprenticeship'),
                (cells.trainee_kind, "demandeur d'emploi", 'job_seeker')]:
            with self.subTest(cell=cell):
                self.assertEqual(convert(cell), value)

    def test_rejected(self):
        for convert, cell in [
                (cells.label, '=HYPERLINK("x")'),
                (cells.label, '+1'),
                (cells.label, '#REF!'),
                (cells.code, '=A1'),
                (cells.code, 'a' * 201),
                (cells.label, 'a' * 1001),
                (cells.email, 'a' * 201 + '@a.example.org'),
                (cells.phone, '1' * 201),
                (cells.check_text, 'a\x0bb'),
                (cells.check_text, 'a\uffff'),
                (cells.check_text, 'Zo\x82'),
                (cells.check_text, 'Zo\ufffd'),
                (cells.check_text, 'ZoÃ©'),
                (cells.check_text, 'Lâ€™Évry'),
                (cells.check_text, 'Beno√Æt'),
                (cells.check_text, 'Zoï¿½'),
                (cells.check_text, '5 â‚¬'),
                (cells.check_text, 'Zo\ue000'),
                (cells.check_text, 'Zo\u202e'),
                (cells.date, '3026-09-01'),
                (cells.hours, '3:75'),
                (cells.hours, '0,145833333333333'),
                (cells.time, '٠٩:٠٠'),
                (cells.date, '01/09/0026'),
                (cells.date, '0026-09-01'),
                (cells.date, '31/12/1989'),
                (cells.time, '09:00-12:30'),
                (cells.hours, '3:30:30'),
                (cells.price, '1.500'),
                (cells.price, '1,500'),
                (cells.price, '12,125'),
                (cells.hours, '1.500'),
                (cells.price, '1 5'),
                (cells.price, '1.23.4'),
                (cells.price, '.'),
                (cells.date, '5/1/26'),
                (cells.date, '01.02.26'),
                (cells.start, 'soir'),
                (cells.date, '2026/01/05'),
                (cells.email, 'a@b'),
                (cells.email, 'a@b.org, c@d.org'),
                (cells.phone, 'ask'),
                (cells.siret, '73282932000075'),
                (cells.siret, '732829320'),
                (cells.siret, '7282932000074'),
                (cells.siret, '7,32829E+13'),
                (cells.date, '2026-02-30'),
                (cells.date, '02/13/2026'),
                (cells.date, '45000'),
                (cells.time, '25:00'),
                (cells.time, 'noon'),
                (cells.price, '-1'),
                (cells.price, 'NaN'),
                (cells.price, 'Infinity'),
                (cells.price, '1E400'),
                (cells.price, '1_000'),
                (cells.price, '9' * 30),
                (cells.price, '1.2.3'),
                (cells.hours, '9' * 30),
                (cells.hours, '9' * 30 + ':00'),
                (cells.minutes, '9' * 30),
                (cells.price, '1,234'),
                (cells.status, 'X'),
                (cells.status, '00'),
                (cells.status, 'A15'),
                (cells.status, 'P 15 min'),
                (cells.status, 'R-15'),
                (cells.status, 'R' + '9' * 30),
                (cells.status, 'R' + ':' * 100000),
                (cells.status, '1 234')]:
            with self.subTest(cell=cell):
                with self.assertRaises(Rejected):
                    convert(cell)

    def test_reasons(self):
        "What is refused says what to write"
        for convert, cell, reason in [
                (cells.price, '1.500', "write 1500 or 1,5"),
                (cells.date, '01/09/0026', "of the year 26"),
                (cells.time, '09:00 - 12:30', "in the column end"),
                (cells.check_text, 'Zo\x82', r"invisible .*U\+0082"),
                (cells.check_text, 'Zo\ufffd', "CSV UTF-8")]:
            with self.subTest(cell=cell):
                with self.assertRaisesRegex(Rejected, reason):
                    convert(cell)
        for cell in ["JOÃO DA CONCEIÇÃO", "Ångström", "Čapek – 1 €", "µ²"]:
            cells.check_text(cell)

    def test_statuses(self):
        for cell, state, minutes in [
                ('P', 'present', None),
                ('Présente', 'present', None),
                ('1', 'present', None),
                ('Absent(e)', 'absent', None),
                ('0', 'absent', None),
                ('ABSENCE NON JUSTIFIÉE', 'absent', None),
                ('absence justifiée', 'excused', None),
                ('excusé', 'excused', None),
                ('LEFT_EARLY', 'left_early', None),
                ('parti', 'left_early', None),
                ('D20', 'left_early', 20),
                ('en retard', 'late', None),
                ('R15', 'late', 15),
                ('Retard (15 min)', 'late', 15),
                ("retard : 15'", 'late', 15),
                ('retard 1h05', 'late', 65),
                ('15', 'late', 15),
                ('1 min', 'late', 1),
                ('0 min', 'present', None),
                ('15\xa0min.', 'late', 15)]:
            with self.subTest(cell=cell):
                self.assertEqual(cells.status(cell), (
                        state,
                        minutes and dt.timedelta(minutes=minutes)))

    def test_own_statuses(self):
        statuses = cells.Statuses({'X': 'present', 'Retard 2': 'excused'})
        self.assertEqual(statuses('x'), ('present', None))
        self.assertEqual(statuses('RETARD 2'), ('excused', None))
        self.assertEqual(statuses('A'), ('absent', None))
        with self.assertRaisesRegex(
                Rejected, r'absent \(A, 0\).*, x, retard 2'):
            statuses('Z')

    def test_two_digits_year(self):
        for cell in ['01/02/26', '1-2-26', '01.02.26']:
            with self.subTest(cell=cell):
                with self.assertRaisesRegex(Rejected, "two digits"):
                    cells.date(cell)

    def test_lost_zeros(self):
        for cell in ['7282932000074', '7,32829E+13', '7.32829e13']:
            with self.subTest(cell=cell):
                with self.assertRaisesRegex(Rejected, "spreadsheet"):
                    cells.siret(cell)

    def test_message_of_huge_cell(self):
        "A huge cell does not fill the screen"
        with self.assertRaises(Rejected) as context:
            cells.date('a' * 100000)
        self.assertLess(len(context.exception.reason), 150)
