"""Why a layout of the care screen is refused."""

from __future__ import annotations

from shared.errors import NotFound, Problem


class LayoutNotFound(NotFound):
    vi = "Chưa có bố cục riêng cho trạng thái và nhóm này. Xem danh sách bố cục ở GET /v1/care-screens."
    en = "This level and group have no layout of their own. GET /v1/care-screens lists those that exist."


class LayoutInUse(Problem):
    type = "layout-in-use"
    status = 409
    vi = "Không xóa được bố cục chung: mọi màn hình không có bố cục riêng dùng nó. Hãy sửa nó."
    en = "The general layout cannot go: every screen without one of its own uses it. Edit it instead."


class PlaceUnknown(Problem):
    type = "place-unknown"
    status = 422
    vi = "Không có trạng thái hay nhóm “{place}”. Dùng mã trạng thái đang có, tên nhóm nhân viên, hoặc all."
    en = "There is no level or group “{place}”. Give the code of a level, the name of a staff group, or all."
