# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The manual of the users, from the menu and from the help of the client"

from playwright.sync_api import expect

MANUAL = '/training_abandon/manual'
TITLE = "Suivre les abandons de formation : le manuel"


def check_manual(client, opened):
    manual = opened.value
    expect(manual).to_have_title(TITLE)
    assert manual.url == client.url.split('#')[0].rstrip('/') + MANUAL
    client.page.bring_to_front()


def test_menu(client):
    client.login('assistant')
    with client.page.context.expect_page() as opened:
        client.open_menu("Formation", "Aide")
    opened.value.screenshot(path=client.screens / '95-manual.png')
    check_manual(client, opened)


def test_help(client):
    client.login('assistant')
    client.page.locator('#user-preferences > a').click()
    client.page.get_by_role('menuitem', name="Aide").click()
    documentation = client.dialog.get_by_role('link', name="Documentation")
    client.screenshot('96-help')
    with client.page.context.expect_page() as opened:
        documentation.click()
    check_manual(client, opened)
