# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"From a closed attendance sheet to the justification of an absence"

import datetime as dt
from email.message import EmailMessage

from playwright.sync_api import expect

from trytond.modules.training_abandon.tests import tools

ADDRESS = 'zoe.lambert@example.com'


def reply_to(mail):
    "Return the bytes of an answer to the mail with a document"
    message = EmailMessage()
    message['From'] = ADDRESS
    message['To'] = 'training@example.com'
    message['Subject'] = f"Re: {mail['Subject']}"
    message['Message-ID'] = '<justification@example.com>'
    message['In-Reply-To'] = mail['Message-ID']
    message.set_content("Bonjour, voici mon justificatif.")
    message.add_attachment(
        b'%PDF-1.4', maintype='application', subtype='pdf',
        filename='justificatif.pdf')
    return message.as_bytes()


def test_justify(client, provider, training):
    "Test that an absence is told, then excused by what comes back"
    session = tools.create_session(
        "Bureautique", training.today - dt.timedelta(days=1), days=3)
    trainee = tools.create_party("Zoé Lambert", email=ADDRESS, lang='fr')
    enrolment = tools.create_enrolment(
        session, trainee, prescriber=training.adviser)
    slots = session.slots[:2]
    for slot in slots:
        slot.click('open')
        line, = slot.attendances
        line.state = 'absent'
        slot.save()
    tools.close_sheets(slots)
    mail, = provider.received(ADDRESS)
    assert f"{slots[0].date:%d/%m/%Y}" in mail['Subject']
    with provider.connect('administrateur') as config:
        config.get_proxy('training.mail.reply').receive(
            reply_to(mail), config.context)

    client.login('assistant')
    client.open_menu("Formation", "Stagiaires", "Avis d'absence")
    client.filter("Tous")
    expect(client.rows("Zoé Lambert")).to_have_count(4)
    client.screenshot('50-notices')
    client.open_menu("Formation", "Abandons", "Courriels")
    client.filter("Envoyé")
    client.open_row("Absence du")
    client.screenshot('51-notice-mail')
    client.notebook("Séances")
    client.screenshot('52-notice-slots')

    client.open_menu("Formation", "Abandons", "Réponses")
    client.screenshot('53-notice-replies')
    client.open_row("Zoé Lambert")
    client.screenshot('54-notice-reply')
    client.press('justify')
    client.screenshot('55-justify')
    client.field('kind').select_option(label="Transport")
    client.answer("Enregistrer")
    client.screenshot('56-justification')
    client.press('accept')
    client.answer("Valider")
    expect(client.field('state')).to_have_value('"accepted"')
    client.notebook("Séances excusées")
    client.screenshot('57-excused')
    enrolment.reload()
    assert [a.state for a in enrolment.attendances] == ['excused'] * 2
    client.open_menu("Formation", "Stagiaires", "Justificatifs")
    client.filter("Acceptés")
    expect(client.rows("Zoé Lambert")).to_have_count(1)
    client.screenshot('58-justifications')
    client.open_menu("Formation", "Stagiaires", "Inscriptions")
    client.open_row("Zoé Lambert")
    client.notebook("Justificatifs")
    client.screenshot('59-enrolment-justifications')
