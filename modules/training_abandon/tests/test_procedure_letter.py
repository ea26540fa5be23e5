# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import unittest
from unittest.mock import patch

from trytond.modules.training_abandon.exceptions import (
    LetterError, LetterValidationError)
from trytond.modules.training_abandon.procedure.letter import (
    LetterContext, blocks, logger)
from trytond.modules.training_abandon.procedure.template import (
    LetterTemplate, TemplateError)
from trytond.modules.training_abandon.tools import forget_read
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DatabaseTestCase, create_enrolments, open_cases, savepoint, set_up)


class LetterTestCase(unittest.TestCase):
    "Test the frame of the letters"

    def test_context(self):
        "Test that only the names that a letter tells are read"
        read = []

        def get(name):
            return lambda: read.append(name) or name.title()

        context = LetterContext({n: get(n) for n in ['a', 'b']})
        self.assertIn('b', context)
        self.assertFalse(read)
        palette = dict.fromkeys(context, False)
        template = LetterTemplate("${a}", palette)
        self.assertEqual(template.names, {'a'})
        context.update(c='C')
        self.assertEqual(
            dict(context), {'a': "A", 'b': "B", 'c': 'C'})
        self.assertEqual(
            LetterTemplate(
                "#if b\n${lower(a)}\n#end", palette).names, {'a', 'b'})

    def test_blocks(self):
        "Test the paragraphs and lists of the letters"
        self.assertEqual(
            blocks("Hello,\nyou\n\n- a\n- b\n\n- c\n\nBye"), [
                ('paragraph', ["Hello,", "you"]),
                ('list', ["a", "b", "c"]),
                ('paragraph', ["Bye"]),
                ])


class LetterTemplateTestCase(DatabaseTestCase):
    "Test the language of the letters"
    palette = {'trainee': False, 'late': False, 'absences': True}

    @with_transaction()
    def test_render(self):
        "Test what the letters may say"
        context = {
            'trainee': "Zoé", 'late': '', 'absences': ["1 March", "2 March"]}
        for source, text in [
                ("Hello ${trainee} $trainee", "Hello Zoé Zoé"),
                ("#if absences\nMissed:\n#for a in absences\n- ${a}\n"
                    "#end\n#end\nBye", "Missed:\n- 1 March\n- 2 March\nBye"),
                ("#if late\nlate\n#end\nBye", "Bye"),
                ("#if not late and trainee != 'Max'\nnot Max\n#end\n",
                    "not Max\n"),
                ("#if '1 March' in absences\nyes\n#end", "yes\n"),
                ("#if several(absences)\nmany\n#end\n"
                    "#if not several(absences)\none\n#end", "many\n"),
                ("${upper(trainee)}: ${join(absences)}",
                    "ZOÉ: 1 March, 2 March"),
                ("## a remark\n1 < 2 & $$5 \\#if", "1 < 2 & $5 #if"),
                ]:
            with self.subTest(source=source):
                self.assertEqual(
                    LetterTemplate(source, self.palette).render(context),
                    text)

    @with_transaction()
    def test_refused(self):
        "Test that a letter is refused with the line of what it may not say"
        for source in [
                "${''['__class__']}",
                "${trainee.strip()}",
                "${strip(trainee)}",
                "${upper(absences)}",
                "${upper(trainee, trainee)}",
                "${upper('a')}",
                "${upper(upper(trainee))}",
                "${join(trainee)}",
                "#if several(trainee)\n#end",
                "${join(absences, a=1)}",
                "${upper}",
                "${trainee.name}",
                "${absences[0]}",
                "${len(absences)}",
                "${[a for a in absences]}",
                "${{'a': trainee}}",
                "${lambda: 1}",
                "${trainee * 1000000}",
                "${'a' + 'b'}",
                "${trainee if late else ''}",
                "${f'{trainee.x}'}",
                "${unknown}",
                "$unknown",
                "$trainee.name",
                "${(yield)}",
                "${x := 1}",
                "${__import__('os')}",
                "${",
                "${%s1}" % ('not ' * 4_000),
                "${%s1%s}" % ('(' * 5_000, ')' * 5_000),
                "#for upper in absences\n${upper(trainee)}\n#end",
                "#if trainee.x\n#end",
                "#if\n#end",
                "#for a in trainee\n#end",
                "#for a in range(9)\n#end",
                "#for a, b in absences\n#end",
                "#for a.b in absences\n#end",
                "#for absences\n#end",
                "#for a in absences",
                "#end",
                "#include other",
                "#def f(x)\n#end",
                "#with x = 1\n#end",
                "#choose trainee\n#end",
                "${1e999}",
                "${b'x'}",
                "${1j}",
                "${...}",
                "${}",
                "{% if late %}x{% end %}",
                "{% for a in absences %}",
                "{{ trainee }}",
                "{# x #}",
                "#if late\n#if late\n#if late\nx\n#end\n#end\n#end",
                ]:
            with self.subTest(source=source):
                with self.assertRaises(TemplateError) as catched:
                    LetterTemplate(
                        f"First line\n{source}", self.palette).check_other()
                self.assertIn("line ", str(catched.exception))

    @with_transaction()
    def test_line(self):
        "Test that the line is the one of what is refused"
        for source, line in [
                ("To\n\n${trainee} ${a.b}", 3),
                ("To\n#if late\n${trainee}\n#end\n\n$trainee\n${a.b}", 7),
                ("To\n#if late\n\n${a.b}\n#end\n", 4),
                ("To\n\n#if a.b\n#end\n", 3),
                ("To\n\n#for a in late\n#end\n", 3),
                ]:
            with self.subTest(source=source), \
                    self.assertRaises(TemplateError) as catched:
                LetterTemplate(source, self.palette)
            self.assertEqual(catched.exception.variables['line'], line)

    @with_transaction()
    def test_size(self):
        "Test that a letter stops before it fills the memory"
        template = LetterTemplate(
            "#for a in absences\n#for b in absences\n${trainee}\n#end\n#end",
            self.palette)
        with self.assertRaises(TemplateError):
            LetterTemplate("1" * 20_001, self.palette)
        with self.assertRaises(TemplateError):
            template.render({
                    'absences': list(range(10_000)), 'trainee': 'x' * 100})

    @with_transaction()
    def test_saved(self):
        "Test that a letter is checked when it is saved and when it leaves"
        pool = Pool()
        Letter = pool.get('training.abandon.procedure.letter')
        with set_up() as (company, session, _):
            case, = open_cases(create_enrolments(session))
            draft, = type(case.procedure).copy([case.procedure])
            copy = draft.letters[0]
            for name in ['subject', 'text']:
                with self.assertRaisesRegex(
                        LetterValidationError, "line 1.*trainee.x"):
                    Letter.write([copy], {name: "${trainee.x}"})
            with patch.object(Letter, 'check_templates'):
                Letter.write([copy], {'text': "${trainee.x}"})
            with self.assertRaisesRegex(LetterError, "line 1.*trainee.x"):
                Letter(copy.id).render(trainee="Zoé")

    @with_transaction()
    def test_names_meant(self):
        "Test that the names that may have been meant are told"
        for source, names in [
                ("${traine}", r"use one of trainee \(trainee\)$"),
                ("${absence}", r"use one of absences \(absences since"),
                ("${xyz}", "use one of absences .*, late, trainee"),
                ]:
            with self.subTest(source=source), \
                    self.assertRaisesRegex(TemplateError, '.') as catched:
                LetterTemplate(source, self.palette)
            self.assertRegex(str(catched.exception), names)

    @with_transaction()
    def test_samples(self):
        """Test that a letter is refused that fails for what is missing, in
        another language or for what is compared"""
        pool = Pool()
        Lang = pool.get('ir.lang')
        Letter = pool.get('training.abandon.procedure.letter')
        Procedure = pool.get('training.abandon.procedure')
        procedure, = Procedure.search([('state', '=', 'active')])
        draft, = Procedure.copy([procedure])
        letter = draft.get_letter('follow_up', 'standard', 'trainee')
        for values, error in [
                ({'subject': "${employee}"},
                    r"subject.*empty.*employee \(person who writes\)"),
                ({'subject': "${reason_category} ${employee}"},
                    "subject.*empty.*employee.*reason_category"),
                ({'text': "To\n${trainee}\n#if hours_missed > 3\nx\n#end"},
                    'line 3: "hours_missed > 3" compares'),
                ({'text': "To\n\n#if 5 in trainee\nx\n#end"},
                    'line 3: "5 in trainee" compares'),
                ({'text': "x" * 1_000_000}, "longer than 20000"),
                ({'text': "#for a in absences\n${a}"}, "line 1.*no #end"),
                ]:
            with self.subTest(values=str(values)[:50]), \
                    self.assertRaisesRegex(LetterValidationError, error), \
                    savepoint():
                Letter.write([letter], values)
        french, = Lang.search([('code', '=', 'fr')])
        french.translatable = True
        french.save()
        for is_checked in [True, False]:
            with self.subTest(is_checked=is_checked), \
                    self.assertRaisesRegex(
                        LetterValidationError, 'French.*"stagiaire"'):
                with Transaction().set_context(language='fr'), \
                        patch.object(
                            Letter, 'check_templates', side_effect=(
                                Letter.check_templates if is_checked
                                else None)):
                    Letter.write([letter], {'text': "${stagiaire}"})
                Letter.check_rendered([letter])

    @with_transaction()
    def test_modernise(self):
        "Test that the letters are written as their language wants them"
        pool = Pool()
        Letter = pool.get('training.abandon.procedure.letter')
        Translation = pool.get('ir.translation')
        old = (
            "Dear ${trainee.upper()},\n"
            "#if trainee.lower() != 'max'\n"
            "${', '.join(absences)} $course {kept.upper()}\n#end")
        new = (
            "Dear ${upper(trainee)},\n"
            "#if lower(trainee) != 'max'\n"
            "${join(absences)} $course {kept.upper()}\n#end")
        with set_up() as (company, session, _):
            case, = open_cases(create_enrolments(session))
            draft, = type(case.procedure).copy([case.procedure])
            letter, broken = [
                x for x in draft.letters if x.step_kind == 'inform'][:2]
            with patch.object(Letter, 'check_templates'):
                Letter.write(
                    [letter], {'text': old}, [broken], {'text': "To\n${a.b}"})
            translation, = Translation.create([{
                        'type': 'model',
                        'name': 'training.abandon.procedure.letter,text',
                        'res_id': letter.id,
                        'lang': 'fr',
                        'value': old,
                        }])
            with patch.object(Transaction, 'atexit') as atexit:
                # As each wing that adds to the names registers the letters
                with patch.object(Letter, 'palette', lambda self: {}), \
                        self.assertNoLogs(logger, 'WARNING'):
                    Letter._modernise()
                Letter._modernise()
            (log, *arguments), _ = atexit.call_args
            atexit.assert_called_once()
            with self.assertLogs(logger, 'WARNING') as logs:
                log(*arguments)
            forget_read()
            self.assertEqual(Letter(letter.id).text, new)
            self.assertEqual(Translation(translation.id).value, new)
            for line in logs.output:
                self.assertIn(f"letter {broken.id} ", line)
                self.assertIn("'line': 2", line)

    @with_transaction()
    def test_palette(self):
        "Test that the palette is what the letters are rendered with"
        pool = Pool()
        Letter = pool.get('training.abandon.procedure.letter')
        with set_up() as (company, session, prescriber):
            case, = open_cases(create_enrolments(session))
            context = case.letter_context(prescriber)
            self.assertEqual(
                {n: isinstance(v, list) for n, v in context.items()},
                Letter(step_kind='decide').palette())
            for value in context.values():
                for item in value if isinstance(value, list) else [value]:
                    self.assertIsInstance(item, str)
