# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The links that people subscribe to"

import urllib.error
import urllib.request

import pytest
from icalendar import Calendar
from playwright.sync_api import expect


def fetch(url):
    with urllib.request.urlopen(url, timeout=60) as response:
        return Calendar.from_ical(response.read()).walk('VEVENT')


def test_link(client, training):
    "Test a link from its creation to its revocation"
    client.login('assistant')
    client.open_menu("Formation", "Sessions", "Sessions")
    client.filter("Toutes")
    client.open_row(training.session.number)
    client.action("Lien de calendrier")
    client.fill('name', "Téléphone de la formatrice")
    client.screenshot('calendar-link-start')
    client.answer("Créer")
    url = client.field('url').input_value()
    client.screenshot('calendar-link-result')
    assert len(fetch(url)) == len(training.session.slots)
    client.answer("Fermer")
    with client.page.expect_download() as download:
        client.toolbar('print')
        client.pane.locator('.btn-toolbar .dropdown-menu:visible a').filter(
            has_text="Calendrier").first.click()
    assert download.value.suggested_filename.endswith('.ics')

    client.open_menu("Formation", "Sessions", "Liens de calendrier")
    client.screenshot('calendar-link-list')
    client.open_row("Téléphone de la formatrice")
    client.screenshot('calendar-link-form')
    client.press('renew')
    client.screenshot('calendar-link-renew')
    client.answer("Annuler")
    client.press('revoke')
    client.answer("Valider")
    expect(client.buttons('revoke')).to_have_count(0)
    client.screenshot('calendar-link-revoked')
    with pytest.raises(urllib.error.HTTPError, match='404'):
        fetch(url)
