# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The names that the documents tell are those of the module"
import ast
import re
import unittest

from .source import MODULE, Source, parse

DOC = MODULE / 'doc'


def sections(text):
    "Return the texts of a document by title"
    parts = re.split(r'^(\S.*)\n([=*^-])\2+\n', text, flags=re.M)
    return dict(zip(parts[1::3], parts[3::3]))


def rows(text):
    "Yield the cells of the rows of the tables, without their headers"
    for table in text.split('.. list-table::')[1:]:
        table = re.split(r'^\S', table, flags=re.M)[0]
        for row in re.split(r'^   \* - ', table, flags=re.M)[2:]:
            yield re.split(r'^     - ', row, flags=re.M)


def literals(text):
    return re.findall(r'``([^`]+)``', text)


@unittest.skipUnless(DOC.exists(), "the documents are not installed")
class DocumentationTestCase(unittest.TestCase):
    "Test that the documents name what the module has, and nothing else"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.source = Source()
        cls.design = (DOC / 'design.rst').read_text(encoding='utf-8')
        cls.reference = sections(
            (DOC / 'reference.rst').read_text(encoding='utf-8'))

    def check(self, named, existing):
        named, existing = set(named), set(existing)
        faults = [
            *(f'missing: {n}' for n in sorted(existing - named)),
            *(f'does not exist: {n}' for n in sorted(named - existing))]
        if faults:
            self.fail('\n'.join(faults))

    def declared(self, type_):
        return {n for t, n in self.source.declared if t == type_}

    def labels(self, type_):
        return re.findall(
            fr'^\.\. _{type_}-([\w.]+):$', self.design, flags=re.M)

    def test_wizards(self):
        "Test the wizards"
        wizards = self.declared('wizard')
        self.check(self.labels('wizard'), wizards)
        self.check([
                literals(name)[0]
                for name, _ in rows(self.reference['Wizards'])], wizards)

    def test_reports(self):
        "Test the reports"
        self.check(re.findall(
                r'^``([\w.]+)``$', self.reference['Reports'], flags=re.M),
            self.declared('report'))

    def test_buttons(self):
        "Test the buttons of the models"
        self.check([
                f'{literals(name)[0]} {button}'
                for name, buttons in rows(self.reference['Buttons'])
                for button in literals(buttons)], [
                f'{name} {button}'
                for name, buttons in self.source.buttons.items()
                for button in buttons])

    def test_exceptions(self):
        "Test the exceptions"
        self.check([
                exception
                for names, _ in rows(self.reference['Exceptions'])
                for exception in literals(names)], [
                n.name for n in parse(MODULE / 'exceptions.py').body
                if isinstance(n, ast.ClassDef)])

    def test_labels(self):
        "Test that what the design describes exists"
        for type_ in ['model', 'report']:
            with self.subTest(type=type_):
                self.check(
                    set(self.labels(type_)) - self.declared(type_), [])

    def test_methods(self):
        "Test that the methods of the models exist"
        defined = {
            node.name for path in MODULE.rglob('*.py')
            for node in ast.walk(parse(path))
            if isinstance(node, ast.FunctionDef)}
        named = [
            method for text in self.reference.values()
            for literal in literals(text)
            for method in re.findall(r'^training[\w.]*\.(\w+)\(', literal)]
        self.assertTrue(named)
        self.check(set(named) - defined, [])

    def test_places(self):
        "Test that the functions and the classes are in the files named"
        named = [
            found for text in self.reference.values()
            for found in re.findall(
                r'``(\w+)[^`]*`` of ``([\w/]+\.py)``', text)]
        self.assertTrue(named)
        self.check([
                f'{name} of {path}' for name, path in named
                if name not in {
                    n.name for n in parse(MODULE / path).body
                    if isinstance(n, (ast.ClassDef, ast.FunctionDef))}], [])

    def test_files(self):
        "Test that the files of the module exist"
        for path in DOC.glob('*.rst'):
            with self.subTest(path=path.name):
                self.check([
                        name for name in literals(
                            path.read_text(encoding='utf-8'))
                        if re.fullmatch(r'[\w/]+\.(py|xml|cfg)', name)
                        and not name.startswith('scripts/')
                        and not (MODULE / name).exists()], [])


class ReadingTestCase(unittest.TestCase):
    "Test the reading of the documents"

    def test_rows(self):
        "Test the tables of a section"
        document = '\n'.join([
                'Wizards',
                '=======',
                '',
                'One ``word``.',
                '',
                '.. list-table::',
                '   :header-rows: 1',
                '',
                '   * - Name',
                '     - Fields',
                '   * - ``first``, on ``records``',
                '     - ``one``, ``two``,',
                '       ``three``',
                '   * - ``second``',
                '     -',
                '',
                'Another ``word``.',
                '',
                'Buttons',
                '=======',
                '',
                '``third``',
                ''])
        texts = sections(document)
        self.assertEqual(list(texts), ['Wizards', 'Buttons'])
        self.assertEqual([
                [literals(c) for c in row] for row in rows(texts['Wizards'])],
            [[['first', 'records'], ['one', 'two', 'three']],
                [['second']]])
