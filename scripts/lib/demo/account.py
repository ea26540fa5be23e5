# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""The accounts of the provider of the demo: the French chart, its fiscal
years and the products that the settlements invoice

python -m lib.demo.account DATABASE CONFIG"""

import datetime as dt
import sys
from decimal import Decimal

from proteus import Model
from proteus import config as pconfig
from trytond.modules.account.tests.tools import create_chart, create_fiscalyear
from trytond.modules.account_invoice.tests.tools import (
    set_fiscalyear_invoice_sequences)

TRAINING = "Formation"
# Accounts of the chart: services, sundry exceptional revenue
TRAINING_ACCOUNT = '706'
INDEMNITY_ACCOUNT = '7788'


def main(database, config_file):
    config = pconfig.set_trytond(database, config_file=config_file)
    create_chart(chart='account_fr.root')
    # The tools find the types of the sequences by their names
    with config.set_context(language='en'):
        create_fiscal_years()
    configure()


def create_fiscal_years():
    "The trainings of the demo begin in the year before this one"
    this_year = dt.date.today().year
    for year in range(this_year - 1, this_year + 2):
        fiscalyear = create_fiscalyear(
            today=(dt.date(year, 1, 1), dt.date(year, 12, 31)))
        set_fiscalyear_invoice_sequences(fiscalyear).click('create_period')


def configure():
    "Choose what the settlements invoice: no training here bears a tax"
    Configuration = Model.get('training.configuration')
    configuration = Configuration(1)
    configuration.training_product = create_product(
        TRAINING, TRAINING_ACCOUNT)
    configuration.indemnity_product = create_product(
        "Dédit", INDEMNITY_ACCOUNT)
    configuration.indemnity_tax = 'none'
    configuration.save()


def create_product(name, code):
    Account = Model.get('account.account')
    Category = Model.get('product.category')
    Template = Model.get('product.template')
    Uom = Model.get('product.uom')
    account, = Account.find([
            ('code', 'like', code + '%'),
            ('type.revenue', '=', True),
            ], limit=1)
    category = Category(
        name=name, accounting=True, account_revenue=account)
    category.save()
    unit, = Uom.find([('symbol', '=', 'u')])
    template = Template(
        name=name, type='service', list_price=Decimal(0), default_uom=unit,
        account_category=category)
    template.save()
    product, = template.products
    return product


if __name__ == '__main__':
    main(*sys.argv[1:])
