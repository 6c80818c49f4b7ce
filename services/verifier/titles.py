"""The titles of checks, keys and results, in Chinese and English."""

TITLES = {
    "structure": ("压缩包结构无多余或缺失字节", "the ZIP holds its members and not a byte besides"),
    "manifest": ("清单可读，与成员一致", "the manifest names each member, in order"),
    "manifest-signed": ("清单由封签密钥签署", "the manifest is signed by the seal key"),
    "trust": ("指纹与所给一致", "the fingerprint that was given is this package's"),
    "chain": ("证书链与签名者一致", "the certificates are those of the signer"),
    "bytes": ("各成员字节与清单一致", "each member's bytes are those of the manifest"),
    "checkpoint": ("检查点由日志密钥签署", "the checkpoint is signed by the log key"),
    "checkpoint-stated": ("检查点与清单所述一致", "the checkpoint is the one of the signed manifest"),
    "events": ("审计事件属于本案且依序", "the audit events are this case's, in order"),
    "inclusion": ("审计事件均在审计树中", "each audit event is in the audit tree"),
    "consistency": ("先前的检查点与审计树一致", "each earlier checkpoint is a beginning of the audit tree"),
    "anchors": ("检查点的锚定记录", "where checkpoints were anchored"),
    "label": ("录像标签的签名与内容", "the label of the footage: signature and facts"),
    "footage": ("录像字节与标签一致", "the footage's bytes are those of its label"),
    "footage-complete": ("所存录像均在包内", "all footage that was retrieved and kept is here"),
    "document": ("文书的签名与内容", "the document: signature and facts"),
    "document-data": ("PDF 内嵌数据与文书一致", "the PDF carries the document's data"),
    "documents-complete": ("审计事件所载文书均在包内", "all documents that the audit events name are here"),
    "attachment": ("附件与附件清单一致", "the attachment is the one of the list"),
    "attachments-complete": (
        "所载附件均在包内，或注明未收入",
        "each attachment that events or signatures name is here, or said to be left out",
    ),
    "decision": ("人员签名", "a person's signature"),
    "accounts": (
        "签名前 30 天内签名人账号的变动",
        "what happened to the accounts of those who signed, in the 30 days before",
    ),
    "passkeys": ("通行密钥签名所在网址", "where passkeys were used to sign"),
    "decisions-complete": ("审计事件所载签名均在包内", "all signatures that the audit events name are here"),
    "approvals": ("所需审批齐备，且先于调取", "the approvals that the policy asks for came before the retrieval"),
    "granted": ("所调取与所批准一致", "what was retrieved is what was approved"),
    "custody": ("保管记录与审计事件一致", "the custody log is whole, and the audit events' own"),
    "return": ("归还与检查", "the return and its inspection"),
    "loan-keys": ("借用密钥已销毁", "the loan keys were destroyed"),
    "as-made": (
        "各成员与制作时审计事件所载一致",
        "each member is as the audit event named it when the package was made",
    ),
    "named": (
        "标签、文书、签名与成员均由审计事件载明",
        "audit events name the text of labels and documents, how and when people signed, and the members",
    ),
    "older": (
        "较早版本所制，审计事件尚未载明下列各项",
        "made by an older release, whose audit events do not name this yet",
    ),
    "time-stamps": ("第三方时间戳", "time stamps of an authority (RFC 3161)"),
    "demo": ("演示", "a demonstration"),
    "times": ("各步骤先后有序", "the steps follow one another in time"),
}

FINGERPRINTS = {
    "root": ("根证书", "the root certificate"),
    "seal": ("封签密钥证书", "the seal key's certificate"),
    "log": ("日志公钥", "the log's public key"),
}

# What the copy in a package says of itself, and how it ends where nothing fails.
ENCLOSED = (
    "本程序就在被核验的包内：包内的副本本身不能证明什么，伪造者可以放入一个总说“成立”的程序。"
    "请从签发单位或发行版本取得 verify.pyz，将其 SHA-256 与该单位门户和文书上所印的核对，再用它核验。",
    "This program came in the package that it checks. A copy that lies in the package proves nothing by itself: a "
    "forger can put one there that always passes. Get verify.pyz from the organisation or from a release, compare its "
    "SHA-256 with the one in the organisation's portal and on its documents, and run that one.",
)
CONSISTENT = (
    "按包内自带的程序，内容自洽；仅此不能证明什么。",
    "Consistent by the package's own program, which proves nothing by itself.",
)

ENDS = {
    0: (
        "全部成立，由所信任的密钥签署。",
        "Everything holds, signed by a key that is trusted here.",
    ),
    1: (
        "有不成立之处，见上面标为不成立（FAIL）的各行。",
        "Something does not hold: see the lines that say FAIL.",
    ),
    2: (
        "全部成立，但签署密钥未知：伪造者也能用自己的密钥封装。请通过其他途径核对指纹，再用 --trust 给出。",
        "Everything holds, signed by an unknown key. A forger can seal a package of his own: compare a fingerprint "
        "with one that came to you another way, and give it with --trust.",
    ),
}
