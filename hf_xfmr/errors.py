"""The one kind of error a user is meant to read."""


class UserError(ValueError):
    """Something the user can put right: bad input, a wrong option, a missing file.

    The message is one sentence that says what was wrong, where (file, column, row, key) and what to do. Commands
    print it without a traceback and exit with code 2.
    """
