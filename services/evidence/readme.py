"""README.txt of a package: for a reader who knows nothing of us, in Chinese and English."""

_HOW = {
    "clear": (
        "footage/ 中的录像为明文，可直接播放；若一个文件由几段组成，各段起止见调取记录。",
        "The footage in footage/ is in clear and plays as it is; where a file has several parts, the\n"
        "retrieval record says where each begins.",
    ),
    "sealed": (
        "footage/ 中的录像仍为加密件（age 格式），须由持有密钥者用 age 打开；其内容的 SHA-256 见标签。",
        "The footage in footage/ is encrypted: who holds a key opens it with `age -d -i KEY FILE`; the\n"
        "label has the SHA-256 of what comes out.",
    ),
    "hash": (
        "本包不含录像，只含其标签与 SHA-256；录像另行提供时可据此核对。",
        "The footage itself is not here, only its labels with its SHA-256: compare it when you get it\nanother way.",
    ),
}

_TEXT = """\
录像证据包  {number}
{organisation}

本压缩包含有一件录像调取申请的全部凭证：录像（或其散列值）、录像标签、已备案的申请表、
调取记录及其他文书、附件（不含身份证件复印件，未收入的见 attachments/list.json）、各审批人的
签名、保管记录、归还检查，以及证明这些记录在审计日志中未被改动的材料。
{how_zh}

如何核验：无需网络。核验程序请勿取自本压缩包：伪造者可以放入一个总说“成立”的程序。请从签发
单位或发行版本取得 verify.html 或 verify.pyz，将其 SHA-256 与该单位门户和文书上所印的核对。
verify.html 用浏览器打开，无需安装，将本压缩包拖入即可；verify.pyz 需要 Python 3.11 以上和
cryptography（pip install cryptography），运行：

    python3 verify.pyz 本压缩包.zip --trust sha256:……

--trust 后（在 verify.html 中为“第二步”）写签发单位通过其他途径（如公函、公告）告知您的指纹。
没有指纹也可核验，但只能说明内容自洽：伪造者也能用自己的密钥制作一个自洽的包。退出码：0 全部成立且密钥可信；2 全部成立
但密钥未知，或所用为包内自带的程序；1 有不成立之处。

------------------------------------------------------------------------------------------------

Evidence package  {number}
{organisation}

This ZIP holds what there is of one application for footage of cameras: the footage (or its
hash), its label, the approved form as it was filed, the retrieval record and other documents,
the attachments but for copies of identity cards, the signatures of those who decided, the
custody log, the inspection at the return, and what proves that none of these records was
changed in the audit log.
{how_en}

To check it you need no network. Do not use the verify.pyz that lies in this ZIP: a forger can
put one there that always passes. Get verify.html or verify.pyz from the organisation or from a
release, and compare its SHA-256 with the one in the organisation's portal and on its documents.
verify.html opens in a browser, needs nothing installed, and checks the ZIP that is dropped on
it. verify.pyz needs Python 3.11 or newer and cryptography (pip install cryptography); run:

    python3 verify.pyz THE-PACKAGE.zip --trust sha256:...

After --trust (step 2 of verify.html) comes a fingerprint that the organisation has told you another way, such as a
letter. Without one the check shows only that all of it fits together: a forger can make a
package that does so, with keys of his own. It ends with 0 when everything holds under the key
that you trust, 2 when everything holds under an unknown key or by the program in this ZIP, 1
when something does not hold.

manifest.json   every other file with its size and SHA-256; manifest.dsse.json is the signature
                over it (DSSE, ES256)
keys/           the certificates of the seal key, and the public keys of the audit log
audit/          the case's audit events, each with its proof in the log's Merkle tree
                (RFC 6962), and the signed checkpoint (C2SP) that the proofs lead to
footage/        the footage, and the label of each (a signed in-toto statement)
attachments/    what was attached to the application, its matters and replies; list.json says
                what each is and what is left out, as copies of identity cards always are
documents/      each numbered document as PDF, as data, and the signature over both
decisions/      what each person signed, and how
custody/        who had the copies and when; the return
"""


def text(number: str, organisation: str, how: str) -> str:
    """The text, for footage that is here in clear, sealed, or not at all."""
    zh, en = _HOW[how]
    return _TEXT.format(number=number, organisation=organisation, how_zh=zh, how_en=en)
