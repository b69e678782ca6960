"""The levels of the company as orders tells them; what people own, send and marketed in the order in which it changed."""

from shared.migrations import execute_script

revision = "0013"
down_revision = "0012"

CATALOGUE = """
CREATE TABLE level_catalogue (
    code     text PRIMARY KEY,
    parent   text,
    vi       text NOT NULL,
    en       text NOT NULL,
    colour   text NOT NULL,
    final    boolean NOT NULL,
    position integer NOT NULL,
    retired  boolean NOT NULL,
    version  integer NOT NULL
);
COMMENT ON TABLE level_catalogue IS 'projection of the catalogue that orders keeps; version 0: as it was before it was told';
INSERT INTO level_catalogue (code, parent, vi, en, colour, final, position, retired, version)
SELECT code, nullif(split_part(code, '.', 1), code), vi, en, colour, final, ordinality, false, 0
FROM ROWS FROM (json_to_recordset('[
    {"code": "C3", "vi": "Đơn mới", "en": "New", "colour": "#8aa0b8", "final": false},
    {"code": "C3.1", "vi": "Đơn trùng", "en": "Duplicate", "colour": "#b8b8b8", "final": true},
    {"code": "L1", "vi": "Đã lọc trùng", "en": "Clean", "colour": "#3b82f6", "final": false},
    {"code": "L1.1", "vi": "Sai số", "en": "Wrong number", "colour": "#9ca3af", "final": true},
    {"code": "L1.2", "vi": "Chăm sóc lại", "en": "Care again", "colour": "#6366f1", "final": false},
    {"code": "L1.3", "vi": "Từ chối tiếp xúc", "en": "Refuses contact", "colour": "#6b7280", "final": true},
    {"code": "L1.4", "vi": "Không liên lạc được", "en": "Unreachable", "colour": "#f59e0b", "final": false},
    {"code": "L1.5", "vi": "Không mua", "en": "Not buying", "colour": "#78716c", "final": true},
    {"code": "L1.6", "vi": "Hẹn mua", "en": "Will buy later", "colour": "#8b5cf6", "final": false},
    {"code": "L5", "vi": "Đã chốt", "en": "Closed", "colour": "#10b981", "final": false},
    {"code": "L5.3", "vi": "Hủy sau chốt", "en": "Cancelled after closing", "colour": "#ef4444", "final": true},
    {"code": "L7", "vi": "Đã gửi", "en": "Sent", "colour": "#0ea5e9", "final": false},
    {"code": "L7.1", "vi": "Đang giao", "en": "Out for delivery", "colour": "#06b6d4", "final": false},
    {"code": "L7.2", "vi": "Giao không thành công", "en": "Delivery failed", "colour": "#f97316", "final": false},
    {"code": "L7.5", "vi": "Đang hoàn", "en": "Returning", "colour": "#e11d48", "final": false},
    {"code": "L7.3", "vi": "Đã hoàn", "en": "Returned", "colour": "#be123c", "final": true},
    {"code": "L7.6", "vi": "Thất lạc, hư hỏng", "en": "Lost or damaged", "colour": "#7f1d1d", "final": true},
    {"code": "L7.4", "vi": "Hủy sau đăng đơn", "en": "Cancelled after posting", "colour": "#dc2626", "final": true},
    {"code": "L8", "vi": "Giao thành công", "en": "Delivered", "colour": "#16a34a", "final": true}
]') AS (code text, vi text, en text, colour text, final boolean)) WITH ORDINALITY;
"""

# A list of a few people in this order is read from the end of each index, as that by arrival is (0009).
CHANGED = """
CREATE INDEX leads_owner_changed_idx ON leads (owner_id, changed_at, id) WHERE owner_id IS NOT NULL;
CREATE INDEX leads_created_by_changed_idx ON leads (created_by, changed_at, id) WHERE created_by IS NOT NULL;
CREATE INDEX leads_marketer_changed_idx ON leads (marketer, changed_at, id) WHERE marketer <> '';
"""


def upgrade() -> None:
    execute_script(CATALOGUE)
    execute_script(CHANGED)
