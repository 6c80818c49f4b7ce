"""Lay out the signed 《保密协议》 as a document (R59)."""

from services.rendering.formatting import JsonView
from services.rendering.sheet import Facts, Pairs, Part, Prose, Signatures, cell


def lay_out(agreement: JsonView) -> list[Part]:
    signing: Pairs = [
        [("签订人", cell(agreement.text("by.name"))), ("所在部门", cell(agreement.text("department.zh")))],
        [("协议版本", cell(agreement.text("version"))), ("签订单位", cell(agreement.text("organisation")))],
        [("签订时间", cell(agreement.when("signedAt"))), ("有效期至", cell(agreement.when("expiresAt")))],
    ]
    return [
        Facts("签订", signing),
        Prose("协议内容", agreement.text("textZh")),
        Prose("English text", agreement.text("textEn")),
        Signatures("签字", [agreement.signature("签订人", at="signedAt", statement="statement")]),
    ]
