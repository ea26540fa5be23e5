# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The kinds of the steps, the states and the grounds of the cases"

# The steps of the procedure in their order, with their labels
STEP_KINDS = [
    ('inform', "Inform the Prescriber"),
    ('ask_reasons', "Ask the Reasons"),
    ('analyse', "Analyse the Causes"),
    ('propose', "Propose Solutions"),
    ('exchange', "Exchange"),
    ('follow_up', "Follow up with an Alternative"),
    ('decide', "Validate or Invalidate"),
    ('certify', "Have the Certificate Signed"),
    ]
STEP_ORDER = [kind for kind, _ in STEP_KINDS]
# The steps that wait for an answer to their mails
ANSWERED_KINDS = ['ask_reasons', 'exchange', 'follow_up', 'certify']
# The steps that write to the trainee and who answers and signs for it, alone
TRAINEE_KINDS = ['ask_reasons', 'certify']
CASE_STATES = [
    ('draft', "Opened"),
    ('informed', "Prescriber Informed"),
    ('inquiring', "Reasons Asked"),
    ('analysed', "Analysed"),
    ('proposed', "Solutions Proposed"),
    ('exchanged', "Exchanged"),
    ('followed_up', "Followed up"),
    ('validated', "Validated"),
    ('invalidated', "Invalidated"),
    ('certified', "Certificate Issued"),
    ('closed', "Closed"),
    ('cancelled', "Cancelled"),
    ]
# The state that each step gives to the case
STEP_STATES = {
    'inform': 'informed',
    'ask_reasons': 'inquiring',
    'analyse': 'analysed',
    'propose': 'proposed',
    'exchange': 'exchanged',
    'follow_up': 'followed_up',
    'decide': 'validated',
    'certify': 'certified',
    }
PROGRESS_STATES = [
    'draft', 'informed', 'inquiring', 'analysed', 'proposed', 'exchanged',
    'followed_up']
OPEN_STATES = PROGRESS_STATES + ['validated', 'certified']
# The state of the enrolment for each ground of a validated case
GROUND_STATES = {
    'abandonment': 'withdrawn',
    'exclusion': 'withdrawn',
    'force_majeure': 'withdrawn',
    'legitimate_reason': 'withdrawn',
    'no_show': 'cancelled',
    'cancellation': 'cancelled',
    'withdrawal_period': 'cancelled',
    'transfer': 'withdrawn',
    'postponed': 'suspended',
    }
INVALID_GROUNDS = ['resumed', 'unfounded']
BEFORE_SESSION_GROUNDS = [
    'no_show', 'cancellation', 'withdrawal_period', 'transfer']
# The grounds of those who have never come
ABSENT_GROUNDS = ['no_show', 'cancellation']
GROUNDS = [
    ('abandonment', "Abandonment"),
    ('force_majeure', "Force Majeure"),
    ('legitimate_reason', "Legitimate Reason"),
    ('exclusion', "Exclusion"),
    ('no_show', "No-Show"),
    ('cancellation', "Cancellation before the Start"),
    ('withdrawal_period', "Withdrawal Period"),
    ('transfer', "Transfer"),
    ('postponed', "Postponed"),
    ('resumed', "Training Resumed"),
    ('unfounded', "Unfounded"),
    ]
# Whose doing a cause is
RESPONSIBLES = [
    ('trainee', "Trainee"),
    ('employer', "Employer"),
    ('provider', "Training Provider"),
    ('external', "External"),
    ]
ORIGINS = [
    ('absence', "Absence"),
    ('declared', "Declared by the Trainee"),
    ('other', "Other"),
    ]
