"""What can be waited for: endpoints, SIMs, SMS, users, quotas, operations and events."""
