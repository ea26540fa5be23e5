# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The accountant, from the abandonment to the credit note"

import datetime as dt
from decimal import Decimal

import pytest
from playwright.sync_api import expect

from proteus import Model
from trytond.modules.account.tests.tools import (
    create_chart, create_fiscalyear, get_accounts)
from trytond.modules.account_invoice.tests.tools import (
    set_fiscalyear_invoice_sequences)
from trytond.modules.training_abandon.tests import tools

from .test_clicks import Clicks

NOT_SETTLED = [
    "Formation", "Abandons", "Décomptes", "Abandons sans décompte"]


@pytest.fixture(scope='module')
def accounting(provider):
    "The chart of accounts and its accountant"
    with provider.connect('admin') as config:
        # The tools name what they search in English
        config._context = {**config.context, 'language': 'en'}
        create_chart(chart='account.account_template_root_fr')
        fiscalyear = set_fiscalyear_invoice_sequences(create_fiscalyear())
        fiscalyear.save()
        fiscalyear.click('create_period')
        ModelData = Model.get('ir.model.data')
        Group = Model.get('res.group')
        User = Model.get('res.user')
        user, = User.find([('login', '=', 'comptable')])
        user.groups.append(Group(ModelData.get_id(
                    'account', 'group_account', config.context)))
        user.save()
        yield get_accounts()


@pytest.fixture
def case(provider, training, accounting):
    "An invoiced abandonment after four half-days"
    session = tools.create_session(
        "Paie", training.today - dt.timedelta(days=10), days=12)
    payer = tools.create_party(
        "Boulangerie Petit", email='payer@example.com', lang='fr')
    enrolment = tools.create_enrolment(
        session, tools.create_party(
            "Inès Faure", email='trainee@example.com', lang='fr'),
        prescriber=training.adviser, agreement_kind='agreement',
        client=payer, price=Decimal(900))
    for slot in session.slots[:4]:
        tools.hold_slot(slot)
    with provider.connect('comptable'):
        Invoice = Model.get('account.invoice')
        invoice = Invoice(
            type='out', party=Model.get('party.party')(payer.id),
            invoice_date=training.today)
        line = invoice.lines.new(
            account=accounting['revenue'].id, quantity=1,
            unit_price=Decimal(900), description="Formation")
        line.origin = Model.get('training.enrolment')(enrolment.id)
        invoice.click('post')
    case = tools.open_case(enrolment, date=training.today)
    for step in training.steps(case):
        if step == 'certify':
            return case


def test_credit_note(client, case):
    "Test that the credit note is posted in at most 10 clicks from the list"
    client.login('comptable')
    client.open_menu(*NOT_SETTLED)
    expect(client.rows("Inès Faure")).to_have_count(1)
    clicks = Clicks(client)
    client.select_row("Inès Faure")
    client.action("Établir le décompte")
    client.screenshot('98-settle')
    client.answer("Établir le décompte")
    client.screenshot('98-settlement')
    client.press('invoice')
    client.answer("Valider")
    expect(client.field('untaxed_amount')).to_have_value("-750,00")
    client.screenshot('98-credit-note')
    client.press('post')
    client.answer("Valider")
    expect(client.field('state')).to_have_value('"posted"')
    client.screenshot('98-credit-note-posted')
    assert clicks.count <= 10, clicks.count
