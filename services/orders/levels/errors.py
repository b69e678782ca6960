"""Why a change of the catalogue is refused."""

from __future__ import annotations

from shared.errors import NotFound, Problem


class LevelUnknown(NotFound):
    vi = "Không có trạng thái {code}. Tải lại danh sách trạng thái."
    en = "There is no level {code}. Load the levels again."


class MoveUnknown(NotFound):
    vi = "Bảng chuyển không có bước {from_level} → {to_level}. Tải lại bảng."
    en = "The table has no move {from_level} → {to_level}. Load it again."


class MainLevelFixed(Problem):
    type = "main-level-fixed"
    status = 409
    vi = "{code} là trạng thái chính, không đổi được. Chỉ trạng thái con đổi được."
    en = "{code} is a main level and fixed. Only its children can be changed."


class NoChildrenHere(Problem):
    type = "no-children-here"
    status = 422
    vi = "Chỉ thêm được trạng thái con của {parents}: {parent} do kho, hãng vận chuyển hoặc khâu nhận số quyết định."
    en = "Children can be added under {parents} only: {parent} follows stock, the carrier or leads."


class CodeTaken(Problem):
    type = "level-code-taken"
    status = 409
    vi = "Mã {code} đã dùng (kể cả khi đã ngừng dùng). Chọn mã khác, hoặc dùng lại trạng thái đó."
    en = "The code {code} was given already, perhaps to a retired level. Choose another, or restore that level."


class NameTaken(Problem):
    type = "level-name-taken"
    status = 409
    vi = "Tên “{name}” đang là của {code}. Chọn tên khác."
    en = "The name “{name}” belongs to {code}. Choose another."


class LevelInUse(Problem):
    """`uses` names everything that stands in the way and how many."""

    type = "level-in-use"
    status = 409
    vi = "Chưa ngừng dùng {code} được: {told_vi}. Chuyển các đơn sang trạng thái khác, hoặc áp dụng quy trình không còn {code}."
    en = "{code} cannot be retired yet: {told_en}. Move the orders on, or publish a process without {code}."


class LevelNeeded(Problem):
    type = "level-needed"
    status = 409
    vi = "{code} không ngừng dùng được: khâu nhận số, hủy đơn hoặc hãng vận chuyển luôn đưa đơn về đây. Chỉ đổi tên, màu."
    en = "{code} cannot be retired: leads, cancellations or carriers bring orders here. It may be renamed and recoloured."


class AlreadySo(Problem):
    type = "level-already-so"
    status = 409
    vi = "{code} đã ở tình trạng đó rồi. Tải lại danh sách trạng thái."
    en = "{code} is so already. Load the levels again."


class LevelRetired(Problem):
    type = "level-retired"
    status = 409
    vi = "{code} đã ngừng dùng. Dùng lại trạng thái này trước."
    en = "{code} is retired. Restore it first."


class NotAllChildren(Problem):
    type = "not-all-children"
    status = 422
    vi = "Thứ tự phải có đủ và đúng các trạng thái con của {parent}: {expected}."
    en = "The order has to name each child of {parent} once: {expected}."


class GroupUnknown(Problem):
    type = "group-unknown"
    status = 422
    vi = "Không có ai trong nhóm: {groups}. Các nhóm hiện có: {known}."
    en = "Nobody belongs to the groups: {groups}. There are: {known}."


class CatalogueBroken(Problem):
    """`faults` lists code, place and what is wrong in both languages."""

    type = "levels-broken"
    status = 422
    vi = "Không lưu: bảng chuyển sẽ sai. {first_vi}"
    en = "Not saved: the table of moves would be wrong. {first_en}"


class FieldsRequired(Problem):
    """`fields` lists key, labels and kind of what is missing or wrong."""

    type = "fields-required"
    status = 422
    vi = "Chuyển sang {to_level} cần điền đúng: {names_vi}. Điền rồi gửi lại."
    en = "Going to {to_level} needs, filled in rightly: {names_en}. Fill them in and send again."


class NoteRequired(Problem):
    type = "note-required"
    status = 422
    vi = "Chuyển sang {to_vi} cần ghi chú (trường 'note'). Ghi rồi gửi lại."
    en = "Going to {to_en} needs a note (field 'note'). Write one and send again."


class NotYourGroup(Problem):
    type = "not-your-group"
    status = 403
    vi = "Chỉ nhóm {groups} được chuyển từ {from_vi} sang {to_vi}. Nhờ đồng nghiệp trong nhóm đó."
    en = "Only the groups {groups} may move from {from_en} to {to_en}. Ask a colleague in one of them."


class UnknownToProcess(Problem):
    type = "level-unknown-to-process"
    status = 409
    vi = (
        "Quy trình chăm sóc của đơn này đã kết thúc và không có bước nào cho {to_level}. "
        "Chuyển sang trạng thái khác, hoặc thêm {to_level} vào 'resume' của quy trình."
    )
    en = (
        "The care of this order has ended and its process has no step to resume at {to_level}. "
        "Choose another level, or add {to_level} to the process's 'resume'."
    )
