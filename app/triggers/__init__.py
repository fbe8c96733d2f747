"""What sets threads going, or on, from outside of a request: messages, webhooks, schedules.  It asks engine.control."""
