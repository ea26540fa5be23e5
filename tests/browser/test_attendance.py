# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The attendance of a day, filled with the keyboard"

import datetime as dt
from pathlib import Path

from playwright.sync_api import expect

from trytond.modules.training_abandon.tests import tools

NAMES = [
    "Adèle Faure", "Basile Noël", "Chloé Marin", "Damien Roy", "Élise Petit",
    "Fabien Colas", "Gaëlle Morel", "Hugo Blanc", "Inès Garnier",
    "Jean-Baptiste de La Tour", "Karim Saïdi", "Léna Dubois"]


def test_sheet(client, training):
    "Test that a sheet of twelve is filled, closed, corrected and printed"
    session = tools.create_session(
        "Comptabilité", training.today - dt.timedelta(days=1))
    for name in NAMES:
        tools.create_enrolment(session, tools.create_party(name))
    slot = session.slots[0]

    client.login('assistant')
    client.open_menu("Formation", "Stagiaires", "Feuilles d'émargement")
    client.filter("En retard")
    client.open_row(session.number)
    client.press('open')
    expect(client.rows("Non vérifié")).to_have_count(len(NAMES))
    cell = client.rows(NAMES[0]).locator('.column-selection').first
    cell.click()
    client.ready()
    cell.click()
    client.ready()
    # The state by its first letter, the minutes by their figures
    keys(client, 'a', 'Enter', 'Tab', '1', '5', 'Enter', 'Escape')
    client.screenshot('60-sheet')
    client.press('close')
    client.answer("Valider")
    expect(client.dialog).to_contain_text("10 lignes")
    client.screenshot('61-unchecked')
    client.answer("Non")
    client.press('others_present')
    client.press('close')
    client.answer("Valider")
    expect(client.field('state')).to_have_value('"held"')
    assert states(slot) == {
        'absent': 1, 'late': 1, 'present': len(NAMES) - 2}

    client.press('open')
    client.answer("Oui")
    cell = client.rows(NAMES[0]).locator('.column-selection').first
    cell.click()
    client.ready()
    cell.click()
    client.ready()
    keys(client, 'p', 'Enter', 'Escape')
    client.press('close')
    client.answer("Valider")
    client.notebook("Historique")
    expect(client.rows()).to_have_count(4)
    client.screenshot('62-history')
    assert states(slot) == {'late': 1, 'present': len(NAMES) - 1}
    with client.page.expect_download() as download:
        client.toolbar('print')
        client.pane.locator('.btn-toolbar .dropdown-menu:visible a').filter(
            has_text="Feuille d'émargement").first.click()
    assert Path(download.value.path()).read_bytes().startswith(b'%PDF')


def keys(client, *names):
    for name in names:
        client.page.keyboard.press(name)
        client.ready()


def states(slot):
    slot.reload()
    result = {}
    for attendance in slot.attendances:
        result[attendance.state] = result.get(attendance.state, 0) + 1
    return result
