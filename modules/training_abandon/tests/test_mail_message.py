# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import time
import unittest

from trytond.modules.training_abandon.mail.bounce import Bounce
from trytond.modules.training_abandon.mail.message import read_message
from trytond.modules.training_abandon.mail.text import recognise

from .test_mail_reply import message


class ReplyMessageTestCase(unittest.TestCase):
    "Test the reading of malformed messages"

    def test_malformed(self):
        "Test that nothing that comes stops the reading"
        for raw in [
                b'',
                b'\x00\xff',
                b'\n\nwords',
                b'From: \n\nwords',
                b'From: =?utf-8?b?###?= <a@b.example\nTo: <<>,;\n\nx',
                b'From: a@b.example\nDate: never\nReceived: x; 99 Foo\n\nx',
                b'Subject: =?unknown-8bit?q?=E9?= =?utf-99?b?4oKs?=\n\nx',
                b'Content-Type: text/plain; charset=nothing\n\n\xe9t\xe9',
                b'Content-Type: text/plain; charset=utf-8\n\n\xe9t\xe9\x00',
                b'Content-Type: text/html\n\n<p><b>\xe9t\xe9<table><td>',
                b'Content-Type: multipart/mixed\n\nno boundary',
                b'Content-Type: multipart/mixed; boundary=a\n\n--a\n--a',
                b'Content-Type: multipart/alternative; boundary=a\n\n--a--',
                b'Content-Type: multipart/report; boundary=a\n\n--a--',
                b'Content-Type: message/rfc822\n\n',
                b'Content-Type: message/delivery-status\n\nAction\n\nx: y',
                b'Content-Type: message/delivery-status\n\n: x\nStatus: 5',
                b'Content-Type: text/plain; charset=hex\n\n\xe9',
                b'Content-Transfer-Encoding: base64\n\n#!',
                b'Content-Transfer-Encoding: x-uuencode\n\nbegin',
                b'Content-Type: text/plain; charset*=a\'b\'%zz\n\nx',
                b'Content-Type: application/pdf; name*0*=x\'\'%E9\n\nx',
                b'Message-ID: <>\nReferences: <a <b> c>\n\nx',
                b'Message-ID: <a\x00@b>\nIn-Reply-To: <c\x00@d>\n\nx',
                b'From: ' + b'(' * 10_000 + b'\n\nx',
                b'Content-Type: message/rfc822\n\n' * 1_000 + b'x',
                b'Content-Type: multipart/mixed; boundary=a\n\n--a\n'
                b'Content-Type: message/delivery-status\n\nx: y\n\n'
                b'Action: failed\nDiagnostic-Code: smtp; 550 \x00\n\n--a--',
                ]:
            with self.subTest(raw=raw[:80]):
                result = read_message(raw)
                self.assertTrue(result.identifier)
                reason = result.bounce.reason if result.bounce else ''
                for text in [
                        result.identifier, result.from_, result.subject,
                        result.body, result.text, reason, *result.answered]:
                    self.assertNotIn('\x00', text)
                    text.encode('utf-8')

    def test_nested(self):
        "Test a message of many levels"
        raw = (
            b'Subject: Levels\n'
            b'Content-Type: multipart/mixed; boundary=a0\n\n')
        for level in range(2_000):
            raw += (
                f'--a{level}\nContent-Type: multipart/mixed; '
                f'boundary=a{level + 1}\n\n').encode()
            if level in {200, 1_999}:
                result = read_message(raw)
                self.assertEqual(result.subject, "Levels")
                self.assertEqual(result.data, raw)

    def test_no_bounce(self):
        "Test that what a person writes or sends is no bounce"
        report = (
            b'Content-Type: multipart/report; report-type=%s; boundary=b\n\n'
            b'--b\n\nIt failed\n--b\n'
            b'Content-Type: message/delivery-status\n\nReporting-MTA: x\n\n'
            b'Final-Recipient: rfc822; a@b.example\nAction: failed\n'
            b'Status: 5.1.1\n\n--b--\n')
        self.assertTrue(read_message(report % b'delivery-status').bounce)
        for raw in [
                b"\n\nHi. This is the mother of the trainee.",
                b'From: a@b.example\n'
                b'Content-Type: multipart/mixed; boundary=a\n\n'
                b'--a\n\nSee what I got\n--a\n'
                b'Content-Type: message/rfc822\n\n'
                + report % b'delivery-status' + b'--a--\n',
                b'Content-Type: multipart/report; '
                b'report-type=feedback-report; boundary=a\n\n'
                b'--a\n\nThis is an abuse report\n--a\n'
                b'Content-Type: message/feedback-report\n\n'
                b'Feedback-Type: abuse\n\n--a--',
                ]:
            with self.subTest(raw=raw[:80]):
                self.assertIsNone(read_message(raw).bounce)

    def test_about_address(self):
        "Test which failures condemn the address"
        for status, about in [
                ('5.1.1', True), ('5.2.2', True), ('4.4.7', True),
                ('5.2.3', False), ('5.3.4', False), ('5.6.1', False),
                ('5.7.1', False)]:
            with self.subTest(status=status):
                self.assertEqual(
                    Bounce('failed', status).about_address, about)

    def test_answer_to_automatic(self):
        "Test that who answers an automatic reply is a person"
        for subject, automatic in [
                ("Message d'absence", True),
                ("Re: Message d'absence", False),
                ("TR : Automatic reply: Hello", False),
                ("Lu : Votre absence", False)]:
            with self.subTest(subject=subject):
                self.assertEqual(
                    read_message(message(Subject=subject).as_bytes())
                    .automatic, automatic)

    def test_automatic_text(self):
        "Test that a person sees what only words tell to be automatic"
        for text, automatic in [
                ("Ceci est une réponse automatique.", True),
                ("This is an automated response.", True),
                ("Je suis actuellement absente du bureau.", True),
                ("I am out of the office.", True),
                ("Je suis absente du cours, malade.", False),
                ("Oui, c'est pour raison de santé", False),
                ("Bonjour\n\nLe 3 mars 2026 à 10:00, x@a.example a écrit :\n"
                    "> Ceci est un message automatique", False)]:
            with self.subTest(text=text):
                result = read_message(message(text).as_bytes())
                self.assertEqual(
                    (result.automatic, result.uncertain), (automatic,) * 2)

    def test_absence(self):
        "Test that a person sees what a trainee may have written"
        for headers, uncertain in [
                ({}, True), ({'X-Autoreply': 'yes'}, False)]:
            result = read_message(message(
                    "Je suis malade", Subject="Avis d'absence",
                    **headers).as_bytes())
            self.assertEqual(
                (result.automatic, result.uncertain), (True, uncertain))

    def test_mixed_header(self):
        "Test that a header may have words of several encodings"
        subject = 'Réponse automatique : '.encode() + 'Été'.encode('latin-1')
        result = read_message(b'Subject: ' + subject + b'\n\nx')
        self.assertEqual(result.subject, "Réponse automatique : Été")
        self.assertTrue(result.automatic)

    def test_challenge(self):
        "Test that an anti-spam is not a person who has one"
        protected = "Protégé par Mailinblack, https://mailinblack.example"
        for subject, text, path, expected in [
                ("Votre message", f"Afin qu'il me parvienne, cliquez.\n"
                    f"{protected}", '<>', True),
                ("Authentification requise", "Bloqué par notre anti-spam : "
                    "cliquez sur ce lien.", '<>', True),
                ("Confirmation de votre message", "Saisissez le captcha afin "
                    "que le message soit remis.", '<>', True),
                ("Absence du bureau", "Absente, vérifié par notre antispam "
                    "- https://antispam.example", '<>', False),
                ("Re: Votre absence", f"Malade.\n{protected}",
                    '<camille@mail.example>', False)]:
            with self.subTest(subject=subject):
                result = read_message(message(
                        text, Subject=subject,
                        Return_Path=path).as_bytes())
                self.assertEqual(result.challenge, expected)
        result = read_message(message(
                "Refused by our antispam, see https://antispam.example",
                From="postmaster@isp.example", Subject="Mail",
                Return_Path='<>').as_bytes())
        self.assertEqual(
            (result.challenge, result.bounce.action), (False, 'failed'))

    def test_charsets(self):
        for charset, data in [
                ('utf-8', "été".encode()),
                ('iso-8859-1', "été".encode('latin-1')),
                ('windows-1252', "été".encode('cp1252')),
                ('us-ascii', "été".encode()),
                ('us-ascii', "été".encode('cp1252')),
                ('utf-8', "été".encode('cp1252')),
                ('iso-8859-1', "été".encode()),
                ('windows-1252', "été".encode()),
                ('iso-8859-15', "été".encode('iso-8859-15')),
                ('x-unknown', "été".encode())]:
            with self.subTest(charset=charset, data=data):
                result = read_message(
                    f'Content-Type: text/plain; charset={charset}\n\n'
                    .encode() + data)
                self.assertEqual(result.body, "été")

    def test_windows(self):
        "Test that the punctuation of Windows is that whatever its name is"
        result = read_message(
            b'Content-Type: text/plain; charset=iso-8859-1\n\nl\x92an \x85')
        self.assertEqual(result.body, "l’an …")

    def test_control(self):
        "Test that no control character is kept"
        result = read_message(
            b'Subject: a\x08b\nContent-Type: text/plain; charset=utf-8\n\n'
            b'\x1b[31mred\x01\tand\xef\xbf\xbe')
        self.assertEqual((result.subject, result.body), ('ab', '[31mred\tand'))

    def test_html_entities(self):
        result = read_message(
            b'Content-Type: text/html\n\n<p>&Eacute;t&eacute;&nbsp;: 3&euro;')
        self.assertEqual(result.body, "Été : 3€")

    def test_large(self):
        "Test that a large message is read in a moment"
        for line, size in [
                (b'words of a letter\n', 30_000_000),
                *((line, 1_000_000) for line in [
                        b' ', b'> ', b'Le ', b'<a ', b'<!-- ', b'<div>', b'&',
                        b'Le 1 mars, a@b.example wrote x:\n', b'x - ',
                        b'\n', b'<!---->', b'a \n'])]:
            for type_ in [b'plain', b'plain; format=flowed', b'html']:
                raw = (b'Content-Type: text/' + type_ + b'\n\n'
                    + line * (size // len(line)))
                with self.subTest(line=line, type_=type_):
                    start = time.process_time()
                    result = read_message(raw)
                    recognise(
                        result.body, result.text, [["Manque de temps"]])
                    self.assertLess(time.process_time() - start, 20)
                    self.assertLessEqual(len(result.body), 500_000)

    def test_large_headers(self):
        for name in [b'Subject', b'From', b'To']:
            for words in [b'=?utf-8?q?a?= ', b'a@b.example,', b'<', b'(']:
                raw = name + b': ' + words * (1_000_000 // len(words))
                with self.subTest(name=name, words=words):
                    start = time.process_time()
                    read_message(raw + b'\n\nx')
                    self.assertLess(time.process_time() - start, 20)

    def test_many_parts(self):
        "Test that the parts that are not read are attached"
        part = b'--a\nContent-Type: text/html\n\n' + b'<p>a' * 100_000
        result = read_message(
            b'Content-Type: multipart/mixed; boundary=a\n\n'
            + (part + b'\n') * 10)
        self.assertEqual(len(result.attachments), 8)
