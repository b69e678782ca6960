"""Business time as a company manages it: calendars, public holidays, and what a change of them does to open care."""
