"""The shop over HTTP. ``uvicorn --factory examples.shop.web.app:create`` serves it."""
