"""Accounts, groups, duty, sign-in attempts and sessions; the groups of a fresh installation.

A later permission is given to the group `admin` by the migration that comes with it.
"""

import sqlalchemy as sa
from alembic import op

from shared.contracts.permissions import SEED_GROUPS
from shared.migrations import create_messaging_tables, execute_script

revision = "0001"
down_revision = None

LABELS = {
    "admin": ("Quản trị", "Administrators"),
    "manager": ("Quản lý", "Managers"),
    "sale": ("Nhân viên sale", "Salespeople"),
    "marketing": ("Nhân viên marketing", "Marketers"),
    "cod": ("Nhân viên vận đơn (COD)", "COD desk"),
}

TABLES = """
CREATE TABLE groups (
    name        text PRIMARY KEY CONSTRAINT groups_name_check CHECK (name ~ '^[a-z][a-z0-9_-]{1,39}$'),
    label_vi    text NOT NULL,
    label_en    text NOT NULL,
    permissions text[] NOT NULL,
    version     integer NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);

CREATE SEQUENCE account_numbers;

CREATE TABLE accounts (
    id                   uuid PRIMARY KEY,
    code                 text NOT NULL CONSTRAINT accounts_code_key UNIQUE
                         CONSTRAINT accounts_code_check CHECK (code ~ '^NV[0-9]{3,}$'),
    login                text NOT NULL CONSTRAINT accounts_login_key UNIQUE
                         CONSTRAINT accounts_login_check CHECK (login ~ '^[a-z0-9][a-z0-9._@+-]{2,63}$'),
    name                 text NOT NULL CONSTRAINT accounts_name_check CHECK (name <> ''),
    phone                text NOT NULL DEFAULT ''
                         CONSTRAINT accounts_phone_check CHECK (phone ~ '^([+][0-9]{8,15})?$'),
    department           text NOT NULL CONSTRAINT accounts_department_check
                         CHECK (department IN ('marketing', 'sale', 'cod', 'administration')),
    group_name           text NOT NULL CONSTRAINT accounts_group_fkey REFERENCES groups (name),
    team                 text NOT NULL DEFAULT '',
    superior_id          uuid CONSTRAINT accounts_superior_fkey REFERENCES accounts (id)
                         CONSTRAINT accounts_superior_check CHECK (superior_id <> id),
    active               boolean NOT NULL DEFAULT true,
    password_hash        text NOT NULL,
    must_change_password boolean NOT NULL,
    token_epoch          integer NOT NULL DEFAULT 0,
    version              integer NOT NULL DEFAULT 1,
    created_at           timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX accounts_superior_idx ON accounts (superior_id);
CREATE INDEX accounts_group_idx ON accounts (group_name);

CREATE TABLE duty (
    account_id uuid PRIMARY KEY CONSTRAINT duty_account_fkey REFERENCES accounts (id),
    on_duty    boolean NOT NULL DEFAULT false,
    version    integer NOT NULL DEFAULT 0
);
CREATE TABLE duty_history (
    account_id uuid NOT NULL CONSTRAINT duty_history_account_fkey REFERENCES accounts (id),
    version    integer NOT NULL,
    on_duty    boolean NOT NULL,
    at         timestamptz NOT NULL,
    by         text NOT NULL,
    PRIMARY KEY (account_id, version)
);
COMMENT ON COLUMN duty_history.by IS 'staff code';

CREATE TABLE sign_in_attempts (
    id         uuid PRIMARY KEY,
    login_hash bytea NOT NULL,
    network    text NOT NULL,
    account_id uuid CONSTRAINT sign_in_attempts_account_fkey REFERENCES accounts (id),
    outcome    text NOT NULL DEFAULT 'pending' CONSTRAINT sign_in_attempts_outcome_check
               CHECK (outcome IN ('pending', 'wrong', 'right', 'inactive')),
    at         timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN sign_in_attempts.login_hash IS 'SHA-256: people type their password into the wrong field';
COMMENT ON COLUMN sign_in_attempts.outcome IS 'pending counts as wrong, so that tries at the same time are counted too';
CREATE INDEX sign_in_attempts_login_idx ON sign_in_attempts (login_hash, at);
CREATE INDEX sign_in_attempts_network_idx ON sign_in_attempts (network, at);
CREATE INDEX sign_in_attempts_at_idx ON sign_in_attempts (at);

CREATE TABLE sessions (
    id         uuid PRIMARY KEY,
    account_id uuid NOT NULL CONSTRAINT sessions_account_fkey REFERENCES accounts (id),
    network    text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz,
    ended_by   text CONSTRAINT sessions_ended_by_check
               CHECK (ended_by IN ('sign_out', 'reuse', 'sign_out_everywhere', 'password', 'deactivated')),
    CONSTRAINT sessions_ended_check CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
CREATE INDEX sessions_open_idx ON sessions (account_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_expires_idx ON sessions (expires_at);

CREATE TABLE refresh_tokens (
    token_hash bytea PRIMARY KEY,
    session_id uuid NOT NULL CONSTRAINT refresh_tokens_session_fkey REFERENCES sessions (id) ON DELETE CASCADE,
    issued_at  timestamptz NOT NULL DEFAULT now(),
    used_at    timestamptz
);
COMMENT ON COLUMN refresh_tokens.token_hash IS 'SHA-256 of 256 random bits';
COMMENT ON COLUMN refresh_tokens.used_at IS 'when another took its place';
CREATE UNIQUE INDEX refresh_tokens_current_idx ON refresh_tokens (session_id) WHERE used_at IS NULL;
CREATE INDEX refresh_tokens_session_idx ON refresh_tokens (session_id);
"""


def upgrade() -> None:
    create_messaging_tables()
    execute_script(TABLES)
    op.bulk_insert(
        sa.table(
            "groups",
            sa.column("name", sa.Text),
            sa.column("label_vi", sa.Text),
            sa.column("label_en", sa.Text),
            sa.column("permissions", sa.ARRAY(sa.Text)),
        ),
        [
            {"name": name, "label_vi": LABELS[name][0], "label_en": LABELS[name][1], "permissions": sorted(permissions)}
            for name, permissions in SEED_GROUPS.items()
        ],
    )
