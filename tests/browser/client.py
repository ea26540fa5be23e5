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
        self.page.wait_for_function(IDLE, polling=20)

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

    def logout(self):
        self.close_tabs()
        self.page.evaluate('Sao.logout()')
        expect(self.page.locator('#login')).to_be_visible()

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
    def tabs(self):
        return self.page.locator('#tablist > li')

    @property
    def view_type(self):
        "The type of the view of the current tab"
        return self.page.locator('#tabcontent').get_attribute(
            'data-view-type')

    # The menu

    def open_menu(self, *path):
        """Open the last of these entries of the menu in the place of the
        tabs"""
        self.close_tabs()
        row = self.menu_rows.nth(self._find_menu(path))
        row.locator('.column-char').click()
        self.ready()

    @property
    def menu_rows(self):
        return self.page.locator('#menu tbody tr')

    def menu_names(self):
        return [
            name.strip() for name in
            self.menu_rows.locator('.column-char').all_inner_texts()]

    def menu_paths(self, *path):
        "The paths of the entries without child from this one"
        position = self._find_menu(path)
        if not self._has_children(position):
            return [path]
        self._expand(position)
        names, indents = self.menu_names(), self._menu_indents()
        result = []
        for name, indent in zip(names[position + 1:], indents[position + 1:]):
            if indent <= indents[position]:
                break
            elif indent == indents[position + 1]:
                result += self.menu_paths(*path, name)
        return result

    def _find_menu(self, path):
        "Expand the parents of the entry and return its position"
        position = self.menu_names().index(path[0])
        for name in path[1:]:
            self._expand(position)
            position = self.menu_names().index(name, position + 1)
        return position

    def _expand(self, position):
        indents = self._menu_indents()
        if indents[position] >= (indents + [0])[position + 1]:
            self._expander(position).locator('img').click()
            self.ready()

    def _expander(self, position):
        return self.menu_rows.nth(position).locator('.expander')

    def _has_children(self, position):
        return self._expander(position).evaluate(
            "e => e.style.visibility == 'visible'")

    def _menu_indents(self):
        return self.menu_rows.locator('.expander img').evaluate_all(
            'images => images.map(e => parseFloat(e.style.marginLeft))')

    # The tab

    def toolbar(self, name):
        self._toolbar_button(name).click()
        self.ready()

    def _toolbar_button(self, name):
        return self.pane.locator(f'.toolbar .btn-toolbar button[id={name}]')

    def action(self, label):
        "Launch the action on the records selected"
        self.toolbar('action')
        self.pane.locator('.btn-toolbar .dropdown-menu:visible a').filter(
            has_text=label).first.click()
        self.ready()

    def close_tabs(self):
        while self.tabs.count():
            self.tabs.first.locator('.close').click()
            self.ready()

    def can_switch(self):
        "Return if the tab has another view to show"
        button = self._toolbar_button('switch_')
        return bool(button.count()) and button.is_enabled()

    def filters(self):
        "The tabs above the list"
        tabs = self.pane.locator('.nav-tabs:visible').first
        return tabs.locator('a:visible')

    def filter(self, name):
        self.filters().filter(
            has_text=re.compile(rf'^\s*{re.escape(name)}')).click()
        self.ready()

    # Lists and forms

    def rows(self, text=None):
        rows = self.front.locator('.treeview:visible tbody tr')
        return rows.filter(has_text=text) if text else rows

    def open_row(self, text=None):
        self._cell(text).dblclick()
        self.ready()

    def select_row(self, text=None):
        self._cell(text).click()
        self.ready()

    def _cell(self, text=None):
        "The first cell of the row that is not a link"
        links = self.page.locator('.column-many2one, .column-reference')
        return self.rows(text).first.locator('td[data-title]:visible').filter(
            has_not=links).first

    def fields(self, name):
        return self.front.locator(
            f':is(input, select, textarea)[name="{name}"]:visible')

    def field(self, name):
        return self.fields(name).first

    def fill(self, name, value):
        field = self.field(name)
        field.fill(value)
        field.press('Tab')
        self.ready()

    def notebook(self, name):
        "Show the page of the notebook"
        self.front.locator('.nav-tabs:visible a').filter(
            has_text=name).last.click()
        self.ready()

    def expand(self, name):
        "Show what the form keeps folded"
        self.front.locator('.panel-title a:visible').filter(
            has_text=name).click()
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
