# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The rules of the wings, see the first section of doc/design.rst"
import tempfile
import unittest
from pathlib import Path
from textwrap import dedent

from .source import Source


class LayersTestCase(unittest.TestCase):
    "Test that the module is made of wings in dependence order"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.source = Source()

    def check(self, faults):
        if faults := list(faults):
            self.fail('\n'.join([f'{len(faults)} faults', *faults]))

    def test_wings(self):
        "Test that there is something to read"
        self.assertGreater(len(self.source.wings), 1)
        for wing in self.source.wings:
            with self.subTest(wing=wing):
                self.assertTrue(self.source.files(wing))

    def test_calls_go_down(self):
        "Test that a wing uses only itself and those before it"
        self.check(self.source.upward_calls())

    def test_declared_once(self):
        "Test that each model of a wing is one class"
        self.check(self.source.doubled_names())

    def test_registered(self):
        "Test that all the classes are registered by their wing"
        self.check(self.source.unregistered())

    def test_xml_files(self):
        "Test that the XML files of the wings are valid and loaded"
        self.check(self.source.invalid_xml())
        self.check(self.source.unlisted_xml())

    def test_depends(self):
        "Test that the modules of the wings are those of the root"
        self.check(self.source.unknown_depends())
        self.check(self.source.ignored_depends())

    def test_views(self):
        "Test that the views are in the directory of their wing"
        self.check(self.source.misplaced_views())

    def test_tests(self):
        "Test that each wing has its tests"
        self.check(self.source.untested())


XML = '''
    <tryton>
        <data>
            <record model="{model}" id="{id}">
                <field name="name">{name}</field>
            </record>
        </data>
    </tryton>
    '''
VIEW = 'ir.ui.view'
FILES = {
    'tryton.cfg': '''
        [tryton]
        extras_depend:
            project
        include_dirs:
            low
            high
        xml:
            message.xml
        ''',
    'message.xml': XML.format(
        model='ir.message', id='msg_wrong', name="Wrong"),
    '__init__.py': 'from .high import upper',
    'tools.py': 'CODE = "module.msg_wrong"',
    'low/tryton.cfg': '''
        [tryton]
        xml:
            lower.xml
        [register]
        model:
            lower.Lower
        [register project]
        model:
            project.Lower
        ''',
    'low/__init__.py': '',
    'low/lower.py': '''
        from .. import tools
        class Lower(ModelSQL):
            __name__ = 'lower'
            parent = fields.Many2One('lower', "Parent")
        ''',
    'low/lower.xml': XML.format(
        model=VIEW, id='lower_form', name='low/lower_form'),
    'low/project.py': '''
        class Lower(metaclass=PoolMeta):
            __name__ = 'lower'
        ''',
    'high/tryton.cfg': '''
        [tryton]
        xml:
            upper.xml
        [register]
        model:
            upper.Upper
            upper.Lower
        wizard:
            upper.Run
        report:
            upper.Report
        ''',
    'high/__init__.py': '',
    'high/upper.py': '''
        from ..low.lower import Lower as Base
        from trytond.modules.module.tools import CODE
        class Upper(ModelSQL):
            __name__ = 'upper'
            lower = fields.Many2One('lower', "Lower")
            def find(self):
                return Pool().get('lower'), 'module.lower_form'
        class Lower(metaclass=PoolMeta):
            __name__ = 'lower'
        class Run(Wizard):
            __name__ = 'upper.run'
        class Report(Report):
            __name__ = 'lower'
        ''',
    'high/upper.xml': XML.format(
        model=VIEW, id='upper_form', name='high/upper_form'),
    'tests/test_low.py': '',
    'tests/test_high_upper.py': '',
    'view/low/lower_form.xml': '<form/>',
    'view/high/upper_form.xml': '<form/>',
    }


class SourceTestCase(unittest.TestCase):
    "Test that the faults of a module are found"

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name) / 'module'
        for name, content in FILES.items():
            self.write(name, content)

    def write(self, name, content):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(content).lstrip())

    def append(self, name, content):
        self.write(name, dedent(FILES.get(name, '')) + dedent(content))

    def assert_faults(self, check, *expected):
        self.assertEqual(
            list(getattr(Source(self.root), check)()), list(expected))

    def test_none(self):
        "Test a module without fault"
        for check in [
                'upward_calls', 'doubled_names', 'unregistered',
                'invalid_xml', 'unlisted_xml', 'unknown_depends',
                'ignored_depends', 'misplaced_views', 'untested']:
            with self.subTest(check=check):
                self.assert_faults(check)

    def test_import(self):
        "Test the imports of a wing above"
        self.write('scripts/__init__.py', '')
        for line, what in [
                ('from ..high.upper import Upper', 'high.upper.Upper -> high'),
                ('from ..high import upper', 'high.upper -> high'),
                ('from .. import high', 'high -> high'),
                ('import trytond.modules.module.high', 'high -> high'),
                ('from trytond.modules.module import high', 'high -> high'),
                ('from ..scripts import run', 'scripts.run -> above'),
                ('import trytond.modules.module', '__init__ -> above'),
                ]:
            with self.subTest(line=line):
                self.write('low/call.py', f'def call():\n    {line}\n')
                self.assert_faults(
                    'upward_calls', f'low/call.py:2: import {what}')

    def test_name(self):
        "Test the models, wizards, reports and XML ids of a wing above"
        for line, kind in [
                ("Pool().get('upper')", 'pool.get upper'),
                ("pool.get('upper')", 'pool.get upper'),
                ("pool.get('lower', type='report')", 'pool.get lower'),
                ("pool.get('lower', 'report')", 'pool.get lower'),
                ("pool.get('upper.run', type='wizard')",
                    'pool.get upper.run'),
                ("fields.Many2One('upper', 'Upper')", 'relation upper'),
                ("fields.One2Many('upper', 'lower', 'Uppers')",
                    'relation upper'),
                ("fields.Many2Many('a', 'b', 'upper', 'Uppers')",
                    'relation upper'),
                ("fields.Function(fields.Many2One('upper', 'U'), 'get')",
                    'relation upper'),
                ("fields.Reference('R', [('upper', 'Upper')])", 'name upper'),
                ("[('upper', 'party')]", 'name upper'),
                ("['upper,party']", 'name upper,party'),
                ("['upper|run']", 'name upper|run'),
                ("StateView('upper.run')", 'name upper.run'),
                ("action('module.upper_form')", 'name module.upper_form'),
                ]:
            with self.subTest(line=line):
                self.write('low/call.py', f'a = {line}\n')
                self.assert_faults(
                    'upward_calls', f'low/call.py:1: {kind} -> high')

    def test_name_down(self):
        "Test the names that are not of a wing above"
        self.append('low/lower.py', '''
            pool.get('lower')
            pool.get('upper', type='wizard')
            pool.get('party.party')
            a = "The upper one", 'module.msg_wrong', 'module.unknown'
            ''')
        self.assert_faults('upward_calls')

    def test_root(self):
        "Test that the root may not use a wing"
        self.write('tools.py', '''
            from .low.lower import Lower
            pool.get('lower')
            ''')
        self.assert_faults('upward_calls',
            'tools.py:1: import low.lower.Lower -> low',
            'tools.py:2: pool.get lower -> low')

    def test_extension_below(self):
        "Test that a wing does not extend the model of one above"
        self.append('low/lower.py', '''
            class Upper(metaclass=PoolMeta):
                __name__ = 'upper'
            ''')
        self.assert_faults('upward_calls',
            'low/lower.py:7: name upper -> high')

    def test_doubled_name(self):
        "Test two classes of a model in a wing"
        self.append('high/upper.py', '''
            class Again(metaclass=PoolMeta):
                __name__ = 'lower'
            ''')
        self.append('high/tryton.cfg', '''
            [register project]
            model:
                upper.Again
            ''')
        self.assert_faults('doubled_names')
        self.write('high/tryton.cfg', FILES['high/tryton.cfg'].replace(
                'upper.Lower', 'upper.Lower\n            upper.Again'))
        self.assert_faults('doubled_names',
            'high [register]: 2 classes of model lower')

    def test_unregistered(self):
        "Test a class that is not registered and paths without class"
        self.append('low/lower.py', '''
            class Mixin:
                pass
            class Lost(ModelSQL):
                __name__ = 'lost'
            ''')
        self.append('low/tryton.cfg', '''
            [register project_plan]
            model:
                lower.Mixin
                nowhere.Lower
            ''')
        self.assert_faults('unregistered',
            'low/lower.py:8: lost is not registered',
            'low/tryton.cfg: lower.Mixin is no class with a name',
            'low/tryton.cfg: nowhere.Lower is no class with a name')

    def test_xml(self):
        "Test an XML file that is not valid, one not listed and one missing"
        self.write('low/lower.xml', '<tryton><wrong/></tryton>')
        self.write('low/other.xml', '<tryton/>')
        (self.root / 'high' / 'upper.xml').unlink()
        self.assert_faults('unlisted_xml',
            'low/other.xml: is not in tryton.cfg')
        first, second = Source(self.root).invalid_xml()
        self.assertRegex(first, '^low/lower.xml: .*wrong')
        self.assertEqual(second, 'high/upper.xml: does not exist')

    def test_depends(self):
        "Test the modules of a wing that are not in the root"
        self.append('low/tryton.cfg', '''
            [register project project_plan]
            ''')
        self.write('high/tryton.cfg', FILES['high/tryton.cfg'].replace(
                'xml:', 'depends:\n            party\n        xml:'))
        self.assert_faults('unknown_depends',
            'low [register project project_plan]: '
            'project_plan in no extras_depend')
        self.assert_faults('ignored_depends',
            'high/tryton.cfg: Tryton ignores depends')

    def test_view(self):
        "Test the views of another wing, without file and without record"
        self.write('low/lower.xml', XML.format(
                model=VIEW, id='lower_form', name='high/upper_form'))
        self.write('high/upper.xml', XML.format(
                model=VIEW, id='upper_form', name='high/upper_list'))
        self.write('view/upper_form.xml', '<form/>')
        self.assert_faults('misplaced_views',
            'low/lower.xml: high/upper_form is not in view/low',
            'view/high/upper_list.xml: does not exist',
            'view/low/lower_form.xml: is used by no wing',
            'view/upper_form.xml: is used by no wing')

    def test_buttons(self):
        "Test that the buttons of the mixins are those of the model"
        self.write('low/tools.py', '''
            class RunMixin:
                @ModelView.button
                def first(cls, records):
                    pass
            ''')
        self.write('low/mixin.py', '''
            from .tools import RunMixin
            class RunMixin(RunMixin, ModelView):
                @classmethod
                @ModelView.button_action('module.action')
                def second(cls, records):
                    pass
            ''')
        self.write('high/upper.py', '''
            from ..low.mixin import RunMixin as Run
            class Upper(Run, ModelSQL):
                __name__ = 'upper'
                @Workflow.transition('third')
                @ModelView.button
                def third(cls, records):
                    pass
                @Workflow.transition('fourth')
                def fourth(cls, records):
                    pass
            ''')
        self.assertEqual(Source(self.root).buttons, {
                'upper': {'first', 'second', 'third'}})

    def test_untested(self):
        "Test a wing without test"
        (self.root / 'tests' / 'test_low.py').unlink()
        self.assert_faults('untested', 'tests/test_low_*.py: there is none')
