"""The settings of one run's jobs, as a form."""

from __future__ import annotations

from typing import Any

from django import forms

from lakehouse_admin.run_settings import RUN_SETTINGS, installed_settings


class RunSettingsForm(forms.Form):
    """One whole number a setting, filled in as the jobs would have it; what is left so, or emptied, is no change."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make a field for every setting there is; ``initial`` holds those of the run, if it has some."""
        kwargs["initial"] = {**installed_settings(), **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)
        for name, setting in RUN_SETTINGS.items():
            self.fields[name] = forms.IntegerField(
                label=setting.label,
                required=False,
                min_value=setting.lowest,
                max_value=setting.highest,
                help_text="Empty: as in the installation's settings.",
            )

    def chosen(self) -> dict[str, int]:
        """Return the settings that were given and are not the installation's own."""
        installed = installed_settings()
        return {
            name: value
            for name, value in self.cleaned_data.items()
            if value is not None and value != installed.get(name)
        }
