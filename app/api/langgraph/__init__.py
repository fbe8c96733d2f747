"""The service as a LangGraph server: what the stock `langgraph_sdk` asks, translated to control and reads.

A workflow is an assistant, an execution a run, a version a checkpoint.  There is no second engine and no second truth: all that
is kept beside ours is metadata, and threads that have not run (domain.sdk_threads).
"""
