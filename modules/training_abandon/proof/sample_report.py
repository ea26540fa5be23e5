# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.i18n import gettext
from trytond.pool import Pool

from ..pdf_report import PDFReport, get_logo


class SampleReport(PDFReport):
    "The sample as it was drawn, with the findings and the answers"
    __name__ = 'training.audit.sample.report'

    @classmethod
    def get_context(cls, records, header, data):
        pool = Pool()
        Finding = pool.get('training.audit.finding')
        Line = pool.get('training.audit.sample.line')
        Sample = pool.get('training.audit.sample')
        context = super().get_context(records, header, data)
        sample = Sample(records[0].id)
        context.update(get_logo(sample.company))
        context.update(
            title=gettext('training_abandon.msg_sample_title'),
            name=sample.rec_name,
            words=cls._words(sample),
            headings=cls._headings(Line, [
                    'position', 'case', 'state', 'conformity', 'grade',
                    'steps']),
            lines=cls._lines(sample),
            finding_headings=cls._headings(Finding, [
                    'line', 'grade', 'text', 'found_on', 'found_by', 'answer',
                    'answered_on']),
            findings_title=Sample.__names__('findings')['field'],
            findings=cls._findings(sample),
            population_title=Sample.__names__('population')['field'],
            population=', '.join(sample.population_numbers.splitlines()),
            no_finding=gettext('training_abandon.msg_sample_no_finding'),
            )
        return context

    @classmethod
    def _headings(cls, Model, names):
        return [Model.__names__(name)['field'] for name in names]

    @classmethod
    def _words(cls, sample):
        "Return the sentences that tell how the cases were taken"
        values = {
            'size': len(sample.lines),
            'population': sample.population,
            'seed': sample.seed,
            'cancelled': sample.cancelled,
            'earlier': sample.earlier,
            'sha256': sample.population_sha256,
            'guide': sample.grading.rec_name if sample.grading else '',
            'date': cls.format_datetime(
                sample.drawn_at, format='%x %H:%M',
                timezone=sample.company.timezone),
            'user': sample.drawn_by.rec_name,
            }
        names = [
            sample.method, 'population', 'cancelled', 'drawn', 'earlier']
        if sample.grading:
            names.append('grading')
        return [
            gettext(f'training_abandon.msg_sample_words_{name}', **values)
            for name in names] + [
            ', '.join(c.rec_name for c in sample.courses)]

    @classmethod
    def _lines(cls, sample):
        states, conformities = (
            dict(selection) for selection in [
                type(sample.lines[0]).get_states(),
                type(sample.lines[0]).get_conformities()])
        return [[
                str(line.position), line.case.rec_name,
                states.get(line.state) or '',
                conformities.get(line.conformity) or '',
                line.grade_string or '', line.steps,
                ] for line in sample.lines]

    @classmethod
    def _findings(cls, sample):
        def date(value):
            return cls.format_date(value) if value else ''
        return [[
                f.line.rec_name, f.grade_string, f.text, date(f.found_on),
                f.found_by.rec_name, f.answer or '', date(f.answered_on),
                ] for f in sorted(
                sample.findings, key=lambda f: (f.line.position, f.id))]
