# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from trytond.modules.company.tests import (
    CompanyTestMixin, PartyCompanyCheckEraseMixin)
from trytond.modules.party.tests import PartyCheckReplaceMixin
from trytond.tests.test_tryton import ModuleTestCase


class TrainingAbandonTestCase(
        PartyCompanyCheckEraseMixin, PartyCheckReplaceMixin,
        CompanyTestMixin, ModuleTestCase):
    "Test Training Abandon module"
    module = 'training_abandon'

    @property
    def _skip_company_rule(self):
        # Records without company are shared between the companies
        return super()._skip_company_rule | {
            ('training.course', 'company'),
            ('training.abandon.reason', 'company'),
            ('training.abandon.solution', 'company'),
            ('training.abandon.procedure', 'company'),
            }


del ModuleTestCase
