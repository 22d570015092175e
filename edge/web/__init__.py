"""HTTP: the one room that knows FastAPI and uvicorn.

`dialects/` has a file or folder per wire protocol, `pages/` what people look at, `access/` who may ask. On top is the
plumbing: the app, the server, the request log, bodies and the mapping of errors.
"""
