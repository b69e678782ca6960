"""The legal gate in the database: what is known of a number, the answer before each contact, and the record of it."""
