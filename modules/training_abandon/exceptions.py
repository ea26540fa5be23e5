# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.exceptions import UserError, UserWarning
from trytond.model.exceptions import ValidationError


class EvidencePackError(UserError):
    pass


class RequestError(UserError):
    pass


class SuccessPlanWarning(UserWarning):
    pass


class TrainingValidationError(ValidationError):
    pass


class EnrolmentDuplicateError(ValidationError):
    pass


class PeriodError(ValidationError):
    pass


class PeriodWarning(UserWarning):
    pass


class GroupWarning(UserWarning):
    pass


class AgreedHoursError(ValidationError):
    pass


class AgreedHoursWarning(UserWarning):
    pass


class EnrolmentError(UserError):
    pass


class SessionError(UserError):
    pass


class SessionCancelWarning(UserWarning):
    pass


class SessionDoneWarning(UserWarning):
    pass


class SlotError(UserError):
    pass


class SlotWarning(UserWarning):
    pass


class SlotCalendarWarning(UserWarning):
    pass


class ProcedureError(UserError):
    pass


class LetterValidationError(ValidationError):
    pass


class LetterError(UserError):
    pass


class CaseOpenError(UserError):
    pass


class CaseStepError(UserError):
    pass


class DecisionDateWarning(UserWarning):
    pass


class CaseBusyError(UserError):
    pass


class CaseCloseError(UserError):
    pass


class CaseOpenWarning(UserWarning):
    pass


class CaseUndoError(UserError):
    pass


class ProcedureStepsWarning(UserWarning):
    pass


class RecipientError(UserError):
    pass


class GuardianWarning(UserWarning):
    pass


class CertificateError(UserError):

    def __init__(self, *args, cases=(), **kwargs):
        super().__init__(*args, **kwargs)
        # Those without which the others could have their certificate
        self.cases = list(cases)


class CertificateAnsweredWarning(UserWarning):
    pass


class ReportError(UserError):
    pass


class MailStorageError(UserError):
    pass


class CalendarError(UserError):
    pass


class CalendarLinkError(UserError):
    pass


class SheetError(UserError):
    pass


class SheetReopenWarning(UserWarning):
    pass


class SheetCancelWarning(UserWarning):
    pass


class SheetUncheckedWarning(UserWarning):
    pass


class SheetNoticeWarning(UserWarning):
    pass


class AbsentDayWarning(UserWarning):
    pass


class RiskRuleError(ValidationError):
    pass


class RiskRuleWarning(UserWarning):
    pass


class AlertError(UserError):
    pass


class FollowUpRuleError(UserError):
    pass


class FollowUpRecordError(UserError):
    pass


class FollowUpWarning(UserWarning):
    pass


class AgreementError(ValidationError):
    pass


class SettlementRuleError(ValidationError):
    pass


class SettlementError(UserError):
    pass


class SettlementPostedWarning(UserWarning):
    pass


class SettlementWithdrawnWarning(UserWarning):
    pass


class CompletionCertificateError(UserError):
    pass


class SampleError(UserError):
    pass


class DeclarationError(UserError):
    pass


class DeclarationDoneWarning(UserWarning):
    pass


class DeclarationHoursWarning(UserWarning):
    pass


class AgreementKindWarning(UserWarning):
    pass


class ImprovementWarning(UserWarning):
    pass
