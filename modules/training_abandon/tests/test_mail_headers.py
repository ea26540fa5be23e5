# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import email
import smtplib
import tempfile
import threading
import unittest
from email import policy
from email.header import decode_header, make_header
from email.utils import getaddresses
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from trytond.modules.training_abandon.mail import composition
from trytond.modules.training_abandon.mail.composition import (
    NAME_SIZE, CompositionMixin, printable)

from .common import examples
from .smtp_server import Server, file_number

SENDER = 'from@example.com'
NAMES = st.one_of(
    st.text(st.characters(exclude_categories=['Cs'])),
    st.text('Aé ,;<>@"\\()[]:.=?_\r\n\t\x00\x85\u2028\'', max_size=150),
    st.sampled_from([
            "Pôle emploi, agence Nice", 'The "Best", <x@y.example>',
            "=?utf-8?q?fake?=", "a\r\nBcc: b@c.example", "É" * 400,
            "Formation " * 40, "a" * 400, "é <a@b.example>, c"]))


class HeadersTestCase(unittest.TestCase):
    "Test the names in the headers of the mails"

    def test_names(self):
        "Test that a name gives one address and itself in each header"
        sent = {}

        @examples(150)
        @given(NAMES, NAMES, NAMES)
        def check(company, party, subject):
            data = self.compose(company, party, subject)
            self.check(data, company, party, subject)
            sent[data] = company, party, subject

        check()
        with tempfile.TemporaryDirectory() as directory:
            for data, received in self.send(Path(directory), list(sent)):
                self.assertEqual(received, data)
                self.check(received, *sent[data])

    def compose(self, company, party, subject):
        with patch.object(
                composition.config, 'get', return_value=SENDER), \
                patch.object(CompositionMixin, '_stamp'):
            return CompositionMixin._get_bytes(CompositionMixin.compose(
                    SimpleNamespace(party=SimpleNamespace(name=company)),
                    SimpleNamespace(name=party), 'to@example.com', subject,
                    "text", "<p>html</p>",
                    reply_to=(company, 'answers@example.com')))

    def check(self, data, company, party, subject):
        self.assertLess(max(map(len, data.splitlines())), 998)
        message = email.message_from_bytes(data, policy=policy.default)
        self.assertNotIn('Bcc', message)
        self.assertEqual(str(message['Subject']), printable(subject))
        self.assertEqual(message.defects, [])
        for header, name, address in [
                ('From', company, SENDER),
                ('To', party, 'to@example.com'),
                ('Reply-To', company, 'answers@example.com'),
                ]:
            name = printable(name)[:NAME_SIZE].strip()
            found, = message[header].addresses
            self.assertEqual(found.addr_spec, address)
            self.assertEqual(found.display_name, name)
            # The programs that know no more than RFC 2047
            plain = email.message_from_bytes(data, policy=policy.compat32)
            (words, spec), = getaddresses([plain[header]])
            self.assertEqual(spec, address)
            self.assertEqual(
                str(make_header(decode_header(words))), name)

    def send(self, directory, messages):
        "Yield each message with what a server received"
        server = Server(folder=directory)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with smtplib.SMTP(*server.server_address) as client:
                for data in messages:
                    client.sendmail('from@example.com', 'to@example.com', data)
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
        return zip(messages, (
                path.read_bytes()
                for path in sorted(directory.iterdir(), key=file_number)))
