"""Alerts as a person on call gets them: received by a webhook of ours, whoever judged the rules."""
