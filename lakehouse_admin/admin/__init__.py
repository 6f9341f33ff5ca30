"""The staff console: an overview, runs, publications and pipelines."""

from django.contrib import admin

from lakehouse_admin.admin.pipeline import PipelineAdmin
from lakehouse_admin.admin.publication import PublicationAdmin
from lakehouse_admin.admin.run import PipelineRunAdmin

__all__ = ["PipelineAdmin", "PipelineRunAdmin", "PublicationAdmin"]

admin.site.index_template = "lakehouse_admin/index.html"
