# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the users read of a case, and write about it, in the web client"

import re

from playwright.sync_api import expect

from .training import ADVISER

CASES = ["Formation", "Abandons", "Dossiers d'abandon"]


def open_case(client, name):
    client.open_menu(*CASES)
    client.filter("Tous")
    client.open_row(name)


def test_timeline(client, training):
    "Test that the events of the timeline open their records"
    case = training.case_at('ask_reasons', "Inès Garnier")
    mail, = case.mails
    client.login('assistant')
    open_case(client, "Inès Garnier")
    client.notebook("Échanges")
    client.screenshot('40-timeline')
    button = client.rows("Courriel envoyé").first.locator(
        'button[name="open_origin"]')
    # The first click selects the row
    button.click()
    client.ready()
    button.click()
    client.ready()
    expect(client.field('subject')).to_have_value(mail.subject)
    expect(client.field('to')).to_have_value(ADVISER)
    client.screenshot('41-timeline-mail')


def test_write(client, provider, training):
    "Test that the assistant reads a conversation and writes in it"
    training.case_at('ask_reasons', "Noémie Faure")
    client.login('assistant')
    open_case(client, "Noémie Faure")
    client.toolbar('relate')
    client.pane.locator('.btn-toolbar .dropdown-menu:visible a').filter(
        has_text="Conversation").first.click()
    client.ready()
    client.field('party').select_option(label="Mission locale de Nice")
    client.ready()
    client.screenshot('42-conversation-party')
    client.answer("Ouvrir")
    client.screenshot('43-conversation')
    client.select_row()
    client.action("Écrire")
    client.screenshot('44-write')
    expect(client.field('addresses')).to_have_value(re.compile(ADVISER))
    subject = client.field('subject').input_value()
    client.fill('text', "Pouvons-nous en parler lundi ?")
    client.answer("Envoyer")
    client.screenshot('45-written')
    message = provider.received(ADVISER)[-1]
    assert message['Subject'] == subject
    assert "lundi" in message.get_body(['plain']).get_content()
