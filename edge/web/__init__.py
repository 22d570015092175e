"""HTTP: the one room that knows FastAPI and uvicorn.

`dialects/` has a file or folder per wire protocol, `pages/` the pages for people, and `access/`
keys, sign-in and origin checks. On top is the plumbing: the app, the server, the request log,
request bodies, and error mapping.
"""
