# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import time
from unittest.mock import patch

from trytond.modules.training_abandon.exceptions import LetterValidationError
from trytond.modules.training_abandon.procedure import frame as frame_module
from trytond.modules.training_abandon.procedure.frame import limited
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction

from .common import DatabaseTestCase, create_enrolments, open_cases, set_up

FRAME = b'''<html xmlns:py="http://genshi.edgewall.org/">
<body>%s
<p py:for="kind, lines in blocks">${lines[0]}</p>
</body></html>'''


class FrameTestCase(DatabaseTestCase):
    "Test the frames of the letters"

    def frame(self, name="Frame"):
        pool = Pool()
        ActionReport = pool.get('ir.action.report')
        frame, = ActionReport.create([{
                    'name': name,
                    'model': 'training.abandon.case',
                    'report_name': 'training.abandon.letter',
                    'template_extension': 'html',
                    }])
        return frame

    @with_transaction()
    def test_refused(self):
        "Test that a frame that cannot draw the letters is refused"
        pool = Pool()
        ActionReport = pool.get('ir.action.report')
        with set_up() as (company, session, _):
            frame = self.frame()
            for has_case in [False, True]:
                if has_case:
                    open_cases(create_enrolments(session))
                ActionReport.write([frame], {
                        'report_content': FRAME % b'${record.rec_name}'})
                for content, line in [
                        (b'${unknown}', 2),
                        (b'<p>\n${1 / 0}</p>', 3),
                        (b'<p>', 4),
                        (b'<p py:for="i in">1</p>', 2),
                        (b'x' * 1_000_000, 1),
                        ]:
                    with self.subTest(
                            content=content[:30], has_case=has_case):
                        self.refuse(frame, content, line)
                with self.subTest(has_case=has_case), \
                        patch.object(frame_module, 'DRAWING_TIME', .5):
                    self.refuse(
                        frame, b'<p py:for="i in iter(int, 1)">1</p>', 1)
            with self.assertRaisesRegex(LetterValidationError, "unknown"):
                ActionReport.write([frame], {
                        'report_content': FRAME % b'${record.unknown}'})
            with self.assertRaisesRegex(LetterValidationError, "HTML"):
                ActionReport.write([frame], {'template_extension': 'odt'})

    def refuse(self, frame, content, line):
        pool = Pool()
        ActionReport = pool.get('ir.action.report')
        start = time.monotonic()
        with self.assertRaisesRegex(
                LetterValidationError, f"Frame.*line {line}"):
            ActionReport.write([frame], {'report_content': FRAME % content})
        self.assertLess(time.monotonic() - start, 30)

    @with_transaction()
    def test_other(self):
        "Test that the other reports are left alone"
        pool = Pool()
        ActionReport = pool.get('ir.action.report')
        report = self.frame()
        ActionReport.write([report], {
                'report_name': 'party.label',
                'report_content': b'${',
                })

    def test_limited(self):
        "Test that a loop without end is ended"
        with self.assertRaises(TimeoutError), limited(.05):
            (lambda: [x for x in iter(int, 1)])()
