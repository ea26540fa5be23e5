# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""The attendance of a day, filled with the keyboard, and what follows from it

The keys and the clicks are counted: each path has its most."""

import datetime as dt
from pathlib import Path

from playwright.sync_api import expect

from trytond.modules.training_abandon.tests import tools

NAMES = [
    "Adèle Faure", "Basile Noël", "Chloé Marin", "Damien Roy", "Élise Petit",
    "Fabien Colas", "Gaëlle Morel", "Hugo Blanc", "Inès Garnier",
    "Jean-Baptiste de La Tour", "Karim Saïdi", "Léna Dubois"]
# From the lines, to which the form gives the focus, to the state of the first
# one, which must be selected before it is edited
TO_FIRST_CELL = ['Tab', 'Space', 'Tab', 'Tab', 'Tab', 'Enter']
# The state by its first letter, the minutes by their figures
ABSENT_THEN_LATE = ['a', 'Enter', 'Tab', '1', '5', 'Enter', 'Escape']
# From a warning, whose focus is on its box
AGREE = ['Tab', 'Tab', 'Enter']


def create_session(name, training, names=NAMES):
    "Return the session of yesterday with its enrolments"
    session = tools.create_session(
        name, training.today - dt.timedelta(days=1))
    return session, [
        tools.create_enrolment(session, tools.create_party(
                name, email=f'{i}@example.org', lang='fr'))
        for i, name in enumerate(names)]


def test_sheet(client, training):
    "Test that a sheet of twelve is filled, closed, corrected and printed"
    session, _ = create_session("Comptabilité", training)
    slot = session.slots[0]

    client.login('assistant')
    client.open_menu("Formation", "Stagiaires", "Feuilles d'émargement")
    client.screenshot('60-sheets')
    client.open_row(session.number)
    client.press('open')
    expect(client.rows("Non vérifié")).to_have_count(len(NAMES))
    pressed = keys(client, *TO_FIRST_CELL)
    expect(client.rows(NAMES[0]).locator('select[name=state]')).to_be_focused()
    pressed += keys(client, *ABSENT_THEN_LATE)
    expect(client.rows("Non vérifié")).to_have_count(len(NAMES) - 2)
    client.screenshot('61-sheet')
    # With the mouse, for what the sheet still lacks
    client.press('close')
    expect(client.dialog).to_contain_text("10 lignes")
    client.screenshot('62-unchecked')
    client.answer("Non")
    pressed += action(client, "Présence des autres")
    expect(client.rows("Non vérifié")).to_have_count(0)
    pressed += action(client, "Clôturer la feuille")
    expect(client.dialog).to_contain_text("Adèle Faure")
    expect(client.dialog).to_contain_text("Tout de suite (2)")
    client.screenshot('63-notices')
    pressed += keys(client, *AGREE)
    assert pressed <= 33
    expect(client.field('state')).to_have_value('"held"')
    assert states(slot) == {
        'absent': 1, 'late': 1, 'present': len(NAMES) - 2}
    client.notebook("Avis d'absence")
    expect(client.rows("Adèle Faure").first).to_contain_text("Envoyé")
    client.screenshot('64-told')
    client.notebook("Émargements")

    client.press('open')
    client.answer("Oui")
    cell = client.rows(NAMES[0]).locator('.column-selection').first
    cell.click()
    client.ready()
    cell.click()
    client.ready()
    keys(client, 'p', 'Enter', 'Escape')
    client.press('close')
    expect(client.dialog).to_contain_text("rectification")
    client.answer("Oui")
    client.notebook("Historique")
    expect(client.rows()).to_have_count(4)
    client.screenshot('65-history')
    assert states(slot) == {'late': 1, 'present': len(NAMES) - 1}
    with client.page.expect_download() as download:
        client.toolbar('print')
        client.pane.locator('.btn-toolbar .dropdown-menu:visible a').filter(
            has_text="Feuille d'émargement").first.click()
    assert Path(download.value.path()).read_bytes().startswith(b'%PDF')


def test_open_case(client, training):
    "Test that two clicks open a case from an absent line of a sheet"
    session, (absent, _) = create_session(
        "Paie", training, ["Noé Aubert", "Ola Bernard"])
    slot = session.slots[0]
    tools.hold_slot(slot, absent=[absent])

    client.login('assistant')
    client.open_menu("Formation", "Stagiaires", "Absents")
    client.screenshot('66-absentees')
    expect(client.rows("Noé Aubert")).to_have_count(1)
    client.open_menu("Formation", "Stagiaires", "Feuilles d'émargement")
    client.filter("Réalisées")
    client.open_row(session.number)
    button = client.rows("Noé Aubert").first.get_by_role(
        'button', name="Ouvrir un dossier")
    # The first click selects the line
    for _ in range(2):
        expect(button).to_be_in_viewport(ratio=1)
        button.click()
        client.ready()
    expect(client.tabs).to_have_count(2)
    expect(client.field('trainee')).to_have_value("Noé Aubert")
    client.screenshot('67-case')
    absent.reload()
    case, = absent.cases
    assert case.state == 'draft'

    client.open_menu("Formation", "Stagiaires", "Absents")
    expect(client.rows("Noé Aubert")).to_have_count(0)
    client.filter("Tous")
    expect(client.rows("Noé Aubert").first).to_contain_text(case.number)


def test_trainee(client, training):
    "Test that the page of a trainee is found without the accents"
    session, (enrolment, _) = create_session(
        "Droit", training, ["Zoé Çelik-Ébène", "Omar Petit"])
    tools.hold_slot(session.slots[0], absent=[enrolment])

    client.login('assistant')
    entry = client.page.locator('#global-search-entry')
    entry.fill("celik-ebene")
    client.ready()
    client.page.locator('.dropdown-menu:visible, .completion:visible').locator(
        'text=Zoé Çelik-Ébène').first.click()
    client.ready()
    expect(client.rows(session.number).first).to_contain_text('○')
    client.screenshot('68-trainee')


def test_week(client, training):
    "Test that the grid of a week tells its dates and is opened on purpose"
    session, (enrolment, _) = create_session(
        "Anglais", training, ["Una Vidal", "Yvan Zola"])
    slot = session.slots[0]
    slot.click('open')

    client.login('assistant')
    client.open_menu("Formation", "Sessions", "Sessions")
    client.filter("Toutes")
    client.open_row(session.number)
    client.toolbar('relate')
    client.pane.locator('.btn-toolbar .dropdown-menu:visible a').filter(
        has_text="Émargements par semaine").first.click()
    client.ready()
    # The nearest day of the session is not always of the week of the slot
    client.fill('date', f'{slot.date:%d/%m/%Y}')
    client.screenshot('69-week-choice')
    client.answer("Ouvrir")
    monday = slot.date - dt.timedelta(days=slot.date.weekday())
    expect(client.tabs.last).to_contain_text(f'{monday:%d/%m/%Y}')
    for days in range(5):
        date = monday + dt.timedelta(days=days)
        headers = client.pane.locator('.treeview thead label').filter(
            has_text=f'{date:%d/%m}')
        expect(headers).to_have_count(2)
        for header in headers.all():
            # Neither is cut
            expect(header).to_be_in_viewport(ratio=1)
            assert header.evaluate('e => e.scrollWidth <= e.clientWidth')
    expect(client.rows()).to_have_count(2)
    client.screenshot('69-week')


def keys(client, *names):
    for name in names:
        client.page.keyboard.press(name)
        client.ready()
    return len(names)


def action(client, label):
    "Launch the action of the form with the keyboard"
    pressed = keys(client, 'Control+e')
    item = client.page.locator('.btn-toolbar .dropdown-menu:visible a')
    position = item.all_inner_texts().index(label)
    return pressed + keys(client, *['ArrowDown'] * (position + 1), 'Enter')


def states(slot):
    slot.reload()
    result = {}
    for attendance in slot.attendances:
        result[attendance.state] = result.get(attendance.state, 0) + 1
    return result
