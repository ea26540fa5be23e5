# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""The letters that come with the module

The update leaves those of the existing databases as they are."""
import ast
from pathlib import Path

import polib
from lxml import etree

from trytond.i18n import gettext
from trytond.model import ModelView
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import Transaction

from .letter import letter_languages
from .states import STEP_ORDER

_LETTER = 'training.abandon.procedure.letter'
_KEY = ['step_kind', 'variant', 'audience']
_TEXTS = ['subject', 'text']
_DATA = Path(__file__).parent / 'procedure_data.xml'
_LOCALE = Path(__file__).parent.parent / 'locale'


def shipped_letters():
    "Return the values of the letters of the module, in English, by XML id"
    letters = {}
    for record in etree.parse(str(_DATA)).iter('record'):
        if record.get('model') == _LETTER:
            letters[record.get('id')] = {
                field.get('name'): (
                    ast.literal_eval(field.get('eval'))
                    if field.get('eval') else field.text)
                for field in record.iter('field') if not field.get('ref')}
    return letters


def shipped_translations(language):
    "Return the texts of the letters of the module by (name, XML id)"
    path = _LOCALE / f'{language}.po'
    if not path.exists():
        return {}
    translations = {}
    for entry in polib.pofile(str(path)):
        type_, name, id_ = [*(entry.msgctxt or '').split(':'), '', ''][:3]
        model, _, field = name.partition(',')
        if type_ == 'model' and model == _LETTER and entry.translated():
            translations[field, id_] = entry.msgstr
    return translations


def shipped_letter(language, *key):
    "Return the letter of the module in the language, which is not saved"
    pool = Pool()
    Letter = pool.get(_LETTER)
    translations = shipped_translations(language)
    id_, values = next(
        (i, values) for i, values in shipped_letters().items()
        if tuple(values[n] for n in _KEY) == key)
    return Letter(procedure=None, **{
            n: translations.get((n, id_)) or v for n, v in values.items()})


class ShippedLettersMixin:
    "Procedures that may take the letters of the module"
    __slots__ = ()

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update(
            take_letters={
                'invisible': Eval('state') != 'draft',
                'depends': ['state'],
                })

    @classmethod
    @ModelView.button
    def take_letters(cls, procedures):
        "Give the drafts the texts that the letters of the module have now"
        pool = Pool()
        Configuration = pool.get('ir.configuration')
        Letter = pool.get(_LETTER)
        for procedure in procedures:
            if procedure.state != 'draft':
                raise AccessError(gettext(
                        'training_abandon.msg_procedure_not_draft',
                        procedure=procedure.rec_name))
        shipped = shipped_letters()
        # Writing the language of the database makes the others fuzzy
        source = Configuration.get_language()
        with Transaction().set_context(language=source):
            letters = []
            for procedure in cls.browse(procedures):
                letters += procedure._shipped(
                    shipped, shipped_translations(source))
            Letter.save([letter for letter, _ in letters])
        ids = {letter.id: id_ for letter, id_ in letters}
        for language in letter_languages():
            if language.code == source:
                continue
            texts = shipped_translations(language.code)
            if language.code == 'en':
                texts = {
                    (n, i): shipped[i][n] for i in shipped for n in _TEXTS}
            with Transaction().set_context(language=language.code):
                translated = Letter.browse(list(ids))
                for letter in translated:
                    for name in _TEXTS:
                        if text := texts.get((name, ids[letter.id])):
                            setattr(letter, name, text)
                Letter.save(translated)

    def _shipped(self, shipped, translations):
        "Return the list of the letters to save, with their XML ids"
        pool = Pool()
        Letter = pool.get(_LETTER)
        own = {tuple(getattr(x, n) for n in _KEY): x for x in self.letters}
        kinds = {s.kind for s in self.steps}
        letters = []
        for id_, values in shipped.items():
            values = {
                n: translations.get((n, id_)) or v
                for n, v in values.items()}
            if values['step_kind'] in STEP_ORDER and (
                    values['step_kind'] not in kinds):
                continue
            key = tuple(values[n] for n in _KEY)
            if letter := own.get(key):
                for name in _TEXTS:
                    setattr(letter, name, values[name])
            else:
                letter = Letter(
                    procedure=self, report=Letter.default_report(), **values)
            letters.append((letter, id_))
        return letters
