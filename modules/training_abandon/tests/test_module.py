# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import json
import unittest
from pathlib import Path

import polib
from lxml import etree

from trytond import backend
from trytond.model import ModelView
from trytond.model.exceptions import AccessError
from trytond.modules.company.tests import (
    CompanyTestMixin, PartyCompanyCheckEraseMixin, create_company)
from trytond.modules.party.tests import PartyCheckReplaceMixin
from trytond.pool import Pool
from trytond.pyson import PYSONEncoder
from trytond.tests.test_tryton import ModuleTestCase, with_transaction

from .common import (
    EXTENDED, DatabaseTestCase, as_user, create_enrolments, create_user,
    open_cases, run_wizard, set_up)

FRENCH = Path(__file__).parent.parent / 'locale' / 'fr.po'
# The names that say all of a field, whatever its model
OBVIOUS = {
    'active', 'at', 'by', 'certificate', 'code', 'company', 'course',
    'create_date', 'create_uid', 'currency', 'date', 'decided_by', 'done_by',
    'email', 'employee', 'end', 'end_date', 'enrolment', 'enrolments',
    'language', 'letter', 'letters', 'mobile', 'name', 'number', 'opened_by',
    'parent', 'children', 'party', 'phone', 'procedure', 'proposal',
    'rec_name', 'sequence', 'session', 'sessions', 'slot', 'slots', 'start',
    'start_date', 'step', 'steps', 'subject', 'title', 'trainee',
    'trainee_email', 'trainee_phone', 'trainer', 'trainers', 'user',
    'case', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday',
    'saturday', 'sunday',
    }


def check_french(test):
    "Check that all of the activated modules is translated in French"
    pool = Pool()
    Lang = pool.get('ir.lang')
    Set = pool.get('ir.translation.set', type='wizard')
    Translation = pool.get('ir.translation')
    Update = pool.get('ir.translation.update', type='wizard')
    french, = Lang.search([('code', '=', 'fr')])
    session_id, _, _ = Set.create()
    Set.execute(session_id, {}, 'set_')
    session_id, _, _ = Update.create()
    Update.execute(session_id, {'start': {'language': french.id}}, 'update')
    exported = polib.pofile(Translation.translation_export(
            'fr', 'training_abandon').decode('utf-8'))
    translated = {
        (e.msgctxt, e.msgid) for e in polib.pofile(str(FRENCH))
        if e.translated()}
    test.assertGreater(len(exported), 900)
    test.assertFalse(
        {(e.msgctxt, e.msgid) for e in exported} - translated)


class TrainingAbandonTestCase(
        PartyCompanyCheckEraseMixin, PartyCheckReplaceMixin,
        CompanyTestMixin, ModuleTestCase):
    "Test Training Abandon module"
    module = 'training_abandon'

    @property
    def _skip_company_rule(self):
        # Records without company are shared between the companies
        return super()._skip_company_rule | {
            ('training.course', 'company'),
            ('training.abandon.reason', 'company'),
            ('training.abandon.solution', 'company'),
            ('training.abandon.procedure', 'company'),
            ('training.apprenticeship.rule', 'company'),
            ('training.follow_up.rule', 'company'),
            ('training.measure.kind', 'company'),
            ('training.success.plan', 'company'),
            ('training.questionnaire', 'company'),
            }

    @with_transaction()
    def test_tree_views_datetime(self):
        "Test that tree views tell how to show a date and time"
        pool = Pool()
        View = pool.get('ir.ui.view')
        for view in View.search([
                    ('module', '=', 'training_abandon'),
                    ('type', '=', 'tree'),
                    ]):
            Model = pool.get(view.model)
            for field in etree.fromstring(view.arch).iter('field'):
                with self.subTest(view=view.name, field=field.get('name')):
                    if Model._fields[field.get('name')]._type in {
                            'datetime', 'timestamp'}:
                        self.assertIn(field.get('widget'), {'date', 'time'})

    @with_transaction()
    def test_extensions(self):
        "Test that the mixins of an extension come before what it extends"
        pool = Pool()
        for name, model in pool.iterobject():
            mro = model.__mro__
            declared = [
                c for c in mro
                if (c.__module__.startswith('trytond.modules.')
                    and c.__dict__.get('__name__') == name)]
            for extension, extended in zip(declared, declared[1:]):
                late = [
                    base.__name__ for base in extension.__bases__
                    if (base is not object
                        and mro.index(base) > mro.index(extended))]
                with self.subTest(model=name, extension=extension.__module__):
                    self.assertEqual(late, [])

    @with_transaction()
    def test_help(self):
        "Test that the fields that are shown tell what they are for"
        pool = Pool()
        View = pool.get('ir.ui.view')
        for view in View.search([
                    ('module', '=', 'training_abandon'),
                    ('model', '!=', None),
                    ]):
            Model = pool.get(view.model)
            for node in etree.fromstring(view.arch).iter('field'):
                name = node.get('name')
                if (name in OBVIOUS
                        or '1' in {
                            node.get('invisible'),
                            node.get('tree_invisible')}):
                    continue
                with self.subTest(view=view.name, field=name):
                    self.assertTrue(Model._fields[name].help)

    @with_transaction()
    def test_percentage(self):
        "Test that the rates are shown as percentages"
        pool = Pool()
        View = pool.get('ir.ui.view')
        for view in View.search([('module', '=', 'training_abandon')]):
            arch = etree.fromstring(view.arch)
            for node in arch.xpath(
                    './/field[@name="attendance_rate" or @name="share"]'):
                with self.subTest(view=view.name):
                    self.assertEqual(node.get('factor'), '100')
                    self.assertTrue(arch.xpath(
                            f'.//*[@name="{node.get("name")}"]'
                            '[@string="%"]'))

    @with_transaction()
    def test_access(self):
        "Test what the users may do"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Enrolment = pool.get('training.enrolment')
        Mail = pool.get('training.mail')
        Procedure = pool.get('training.abandon.procedure')
        Step = pool.get('training.abandon.case.step')
        with set_up() as (company, session, prescriber):
            case, = open_cases(
                create_enrolments(session, prescriber=prescriber))
            run_wizard('training.abandon.case.inform', [case])
            other_company = create_company(
                "Other", currency=company.currency)
            stranger = create_user('stranger', other_company, 'training')
            outsider = create_user('outsider', company)
            assistant = create_user('assistant', company, 'training')
            with as_user(stranger):
                self.assertFalse(Case.search([]))
                self.assertFalse(Enrolment.search([]))
                self.assertFalse(Mail.search([]))
                with self.assertRaises(AccessError):
                    Case.read([case.id], ['number'])
                with self.assertRaises(AccessError):
                    run_wizard('training.abandon.case.ask_reasons', [case])
            with as_user(outsider):
                for Model in [Case, Enrolment, Mail]:
                    with self.assertRaises(AccessError):
                        Model.search([])
                with self.assertRaises(AccessError):
                    run_wizard('training.abandon.case.ask_reasons', [case])
            with as_user(assistant):
                with self.assertRaises(AccessError):
                    Case.write([case], {'state': 'closed'})
                with self.assertRaises(AccessError):
                    Case.create([{'enrolment': case.enrolment.id}])
                with self.assertRaises(AccessError):
                    Step.write(list(case.steps), {'state': 'done'})
                with self.assertRaises(AccessError):
                    Mail.write(list(case.mails), {'state': 'sent'})
                with self.assertRaises(AccessError):
                    Procedure.create([{'code': 'X'}])
                run_wizard('training.abandon.case.ask_reasons', [case])
            self.assertEqual(
                case.steps[1].done_by.party.name, "Assistant")

    @with_transaction()
    def test_relation_access(self):
        "Test that nobody changes the relations around the procedure"
        pool = Pool()
        with set_up() as (company, session, _):
            outsider = create_user('outsider', company)
            admin = create_user('admin2', company, 'training_admin')
            for name in [
                    'training.abandon.procedure-training.abandon.reason',
                    'training.abandon.solution-training.abandon.reason',
                    'training.configuration.sequence',
                    ]:
                Model = pool.get(name)
                with self.subTest(name=name), as_user(outsider), \
                        self.assertRaises(AccessError):
                    Model.delete(Model.search([], limit=1) or Model.create([
                                {}]))
            Relation = pool.get(
                'training.abandon.procedure-training.abandon.reason')
            with as_user(admin), self.assertRaises(AccessError):
                Relation.delete(Relation.search([], limit=1))

    @with_transaction()
    def test_domains_today(self):
        """Test that the tabs and the colours ask the clients which day is
        today"""
        pool = Pool()
        Domain = pool.get('ir.action.act_window.domain')
        dates = []

        def collect(values):
            if values.get('__class__') == 'Date' and values['y'] != 9999:
                dates.append(values['start'])
            return values.get('__class__')

        for domain in Domain.search([
                    ('act_window.res_model', 'like', 'training.%'),
                    ]):
            json.loads(domain.domain or '[]', object_hook=collect)
        tabs = len(dates)
        for _, model in pool.iterobject():
            if (model.__name__.startswith('training.')
                    and issubclass(model, ModelView)):
                for attribute in model.view_attributes():
                    json.loads(
                        PYSONEncoder().encode(attribute[2]),
                        object_hook=collect)
        self.assertGreater(len(dates), tabs)
        self.assertEqual(set(dates), {'DateTime'})

    @with_transaction()
    def test_french(self):
        "Test that everything is translated in French"
        check_french(self)

    def test_french_typography(self):
        "Test the spaces and the quotes of the French"
        for entry in polib.pofile(str(FRENCH)):
            for text in [entry.msgstr, *entry.msgstr_plural.values()]:
                with self.subTest(context=entry.msgctxt, text=text):
                    self.assertNotRegex(text, r' [:;?!»]|« |’|"|\.\.\.')


@unittest.skipIf(backend.name != 'sqlite', "The names are the same")
class ExtendedTestCase(DatabaseTestCase):
    "Test what other modules add"
    modules = EXTENDED

    @with_transaction()
    def test_french(self):
        "Test that what needs the other modules is translated too"
        check_french(self)


del DatabaseTestCase
del ModuleTestCase
