# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The pack of evidence, asked for in the web client and read without network"

import io
import os
import subprocess
import zipfile
from contextlib import contextmanager

from proteus import Model

from .test_conversation import open_case
from .training import SECRET

SIZES = {'phone': (390, 844), 'screen': (1280, 800)}


@contextmanager
def offline(browser, size):
    "Yield a page that reaches no network"
    width, height = SIZES[size]
    context = browser.new_context(
        offline=True, locale='fr-FR',
        viewport={'width': width, 'height': height})
    try:
        yield context.new_page()
    finally:
        context.close()


def unpack(provider, folder):
    "Unpack the last pack of the administrator and return its pages"
    with provider.connect('administrateur'):
        pack, *_ = Model.get('training.evidence_pack').find(
            [], order=[('id', 'DESC')])
        assert (pack.state, pack.problems) == ('done', None)
        with zipfile.ZipFile(io.BytesIO(pack.file)) as archive:
            archive.extractall(folder)
    return sorted(folder.rglob('*.html'))


def links(page):
    "Return the addresses to which the page leads"
    return page.eval_on_selector_all(
        'a[href]', 'links => links.map(link => link.href)')


def test_pack(client, provider, training, browser, screens, tmp_path):
    training.case_at('certify', "Clara Petit")
    client.login('administrateur')
    open_case(client, "Clara Petit")
    client.action("Demander un dossier de preuves")
    client.screenshot('97-evidence-request')
    client.answer("Demander")
    client.screenshot('97-evidence-pack')

    pages = unpack(provider, tmp_path)
    subprocess.run(
        ['sha256sum', '--quiet', '-c', 'manifest.sha256'], cwd=tmp_path,
        check=True)
    assert len(pages) == 3
    files = {p.as_uri() for p in tmp_path.rglob('*') if p.is_file()}
    for size in SIZES:
        with offline(browser, size) as page:
            for path in pages:
                page.goto(path.as_uri())
                page.screenshot(
                    path=screens / f'97-{size}-{path.parent.name}-'
                    f'{path.stem}.png', full_page=True)
                assert SECRET not in page.content()
                assert set(links(page)) <= files
                # Nothing is beside the screen
                assert page.evaluate(
                    'document.documentElement.scrollWidth'
                    ' <= window.innerWidth')
                page.add_script_tag(path=os.environ['TEST_AXE'])
                found = page.evaluate('axe.run()')
                assert found['passes']
                assert not found['violations'], found['violations']

    with offline(browser, 'phone') as page:
        page.goto((tmp_path / 'index.html').as_uri())
        page.locator('main td a').first.click()
        page.wait_for_url('**/dossiers/*/index.html')
        page.get_by_role('link', name="Tous les dossiers").click()
        page.wait_for_url((tmp_path / 'index.html').as_uri())
