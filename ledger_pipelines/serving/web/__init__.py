"""What the API and the dashboard share: request context, access guard, commands, audit, cache, errors."""
