# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The annual report printed, and what its lines count"
import datetime as dt
from itertools import groupby

from trytond.i18n import gettext
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import PYSONEncoder
from trytond.transaction import check_access
from trytond.wizard import StateAction, Wizard

from .. import tools
from ..exceptions import TrainingValidationError
from ..pdf_report import PDFReport, Section, get_logo
from ..training.enrolment import hours_name


class Report(PDFReport):
    "The annual report of the company and the year of the context"
    __name__ = 'training.bpf'

    @classmethod
    def execute(cls, ids, data):
        pool = Pool()
        Line = pool.get('training.bpf.line')
        # The sections are those of the whole year, whatever is selected
        with check_access():
            lines = Line.search([])
        if not lines:
            raise TrainingValidationError(gettext(
                    'training_abandon.msg_bpf_none'))
        return super().execute([x.id for x in lines], data)

    @classmethod
    def get_context(cls, records, header, data):
        pool = Pool()
        Line = pool.get('training.bpf.line')
        context = super().get_context(records, header, data)
        company = context['company']
        context.update(get_logo(company))
        context.update(
            title=gettext('training_abandon.msg_bpf_title'),
            period=str(Line._scope()[1]),
            course='',
            definition=gettext(
                'training_abandon.msg_bpf_definition',
                date=cls.format_date(tools.today(company))),
            sections=[
                cls._section(list(lines))
                for _, lines in groupby(records, lambda x: x.section)])
        return context

    @classmethod
    def _section(cls, lines):
        names = lines[0].told()
        labels = lines[0].fields_get(names)
        rows = [
            [x.category_string, *(cls._format(x, n, getattr(x, n))
                    for n in names)]
            for x in lines]
        rows.append([gettext('training_abandon.msg_bpf_total'), *(
                    # Who is in two categories would be counted twice
                    '' if n == 'trainees'
                    else cls._format(lines[0], n, cls._sum(lines, n))
                    for n in names)])
        return Section(
            lines[0].section_string, None, None,
            ['', *(labels[n]['string'] for n in names)], rows)

    @staticmethod
    def _sum(lines, name):
        first, *others = (getattr(x, name) for x in lines)
        return sum(others, first)

    @classmethod
    def _format(cls, line, name, value):
        if isinstance(value, dt.timedelta):
            return hours_name(value)
        elif name == 'amount':
            return cls.format_currency(value, None, line.currency)
        return cls.format_number(value, None, digits=0)


class Open(Wizard):
    "The records that a line of the report counts"
    __name__ = 'training.bpf.open'

    start_state = 'open_'
    open_ = StateAction('training_abandon.act_enrolment_form')

    def do_open_(self, action):
        pool = Pool()
        Action = pool.get('ir.action')
        ModelData = pool.get('ir.model.data')
        # The client may send those of another year
        lines = [x for x in self.records if x.company]
        if len(lines) != 1:
            return
        line, = lines
        module, name, ids = line.opened()
        value = Action(Action.get_action_id(
                ModelData.get_id(module, name))).get_action_value()
        Model = pool.get(value['res_model'])
        if not tools.may_read(Model):
            raise AccessError(gettext(
                    'training_abandon.msg_bpf_access',
                    line=line.rec_name, **Model.__names__()))
        value['name'] = line.rec_name
        value['pyson_domain'] = PYSONEncoder().encode([('id', 'in', ids)])
        value['domains'] = []
        return value, {}
