"""Store and forward: frames that wait for the cloud, and what became of them. The one room that knows sqlite3."""
