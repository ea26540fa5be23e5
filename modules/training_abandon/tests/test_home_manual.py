# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The manual of the users"
from pathlib import Path

import polib
from lxml import html

import trytond.config as config
from trytond.modules.training_abandon.home.manual import FILE, PATH
from trytond.pool import Pool
from trytond.tests.test_tryton import RouteTestCase, with_transaction

from .common import as_user, create_user, set_up


class ManualTestCase(RouteTestCase):
    "Test the manual of the users"
    module = 'training_abandon'

    def test_open(self):
        "Test that anybody reads the manual, and nothing else"
        response = self.client().get(PATH)
        self.assertEqual(response.status_code, 200)
        self.assertEqual(response.mimetype, 'text/html')
        self.assertEqual(html.fromstring(response.data).get('lang'), 'fr')
        self.assertEqual(
            self.client().get(PATH, headers={
                    'If-None-Match': response.headers['ETag'],
                    }).status_code, 304)
        self.assertEqual(self.client().post(PATH).status_code, 405)

    def test_names(self):
        "Test that the names of the screen are those of the screen"
        path = Path(__file__).parent.parent / 'locale' / 'fr.po'
        names = {
            name.replace('\xa0', ' ') for entry in polib.pofile(str(path))
            for name in [entry.msgstr, *entry.msgstr_plural.values()]}
        for element in html.parse(str(FILE)).iter('b'):
            for name in ' '.join(element.text_content().split()).split(' › '):
                with self.subTest(line=element.sourceline, name=name):
                    self.assertIn(name, names)

    def test_links(self):
        "Test that the table of contents leads to each title"
        manual = html.parse(str(FILE))
        self.assertEqual(
            manual.xpath('//nav//a/@href'),
            [f'#{id_}' for id_ in manual.xpath('//h2/@id')])
        self.assertEqual(
            manual.xpath('//nav//a/text()'), manual.xpath('//h2/text()'))

    @with_transaction()
    def test_menu(self):
        "Test that the menu leads to the manual"
        pool = Pool()
        Wizard = pool.get('training.manual.open', type='wizard')
        with set_up() as (company, _, _):
            config.set('training_abandon', 'base_url', 'https://t.example/')
            self.addCleanup(config.set, 'training_abandon', 'base_url', '')
            with as_user(create_user('reader', company, 'training_reading')):
                session_id, state, _ = Wizard.create()
                (action, _), = Wizard.execute(session_id, {}, state)['actions']
                self.assertEqual(action['type'], 'ir.action.url')
                self.assertEqual(action['url'], f'https://t.example{PATH}')
