"""The service as an MCP server: tools, resources and tasks over the HTTP API, at /mcp and over stdio.

All of it asks `app.client`, so that what holds for the API holds here too.  The SDK is imported when the first request comes.
"""
