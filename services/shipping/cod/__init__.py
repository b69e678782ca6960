"""The money that carriers collect: expected, delivered, on a statement, on the bank account, until it is home.

`reckoning` says what of it is wrong (pure), `books` writes that down, `receive` takes statements in, `settlement` compares
them turn by turn, `bank` has the credits, `ending` lets people end what no later fact will.
"""
