# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import json
import random
import unittest
from pathlib import Path

from trytond.modules.training_abandon.mail.message import read_message
from trytond.modules.training_abandon.mail.text import newest_part

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

    def test_person(self):
        "Test that what a person tells is taken for nothing else"
        for text in [
                "Envoyé de Lyon à Paris, je ne peux plus venir.",
                "Envoyé de mon iPhone car je suis malade",
                "Envoyé de mon bureau, j'arrête",
                "Sent with love, I am ill",
                "Obtenir un rendez-vous par téléphone est impossible",
                "Télécharger avec mon téléphone ne marche pas",
                "Yahoo mail : plus d'accès",
                "Message du 3 mars : je ne viens pas.",
                "De : Camille\nÀ : Formation\nObjet : Abandon\n\nMalade.",
                ]:
            with self.subTest(text=text):
                self.assertEqual(newest_part(text), text)
                text = f"Bonjour,\n{text}\nMerci"
                self.assertEqual(newest_part(text), text)

    def test_signature(self):
        "Test that the signatures of the programs are no words"
        for signature in [
                "Envoyé de mon iPad",
                "Envoyé de mon iPhone, merci d'excuser les fautes",
                "Envoyé à partir de l’application mobile",
                "Envoyé à partir d’Outlook pour Android<https://a.example/b>",
                "Envoyé depuis un mobile Samsung",
                "Sent from Yahoo Mail on Android",
                "Sent from Mail<https://mail.example/?id=5> for Windows",
                "Sent from my Verizon, Samsung Galaxy smartphone",
                "Sent with Shift",
                "Yahoo Mail : Recherchez. Organisez. Maîtrisez",
                # with invisible signs
                "\u2063Télécharger BlueMail pour Android \u200b",
                ]:
            with self.subTest(signature=signature):
                self.assertEqual(newest_part(f"Oui.\n\n{signature}"), "Oui.")

    def test_header(self):
        "Test the lines above what the programs quote"
        for header in [
                '"Formation Sud" <a@b.example> a écrit :',
                '============ Forwarded message ============\nDe: A\nA: B',
                'Message du 02/03/26 à 10:12',
                ]:
            with self.subTest(header=header):
                self.assertEqual(
                    newest_part(f"Oui.\n\n{header}\n\n> Bonjour"), "Oui.")

    def test_damaged(self):
        "Test that no damage stops the reading or leaves what no one stores"
        chance = random.Random(20260303)
        messages = [p.read_bytes() for p in sorted(FOREIGN.glob('*.eml'))]
        for _ in range(1_000):
            data = bytearray(chance.choice(messages))
            for _ in range(chance.randint(1, 8)):
                position = chance.randrange(len(data) + 1)
                other = chance.choice(messages)
                data[position:position + chance.choice([0, 1, 50])] = (
                    other[chance.randrange(len(other)):][:chance.choice(
                            [0, 1, 200])]
                    or bytes([chance.randrange(256)]))
            with self.subTest(data=bytes(data)), self.assertNoLogs(
                    'trytond.modules.training_abandon'):
                result = self.describe(read_message(bytes(data)))
                for value in filter(None, map(str, result.values())):
                    value.encode('utf-8')
                    self.assertNotIn('\x00', value)

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
