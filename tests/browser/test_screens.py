# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Every screen of the module opened in the web client"

import re

from playwright.sync_api import expect

from trytond.modules.training_abandon.tests import tools

from .test_steps import open_case

# The entries that ask something first, and the button that leaves them
WIZARDS = {
    ("Abandons", "Dossiers de preuves", "Demander un dossier de preuves"):
    "Annuler",
    ("Abandons", "Suivis", "Imprimer les suivis"): "Annuler",
    ("Configuration", "Journal", "Vérifier le journal"): "Fermer",
    ("Indicateurs", "Imprimer les indicateurs"): "Annuler",
    ("Preuve", "Échantillons d'audit", "Tirer un échantillon"): "Annuler",
    ("Stagiaires", "Émargements par semaine"): "Annuler",
    }
HELP = ("Formation", "Aide")
# What the buttons of the forms say
LABELS = {
    'inform': "Envoyer 1 courriel",
    'ask_reasons': "Envoyer 1 courriel",
    'analyse': "Enregistrer l'analyse",
    'propose': "Enregistrer les propositions",
    'exchange': "Enregistrer l'échange",
    'follow_up': "Envoyer 2 courriels",
    'decide': "Valider l'abandon",
    'certify': "Émettre et envoyer 1 courriel",
    'skip': "Passer l'étape",
    }


def test_menu(client, training):
    "Test each entry of the menu with its views, its filters and its pages"
    case = training.case_at('certify', "Léa Bonnet", days=9)
    tools.apply('certify', [case], channel='email')
    client.login('administrateur')
    paths = client.menu_paths("Formation")
    assert len(paths) > 10
    for number, path in enumerate(paths, 1):
        if path == HELP:
            # It is of no tab: see test_help
            continue
        client.open_menu(*path)
        if button := WIZARDS.get(path[1:]):
            expect(client.dialog).to_contain_text(path[-1])
            client.screenshot(f'menu-{number:02}-wizard')
            client.answer(button)
            expect(client.page.locator('.modal.in')).to_have_count(0)
            assert not client.errors, path
            continue
        expect(client.tabs).to_have_count(1)
        visit(client, f'menu-{number:02}')
        assert not client.errors, path


def visit(client, name):
    "Show the filters and the views of the current tab"
    show_tabs(client)
    seen = set()
    while client.view_type not in seen:
        seen.add(client.view_type)
        client.screenshot(f'{name}-{client.view_type}')
        if client.view_type == 'tree':
            if not client.rows().count():
                return
            client.select_row()
        elif client.view_type == 'form':
            show_tabs(client)
        if not client.can_switch():
            return
        client.toolbar('switch_')


def show_tabs(client):
    "Show one after the other what is behind the tabs"
    tabs = client.filters()
    for position in range(tabs.count()):
        tabs.nth(position).click()
        client.ready()


def test_wizards(client, training):
    "Test that the first form of each wizard opens"
    case = training.case("Paul Rousseau")
    client.login('assistant')
    open_case(client, "Paul Rousseau")
    for number, kind in enumerate(training.steps(case), 1):
        client.toolbar('reload')
        for button in [kind, 'skip'] if kind != 'decide' else [kind]:
            client.press(button)
            expect(client.dialog.get_by_role(
                    'button', name=re.compile(LABELS[button]),
                    )).to_be_visible()
            client.screenshot(f'wizard-{number}-{button}')
            client.answer("Annuler")
            expect(client.page.locator('.modal.in')).to_have_count(0)
