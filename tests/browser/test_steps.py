# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the users do with the cases in the web client"

import re
import subprocess

from playwright.sync_api import expect

from trytond.modules.training_abandon.tests import tools
from trytond.modules.training_abandon.tests.smtp_server import REFUSAL

from .training import ADVISER, SECRET

CASES = ["Formation", "Abandons", "Dossiers d'abandon"]
MAILS = ["Formation", "Abandons", "Courriels"]


def open_case(client, name):
    client.open_menu(*CASES)
    client.filter("Tous")
    client.open_row(name)


def test_overdue(client, provider, training):
    "Test that the assistant does the overdue step with another text"
    training.case("Lucie Moreau", days=9)
    training.case("Adam Petit")
    client.show_login()
    client.screenshot('01-login')
    client.login('assistant')
    client.open_menu(*CASES)
    client.filter("En retard")
    expect(client.rows("Lucie Moreau")).to_have_count(1)
    expect(client.rows("Adam Petit")).to_have_count(0)
    client.screenshot('02-overdue-cases')
    client.open_row("Lucie Moreau")
    client.screenshot('03-case')
    client.press('inform')
    expect(client.field('to')).to_have_value(ADVISER)
    text = "Lucie ne vient plus depuis lundi, l'avez-vous vue ?"
    client.fill('text', text)
    client.screenshot('04-preview')
    client.answer("Envoyer 1 courriel")
    client.notebook("Échanges")
    expect(client.rows("Courriel envoyé").first).to_be_visible()
    client.screenshot('05-case-mails')
    client.open_menu(*MAILS)
    client.filter("Envoyés")
    expect(client.rows("Lucie Moreau")).to_contain_text("Envoyé")
    client.screenshot('06-mails')
    client.open_row("Lucie Moreau")
    expect(client.field('body')).to_have_value(re.compile(re.escape(text)))
    client.screenshot('07-mail')
    message, = [
        m for m in provider.received(ADVISER) if "Lucie" in m['Subject']]
    assert text in message.get_body(['plain']).get_content()


def test_certificate(client, training, tmp_path):
    "Test that the assistant issues the certificate and opens its PDF"
    training.case_at('certify', "Nathan Roussel")
    client.login('assistant')
    open_case(client, "Nathan Roussel")
    client.press('certify')
    client.screenshot('10-certify')
    client.answer("Émettre et envoyer 1 courriel")
    client.notebook("Décision et attestation")
    client.screenshot('11-decision')
    client.open_row()
    client.screenshot('12-certificate')
    path = tmp_path / 'certificate.pdf'
    path.write_bytes(client.save_as('document'))
    assert path.read_bytes().startswith(b'%PDF')
    text = subprocess.run(
        ['pdftotext', path, '-'], check=True, capture_output=True,
        text=True).stdout
    assert "Nathan Roussel" in text


def test_mail_refused(client, provider, training):
    "Test that the refusal of the server is seen and the mail sent elsewhere"
    adviser = tools.create_party(
        "Cap emploi", email='refused@example.com', lang='fr')
    training.case("Hugo Lefèvre", prescriber=adviser)
    client.login('assistant')
    open_case(client, "Hugo Lefèvre")
    client.press('inform')
    client.answer("Envoyer 1 courriel")
    expect(client.rows("Informer le prescripteur")).to_contain_text(
        "En échec")
    client.screenshot('20-step-failed')
    client.open_menu(*MAILS)
    client.filter("En échec")
    client.screenshot('21-mails-failed')
    client.open_row("Hugo Lefèvre")
    client.notebook("Envoi")
    expect(client.field('smtp_reply')).to_have_value(REFUSAL)
    client.screenshot('22-mail-failed')
    client.press('send_elsewhere')
    client.fill('to', 'cap@example.com')
    client.screenshot('23-send-elsewhere')
    client.answer("Envoyer")
    open_case(client, "Hugo Lefèvre")
    expect(client.rows("Informer le prescripteur")).to_contain_text("Prouvée")
    client.screenshot('24-step-proven')
    assert len(provider.received('cap@example.com')) == 1
    assert not provider.received('refused@example.com')


def test_mail_server_stopped(client, provider, training):
    "Test that a mail is sent again once the mail server works again"
    training.case("Léa Fournier")
    client.login('assistant')
    provider.stop_mail_server()
    try:
        open_case(client, "Léa Fournier")
        client.press('inform')
        client.answer("Envoyer 1 courriel")
        client.notebook("Échanges")
        expect(client.rows("Courriel en file d'attente").first).to_be_visible()
        client.screenshot('25-mail-server-stopped')
    finally:
        provider.start_mail_server()
    client.open_menu(*MAILS)
    client.filter("En attente")
    client.open_row("Léa Fournier")
    client.press('deliver')
    expect(client.field('state')).to_have_value('"sent"')
    client.screenshot('26-mail-sent-again')


def test_accountant(client, training):
    "Test what the accountant may neither read nor do"
    training.case_at('propose', "Yanis Martin")
    client.login('comptable')
    assert "Configuration" not in client.menu_names()
    open_case(client, "Yanis Martin")
    client.notebook("Motifs et solutions")
    expect(client.field('reason_category')).not_to_have_value('')
    expect(client.pane).not_to_contain_text("Santé")
    expect(client.rows()).to_have_count(0)
    expect(client.fields('reason_comment')).to_have_count(0)
    expect(client.fields('analysis')).to_have_count(0)
    client.screenshot('30-accountant')
    client.open_menu(*CASES)
    client.filter("Tous")
    assert SECRET not in client.page.content()


def test_bad_input(client, training):
    "Test that what is missing is told in French and that nothing is lost"
    training.case_at('analyse', "Sarah Colin")
    client.login('assistant')
    open_case(client, "Sarah Colin")
    client.press('analyse')
    client.fill('analysis', "Horaires incompatibles")
    client.answer("Enregistrer l'analyse")
    expect(client.dialog).to_contain_text(
        "L'analyse doit retenir au moins une cause.")
    client.screenshot('31-message')
    client.answer("Valider")
    expect(client.field('analysis')).to_have_value("Horaires incompatibles")
    client.answer("Annuler")
    expect(client.buttons('analyse')).to_have_count(1)
