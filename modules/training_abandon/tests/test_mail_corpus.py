# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import json
import unittest
from pathlib import Path

from trytond.modules.training_abandon.mail.message import read_message

FOREIGN = Path(__file__).parent / 'foreign'
MESSAGE_ID = '<176000000000.1.mail@provider.example>'


class MailCorpusTestCase(unittest.TestCase):
    "Test the reading of the messages of many servers and programs"

    maxDiff = None

    def test_foreign(self):
        "Test each message, without any database"
        expected = json.loads(
            (FOREIGN / 'expected.json').read_text(encoding='utf-8'))
        paths = sorted(FOREIGN.glob('*.eml'))
        self.assertEqual([p.stem for p in paths], sorted(expected))
        for path in paths:
            with self.subTest(path.stem):
                values = expected[path.stem]
                result = self.describe(read_message(path.read_bytes()))
                self.assertEqual(
                    {name: result[name] for name in values}, values)

    def describe(self, message):
        bounce = message.bounce
        return {
            'kind': self.kind(message),
            'mail': MESSAGE_ID in message.answered,
            'uncertain': bool(bounce and bounce.uncertain),
            'refusal': bounce.refusal if bounce else None,
            'reason': bounce.reason if bounce else None,
            'recipients': bounce.recipients if bounce else None,
            'from_': message.from_,
            'subject': message.subject,
            'text': message.text,
            'attachments': [name for name, _, _ in message.attachments],
            }

    def kind(self, message):
        if message.bounce:
            return {
                'failed': 'bounce',
                'delayed': 'delay',
                'delivered': 'auto_reply',
                }[message.bounce.action]
        elif message.challenge:
            return 'challenge'
        return 'auto_reply' if message.automatic else 'answer'
