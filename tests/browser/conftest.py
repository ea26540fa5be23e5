# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import os
import signal
import sys
import tempfile
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'scripts'))
from .client import TIMEOUT, Client  # noqa: E402
from .provider import Provider  # noqa: E402
from .training import Training  # noqa: E402

ARGUMENTS = [
    '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update',
    '--disable-sync']
expect.set_options(timeout=TIMEOUT)


@pytest.fixture(scope='session')
def provider():
    # Stop the servers even when the run is terminated
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix='training-browser-') as directory:
        provider = Provider(directory)
        provider.build()
        try:
            provider.start()
            yield provider
        finally:
            provider.stop()


@pytest.fixture(scope='session')
def training(provider):
    with provider.connect('assistant'):
        yield Training()


@pytest.fixture(scope='session')
def browser():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ['TEST_CHROMIUM'], args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope='session')
def screens():
    return Path(os.environ['TEST_SCREENS'])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == 'call':
        item.failed = report.failed
    return report


@pytest.fixture
def client(request, provider, browser, screens):
    "The web client, which must show no error"
    context = browser.new_context(
        locale='fr-FR', timezone_id='Europe/Paris', accept_downloads=True,
        viewport={'width': 1400, 'height': 900})
    client = Client(context, provider, screens)
    yield client
    if getattr(request.node, 'failed', False):
        client.screenshot(f'failed-{request.node.name}')
    context.close()
    assert not client.errors


@pytest.fixture(autouse=True)
def no_traceback(provider):
    "Nothing that happens in a test may fail in the server"
    start = provider.log.stat().st_size
    yield
    with open(provider.log, encoding='utf-8', errors='replace') as log:
        log.seek(start)
        output = log.read()
    assert 'Traceback' not in output, output
