"""The control plane's state: one model a file."""

from lakehouse_admin.models.alert import Alert
from lakehouse_admin.models.alert_delivery import AlertDelivery
from lakehouse_admin.models.audit_entry import AuditEntry
from lakehouse_admin.models.check_result import CheckResult
from lakehouse_admin.models.cost_entry import CostEntry
from lakehouse_admin.models.cost_share import CostShare
from lakehouse_admin.models.follower_state import FollowerState
from lakehouse_admin.models.lease import Lease
from lakehouse_admin.models.pipeline import Pipeline
from lakehouse_admin.models.pipeline_run import PipelineRun
from lakehouse_admin.models.publication import PublicationRecord
from lakehouse_admin.models.query_use import QueryUse
from lakehouse_admin.models.run_event import RunEvent
from lakehouse_admin.models.schedule import Schedule
from lakehouse_admin.models.stage_run import StageRun
from lakehouse_admin.models.table_result import TableResult
from lakehouse_admin.models.table_state import TableState

__all__ = [
    "Alert",
    "AlertDelivery",
    "AuditEntry",
    "CheckResult",
    "CostEntry",
    "CostShare",
    "FollowerState",
    "Lease",
    "Pipeline",
    "PipelineRun",
    "PublicationRecord",
    "QueryUse",
    "RunEvent",
    "Schedule",
    "StageRun",
    "TableResult",
    "TableState",
]
