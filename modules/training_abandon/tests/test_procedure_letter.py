# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import unittest

from trytond.modules.training_abandon.procedure.letter import blocks


class LetterTestCase(unittest.TestCase):
    "Test the frame of the letters"

    def test_blocks(self):
        "Test the paragraphs and lists of the letters"
        self.assertEqual(
            blocks("Hello,\nyou\n\n- a\n- b\n\n- c\n\nBye"), [
                ('paragraph', ["Hello,", "you"]),
                ('list', ["a", "b", "c"]),
                ('paragraph', ["Bye"]),
                ])
