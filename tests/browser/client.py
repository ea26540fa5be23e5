# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The web client as its user sees it"

import re
from pathlib import Path

from playwright.sync_api import expect

from .provider import DATABASE, PASSWORD

TIMEOUT = 60_000
# The client asks for files that the server of a provider may not have
OPTIONAL = re.compile(r'/(custom\.(css|js)|locale/\w+\.json)$')
# The client does its work in many short timers, which tell when it has ended
COUNT_TIMERS = '''(() => {
    const pending = window.pending_timers = new Set();
    const {setTimeout, clearTimeout} = window;
    window.setTimeout = (callback, delay = 0, ...args) => {
        const id = setTimeout.call(window, (...values) => {
            pending.delete(id);
            callback(...values);
        }, delay, ...args);
        if (delay < 1000) {
            pending.add(id);
        }
        return id;
    };
    window.clearTimeout = id => {
        pending.delete(id);
        clearTimeout.call(window, id);
    };
})();'''
IDLE = '''() => {
    const busy = jQuery.active || window.pending_timers.size ||
        jQuery('#processing').is(':visible');
    window.idle_turns = busy ? 0 : window.idle_turns + 1;
    return window.idle_turns > 2;
}'''


class Client:

    def __init__(self, context, provider, screens):
        self.url = f'{provider.url}#{DATABASE}'
        self.screens = screens
        self.errors = []
        context.add_init_script(COUNT_TIMERS)
        self.page = context.new_page()
        self.page.set_default_timeout(TIMEOUT)
        self.page.on('console', self._on_console)
        self.page.on('pageerror', lambda e: self.errors.append(str(e)))

    def _on_console(self, message):
        if (message.type == 'error'
                and not OPTIONAL.search(message.location['url'])):
            self.errors.append(f"{message.text} {message.location}")

    def screenshot(self, name):
        self.page.screenshot(path=self.screens / f'{name}.png')

    def ready(self):
        "Wait until the client has nothing more to do"
        self.page.evaluate('window.idle_turns = 0')
        self.page.wait_for_function(IDLE, polling=50)

    def show_login(self):
        self.page.goto(self.url)
        expect(self.page.locator('#login')).to_be_visible()
        self.ready()

    def login(self, login):
        self.show_login()
        self.page.fill('#login', login)
        self.page.locator('.login-dialog button[type=submit]').click()
        field = self.page.locator('input[type=password]:visible')
        field.fill(PASSWORD)
        field.press('Enter')
        expect(self.page.locator('#menu tbody tr').first).to_be_visible()
        self.ready()

    @property
    def dialog(self):
        "The dialog in front"
        return self.page.locator('.modal.in:visible').last

    @property
    def pane(self):
        "The content of the current tab"
        return self.page.locator('#tabcontent > .tab-pane.active')

    @property
    def front(self):
        "The dialog if there is one, otherwise the current tab"
        return self.dialog if self.dialog.count() else self.pane

    @property
    def title(self):
        return self.pane.locator('.toolbar .title').first.get_attribute(
            'title')

    # The menu

    def open_menu(self, *path):
        "Open the last of these entries of the menu"
        position = -1
        for name in path[:-1]:
            position = self.menu_names().index(name, position + 1)
            self._expand(position)
        position = self.menu_names().index(path[-1], position + 1)
        self._menu_row(position).locator('.column-char').click()
        self.ready()

    def menu_names(self):
        return [
            name.strip() for name in
            self.page.locator('#menu tbody .column-char').all_inner_texts()]

    def _menu_row(self, position):
        return self.page.locator('#menu tbody tr').nth(position)

    def _expand(self, position):
        indents = self.page.locator('#menu tbody .expander img').evaluate_all(
            'images => images.map(e => parseFloat(e.style.marginLeft))')
        if indents[position] >= (indents + [0])[position + 1]:
            self._menu_row(position).locator('.expander img').click()
            self.ready()

    # The tab

    def toolbar(self, name):
        self.pane.locator(f'.toolbar .btn-toolbar button[id={name}]').click()
        self.ready()

    def action(self, label):
        "Launch the action on the records selected"
        self.toolbar('action')
        self.pane.locator('.btn-toolbar .dropdown-menu:visible a').filter(
            has_text=label).click()
        self.ready()

    def close_tab(self):
        self.pane.locator('.navbar-brand').click()
        self.pane.locator('.toolbar a[id=close]').click()
        self.ready()

    def filters(self):
        "The tabs above the list"
        return self.pane.locator('.nav-tabs:visible').first.locator('a')

    def filter(self, name):
        self.filters().filter(has_text=name).click()
        self.ready()

    # Lists and forms

    def rows(self, text=None):
        rows = self.front.locator('.treeview:visible tbody tr')
        return rows.filter(has_text=text) if text else rows

    def open_row(self, text=None):
        self.rows(text).first.locator('td:visible').nth(2).dblclick()
        self.ready()

    def fields(self, name):
        return self.front.locator(f'[name="{name}"]:visible')

    def field(self, name):
        return self.fields(name).first

    def fill(self, name, value):
        field = self.field(name)
        field.fill(value)
        field.press('Tab')
        self.ready()

    def select(self, name, label):
        self.field(name).select_option(label=label)
        self.ready()

    def notebook(self, name):
        "Show the page of the notebook"
        self.front.locator('.nav-tabs:visible a').filter(
            has_text=name).last.click()
        self.ready()

    def buttons(self, name):
        return self.front.locator(f'button[name="{name}"]:visible')

    def press(self, name):
        "Press the button of the form"
        self.buttons(name).click()
        self.ready()

    def answer(self, label):
        "Press the button of the dialog"
        self.dialog.get_by_role('button', name=label, exact=True).click()
        self.ready()

    def save_as(self, name):
        "Return the content of the file that the field gives"
        group = self.field(name).locator('xpath=..')
        with self.page.expect_download() as download:
            group.get_by_title("Enregistrer sous...").click()
        self.ready()
        return Path(download.value.path()).read_bytes()
