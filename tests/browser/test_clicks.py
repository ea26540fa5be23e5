# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"How many clicks the procedure takes in the web client"

import re

import pytest
from playwright.sync_api import expect

from .test_steps import open_case

# Each press of a button of the mouse, and the list that opens is one more
COUNT_CLICKS = '''(() => {
    window.clicks = 0;
    document.addEventListener('mousedown', event => {
        if (event.isTrusted) {
            window.clicks++;
        }
    }, true);
})();'''


class Clicks:
    "The clicks of the user"

    def __init__(self, client):
        self.client = client
        self.lists = 0
        client.page.evaluate(COUNT_CLICKS)

    @property
    def count(self):
        return self.client.page.evaluate('window.clicks') + self.lists

    def tick(self, name, position=0):
        self.client.fields(name).nth(position).click()
        self.client.ready()

    def choose(self, name, label, position=0):
        "Open a list and click on one of its lines"
        self.client.fields(name).nth(position).select_option(label=label)
        self.lists += 2
        self.client.ready()


def inform(client, clicks):
    client.press('inform')
    client.answer("Envoyer 1 courriel")


def ask_reasons(client, clicks):
    client.press('ask_reasons')
    client.answer("Envoyer 1 courriel")


def analyse(client, clicks):
    client.press('analyse')
    client.screenshot('analyse-1400')
    clicks.tick('retained')
    client.answer("Enregistrer l'analyse")


def propose(client, clicks):
    client.press('propose')
    client.screenshot('propose-1400')
    clicks.tick('proposed')
    client.answer("Enregistrer les propositions")


def exchange(client, clicks):
    client.press('exchange')
    parties = client.fields('answer_1').count()
    assert parties == 2
    for position in range(parties):
        clicks.choose('answer_1', "Refusée", position)
    client.screenshot('exchange-1400')
    client.answer("Enregistrer l'échange")


def follow_up(client, clicks):
    client.press('follow_up')
    client.answer("Envoyer 2 courriels")


def decide(client, clicks):
    client.press('decide')
    clicks.choose('decision', "Abandon validé")
    clicks.choose('ground', "Abandon")
    client.screenshot('decide-1400')
    client.answer("Valider l'abandon")


def certify(client, clicks):
    client.press('certify')
    client.answer("Émettre et envoyer 1 courriel")


def sign(client, clicks):
    client.notebook("Décision et attestation")
    button = client.rows().locator('button[name="record_signature"]').first
    # The first click selects the row
    button.click()
    client.ready()
    button.click()
    client.ready()
    client.field('evidence').click()
    client.fill('evidence', "Signée sur place, l'original est au dossier.")
    client.answer("Enregistrer comme signée")


@pytest.fixture
def wide(client):
    client.page.set_viewport_size({'width': 1400, 'height': 900})
    return client


def test_analysis_to_exchange(wide, training):
    "Test that the steps 3 to 5 of a case take at most 12 clicks"
    training.case_at('analyse', "Zoé Lambert")
    wide.login('assistant')
    open_case(wide, "Zoé Lambert")
    clicks = Clicks(wide)
    for step in [analyse, propose, exchange]:
        step(wide, clicks)
    expect(wide.buttons('follow_up')).to_have_count(1)
    assert clicks.count <= 12, clicks.count


def test_eight_steps(wide, training):
    "Test that the eight steps of a case take at most 35 clicks"
    training.case("Tom Girard")
    wide.login('assistant')
    open_case(wide, "Tom Girard")
    clicks = Clicks(wide)
    # Opening the case from the list
    clicks.lists += 2
    for step in [
            inform, ask_reasons, analyse, propose, exchange, follow_up,
            decide, certify, sign]:
        step(wide, clicks)
    wide.press('close')
    wide.answer("Valider")
    expect(wide.buttons('close')).to_have_count(0)
    wide.screenshot('case-closed-1400')
    assert clicks.count <= 35, clicks.count


@pytest.mark.parametrize('width, height', [(1400, 900), (1920, 1080)])
def test_one_screen(client, training, width, height):
    "Test that the pages of a case are read without scrolling"
    name = f"Maë Caron {width}"
    training.case_at('decide', name)
    client.page.set_viewport_size({'width': width, 'height': height})
    client.login('assistant')
    open_case(client, name)
    pages = ["Étapes", "Échanges", "Motifs et solutions",
        "Décision et attestation"]
    tabs = client.pane.locator('.form .nav-tabs a:visible')
    assert [t.strip() for t in tabs.all_inner_texts()] == pages
    for number, page in enumerate(pages, 1):
        client.notebook(page)
        client.screenshot(f'case-{number}-{width}')
        # Neither the page nor the form is longer than what is seen
        assert client.page.evaluate('''() => {
            const hidden = element => element && (
                element.scrollHeight - element.clientHeight > 1
                || element.scrollWidth - element.clientWidth > 1);
            return !hidden(document.documentElement) && !hidden(
                document.querySelector(
                    '#tabcontent > .tab-pane.active .screen-container'));
        }'''), page


def test_proof(wide, training):
    "Test that each step done opens its proof"
    training.case_at('analyse', "Nour Haddad")
    wide.login('assistant')
    open_case(wide, "Nour Haddad")
    expect(wide.buttons('proof_analyse')).to_be_disabled()
    wide.press('proof_ask_reasons')
    expect(wide.tabs).to_have_count(2)
    expect(wide.rows(re.compile("Nour Haddad"))).to_have_count(1)
    wide.screenshot('proof-1400')
