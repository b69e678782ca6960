"""Distribution: quotas, shifts, skills."""

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    pass
