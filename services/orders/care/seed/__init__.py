"""Processes that a new company starts with."""

from importlib.resources import files

from services.orders.care.process import CareProcess, read_process


def cod_standard() -> CareProcess:
    """The standard process for selling by telephone with cash on delivery, without any dates of public holidays."""
    return read_process(files(__name__).joinpath("cod_standard.yaml").read_text(encoding="utf-8"))


def blank() -> CareProcess:
    """The least that a process needs, with which a draft from nothing begins."""
    return read_process(files(__name__).joinpath("blank.yaml").read_text(encoding="utf-8"))
