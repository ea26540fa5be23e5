# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The screen that the users start from"

from playwright.sync_api import expect

from trytond.modules.training_abandon.tests import tools

LIST = ["Formation", "À faire aujourd'hui"]


def handle(client, text):
    "Press the button of the row, that the first click selects"
    button = client.rows(text).first.locator('button:visible')
    for _ in range(2):
        button.click()
        client.ready()


def test_board(client, training):
    "Test that the home opens first and that a step is done from its list"
    training.case("Nina Girard", days=9)
    client.login('assistant')
    expect(client.tabs).to_have_count(1)
    row = client.rows("Nina Girard")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("Informer le prescripteur")
    client.screenshot('80-home')
    handle(client, "Nina Girard")
    expect(client.dialog).to_contain_text("Informer le prescripteur")
    client.screenshot('81-home-step')
    client.answer("Envoyer 1 courriel")
    # The next step is to be done the same day
    expect(row).to_contain_text("Demander les motifs")
    client.screenshot('82-home-done')


def test_list(client, training):
    "Test the list in a tab of its own"
    training.case("Omar Keita", days=9)
    client.login('assistant')
    client.open_menu(*LIST)
    client.filter("Dossiers")
    client.open_row("Omar Keita")
    expect(client.dialog).to_contain_text("Informer le prescripteur")
    client.answer("Annuler")
    client.filter("Assiduité")
    client.screenshot('83-tasks')


def test_gone(client, training):
    "Test the tasks that another one does meanwhile"
    done = training.case("Paola Rossi", days=9)
    gone = training.case("Quentin Blot", days=9)
    client.login('assistant')
    client.open_menu(*LIST)
    expect(client.rows("Paola Rossi")).to_have_count(1)
    expect(client.rows("Quentin Blot")).to_have_count(1)
    tools.apply('inform', [done])
    tools.apply('cancel_case', [gone], reason="Erreur de saisie")
    # The case asks for its next step, never twice for the same
    handle(client, "Paola Rossi")
    expect(client.dialog).to_contain_text("Demander les motifs (Paola Rossi)")
    client.answer("Annuler")
    handle(client, "Quentin Blot")
    expect(client.page.locator('.modal.in')).to_have_count(0)
    expect(client.rows("Fait")).to_have_count(1)
    expect(client.rows("Quentin Blot")).to_have_count(0)
    client.screenshot('84-task-gone')
    assert not client.errors


def test_figures(client, training):
    "Test that a slice opens what it counts"
    training.case("Rita Costa", days=9)
    client.login('assistant')
    client.pane.locator('.graph .bb-arc').first.click()
    client.ready()
    expect(client.tabs).to_have_count(2)
    assert client.rows().count()


def test_months(client, training):
    "Test that the bar of a month opens what was decided in it"
    case = training.case_at('decide', "Nadia Petit")
    tools.apply(
        'decide', [case], decision='validated', ground='abandonment')
    client.login('assistant')
    # What takes the click for the bar may be over it
    client.pane.locator('.graph .bb-bar').first.click(force=True)
    client.ready()
    expect(client.tabs).to_have_count(2)
    expect(client.rows("Nadia Petit")).to_have_count(1)
