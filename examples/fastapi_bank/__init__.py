"""The bank behind FastAPI: commands, versions and refusals over HTTP.

``app.py``: an ``Idempotency-Key`` and its user become the command id, an ``ETag`` is the account's
version, ``If-Match`` the version to expect. ``problems.py``: a refused command becomes a problem
document. ``uvicorn --factory examples.fastapi_bank.app:create`` serves it.
"""
