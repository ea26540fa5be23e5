# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the administrator does with the procedure in the web client"

from playwright.sync_api import expect

PROCEDURES = [
    "Formation", "Configuration", "Procédures de gestion des abandons"]
ENROLMENTS = ["Formation", "Stagiaires", "Inscriptions"]


def test_revise(client, training):
    "Test that a new case uses the revision with its new letter"
    training.enrol("Manon Girard")
    client.login('administrateur')
    client.open_menu(*PROCEDURES)
    client.open_row("DR-AT014")
    client.press('revise')
    expect(client.field('revision')).to_have_value('05')
    client.screenshot('40-procedure-draft')
    client.notebook("Lettres")
    client.open_row("Informer le prescripteur")
    subject = client.field('subject').input_value()
    client.fill('subject', f"Urgent : {subject}")
    client.screenshot('41-procedure-letter')
    client.answer("Appliquer les modifications")
    client.toolbar('save')
    client.press('activate')
    client.answer("Valider")
    expect(client.field('state')).to_have_value('"active"')
    client.screenshot('42-procedure-active')
    client.open_menu(*ENROLMENTS)
    client.open_row("Manon Girard")
    client.action("Ouvrir un dossier")
    client.screenshot('43-open-case')
    client.answer("Ouvrir le dossier")
    client.press('inform')
    assert client.field('subject').input_value().startswith("Urgent : ")
    client.screenshot('44-new-letter')
    client.answer("Annuler")
    client.expand("Autre information")
    expect(client.field('procedure')).to_have_value('DR-AT014 rev 05')
