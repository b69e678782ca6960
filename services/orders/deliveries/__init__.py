"""What became of e-mails and messages: sent, delivered, read, opened, answered, as the systems that sent them tell."""
