"""Facebook as a way in: lead forms (Lead Ads) and conversations (Messenger)."""
