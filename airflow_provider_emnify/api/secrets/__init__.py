"""What nobody else may see: names of secrets, their redaction, and folders of one user."""
