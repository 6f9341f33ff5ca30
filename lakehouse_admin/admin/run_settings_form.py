"""The settings of one run's jobs, as a form."""

from __future__ import annotations

from typing import Any

from django import forms

from lakehouse_admin.run_settings import RUN_SETTINGS


class RunSettingsForm(forms.Form):
    """One whole number a setting; an empty one leaves it to the installation."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Make a field for every setting there is."""
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
        """Return the settings that were given."""
        return {name: value for name, value in self.cleaned_data.items() if value is not None}
