"""What every simulator of another company's server needs: a socket, repeatable dice, a command line."""
