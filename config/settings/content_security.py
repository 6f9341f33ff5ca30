"""What a page may load: our own files only. `config.content_security` applies the policies."""

from __future__ import annotations

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE

_OWN_FILES = {
    "default-src": [SELF],
    "script-src": [SELF],
    "style-src": [SELF, UNSAFE_INLINE],  # Plotly positions its charts by style attributes.
    "img-src": [SELF, "data:", "blob:"],
    "font-src": [SELF],
    "connect-src": [SELF],
    "object-src": [NONE],
    "base-uri": [SELF],
    "form-action": [SELF],
    "frame-ancestors": [NONE],
}

CONTENT_SECURITY_POLICY = {"DIRECTIVES": _OWN_FILES}

# The console's Alpine.js evaluates expressions in attributes, and its templates hold inline scripts.
CONSOLE_CONTENT_SECURITY_DIRECTIVES = {**_OWN_FILES, "script-src": [SELF, UNSAFE_INLINE, UNSAFE_EVAL]}
