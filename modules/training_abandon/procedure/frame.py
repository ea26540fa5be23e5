# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The check of the frames of the letters, that are reports of Tryton"
import ctypes
import threading
from contextlib import contextmanager

from trytond.i18n import gettext
from trytond.pool import Pool, PoolMeta
from trytond.transaction import without_check_access

from ..exceptions import LetterValidationError
from .letter import Frame
from .template import SOURCE_SIZE, place_of

# How long a frame may draw a letter, in seconds
DRAWING_TIME = 5
# How many times it is interrupted
TRIES = 10
_TEXT = "Camille Martin,\n\n- 1\n- 2\n\nNice"


class _Anything:
    "What stands for a record as long as there is none"

    def __getattr__(self, name):
        if name.startswith('__'):
            raise AttributeError(name)
        return self

    def __getitem__(self, name):
        return self

    def __call__(self, *args, **kwargs):
        return self

    def __iter__(self):
        return iter([])

    def __len__(self):
        return 0

    def __bool__(self):
        return True

    def __lt__(self, other):
        return False

    __le__ = __gt__ = __ge__ = __lt__

    def __add__(self, other):
        return self

    __radd__ = __sub__ = __rsub__ = __add__

    def __format__(self, specification):
        return str(self)

    def __str__(self):
        return "…"


@contextmanager
def limited(seconds):
    """Raise TimeoutError in the Python code that runs longer than that

    It is raised again: what is raised in a finalizer is lost."""
    thread, done = threading.get_ident(), threading.Event()

    def watch():
        for delay in [seconds, *[1] * TRIES]:
            if done.wait(delay):
                break
            _raise_in(thread, TimeoutError)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _raise_in(thread, exception):
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread), ctypes.py_object(exception))


class ActionReport(metaclass=PoolMeta):
    __name__ = 'ir.action.report'

    @classmethod
    def validate_fields(cls, reports, field_names):
        super().validate_fields(reports, field_names)
        cls.check_letter_frames(reports, field_names)

    @classmethod
    @without_check_access
    def check_letter_frames(cls, reports, field_names=None):
        "Check that those of the reports that are frames can draw the letters"
        if field_names and not field_names & {
                'report_name', 'report', 'report_content_custom',
                'template_extension', 'translatable'}:
            return
        pool = Pool()
        Letter = pool.get('training.abandon.procedure.letter')
        frames = [
            r for r in reports if r.report_name == 'training.abandon.letter'
            and r.is_custom]
        if not frames:
            return
        records = Letter.frame_records() or [_Anything()]
        for frame in frames:
            frame._check_letter_frame(records)

    def _check_letter_frame(self, records):
        if self.template_extension not in {'html', 'xhtml'}:
            self._refuse_letter_frame(
                1, gettext('training_abandon.msg_frame_html'))
        if len(self.report_content_custom) > 10 * SOURCE_SIZE:
            self._refuse_letter_frame(1, gettext(
                    'training_abandon.msg_letter_size',
                    size=10 * SOURCE_SIZE))
        try:
            with limited(DRAWING_TIME):
                frame = Frame(self)
                for record in records:
                    frame.render(
                        record, record.company, subject="Excel", text=_TEXT)
        except TimeoutError:
            self._refuse_letter_frame(1, gettext(
                    'training_abandon.msg_frame_time', seconds=DRAWING_TIME))
        except Exception as exception:
            line, expression = place_of(exception)
            # The lines of Genshi are about those of the expressions
            before, found, _ = self.report_content_custom.partition(
                expression.encode('utf-8') or b'\0')
            if found:
                line = before.count(b'\n') + 1
            self._refuse_letter_frame(
                line, ' – '.join(filter(None, [expression, str(exception)])))

    def _refuse_letter_frame(self, line, error):
        raise LetterValidationError(gettext(
                'training_abandon.msg_frame_invalid',
                frame=self.rec_name, line=line, error=error))
