"""What ``verify.html`` says to people, in Chinese and English."""

WORDS: dict[str, dict[str, tuple[str, str]]] = {
    "page": {
        "title": ("核验证据包", "Check an evidence package"),
        "product": ("录像调取台", "Footage Desk"),
        "lead": (
            "选择收到的证据包（ZIP 文件），本页逐项核验其内容并显示结果。",
            "Choose the evidence package (a ZIP file) that you were given. This page checks it and shows what holds "
            "and what does not.",
        ),
        "local": (
            "文件不离开本机：本页不联网，也不保存任何内容。",
            "The file stays on this computer: this page uses no network and stores nothing.",
        ),
        "language": ("语言", "Language"),
        "skip": ("跳到内容", "Skip to the content"),
        "choose-title": ("第一步：证据包", "Step 1: the package"),
        "choose": ("选择证据包…", "Choose the package…"),
        "drop": ("或将文件拖到此处", "or drop the file here"),
        "trust-title": ("第二步：可信指纹", "Step 2: the fingerprint that you trust"),
        "trust": (
            "根证书或封签密钥证书的 SHA-256 指纹（每行一个）",
            "SHA-256 fingerprint of the root or seal certificate, one a line",
        ),
        "trust-hint": (
            "指纹须由其他途径取得，如该单位的来函、公告或门户；不要从证据包或与其一同收到的文件中抄取。没有指纹也可核验，但无法确认由谁签署。",
            "Take it from elsewhere than the package and what came with it: a letter of the organisation, a notice, "
            "its portal. Without it the package can be checked, but not who signed it.",
        ),
        "compare": ("核对指纹", "Compare the fingerprint"),
        "working": ("正在核验", "Checking"),
        "progress": ("已读取 {done} / {all}", "{done} of {all} read"),
        "cancel": ("停止", "Stop"),
        "stopped": ("已停止，没有得出结果。", "Stopped: there is no result."),
        "another": ("核验另一个证据包", "Check another package"),
        "print": ("打印", "Print"),
        "save": ("保存报告", "Save the report"),
        "one-file": (
            "请一次只选择一个文件。",
            "Choose one file at a time.",
        ),
        "no-crypto": (
            "此浏览器不能在本页核验签名。请更新浏览器，或将本页保存到本机后打开（不要通过 http:// 打开），或使用 verify.pyz。",
            "This browser cannot check signatures on this page. Use a newer browser, open the page from a file on "
            "this computer (not by http://), or use verify.pyz.",
        ),
        "failed": (
            "核验程序出错，没有得出结果：{error}。请改用 verify.pyz 核验。",
            "The verifier has failed and there is no result: {error}. Check the package with verify.pyz instead.",
        ),
        "about-title": ("关于本页", "About this page"),
        "about": (
            "本页是证据包的第二个核验程序，用 JavaScript 独立写成，与 verify.pyz（Python）检查相同的内容，给出相同的结论。两者结果不同时，请勿采信该证据包，并告知签发单位。",
            "This page is a second verifier of evidence packages, written independently in JavaScript. It checks the "
            "same as verify.pyz (Python) and comes to the same result. Where the two differ, do not rely on the "
            "package, and inform the organisation.",
        ),
        "about-hash": (
            "伪造者可以提供一个总说“成立”的网页。使用前请计算本文件（verify.html）的 SHA-256，与该单位门户和文书上所印的核对："
            "Windows 用 certutil -hashfile verify.html SHA256，macOS 与 Linux 用 shasum -a 256 verify.html。",
            "A forger can hand out a page that always says that everything holds. Before you use it, compute the "
            "SHA-256 of this file (verify.html) and compare it with the one in the organisation's portal and on its "
            "documents: certutil -hashfile verify.html SHA256 on Windows, shasum -a 256 verify.html on macOS and Linux.",
        ),
        "licences": ("所含程序库及许可", "Enclosed libraries and their licences"),
        "no-script": (
            "本页需要 JavaScript。",
            "This page needs JavaScript.",
        ),
    },
    "result": {
        "0": ("全部成立", "Everything holds"),
        "1": ("有不成立之处", "Something does not hold"),
        "2": ("内容成立，签署者未经确认", "The content holds; the signer is not confirmed"),
        "0-text": (
            "证据包完整、未被改动，由您确认的密钥签署。",
            "The package is complete and unchanged, and signed by a key that you have confirmed.",
        ),
        "1-text": (
            "请勿采信该证据包，直至签发单位说明原因。不成立的各项如下。",
            "Do not rely on this package until the organisation has explained why. What does not hold is listed below.",
        ),
        "2-text": (
            "证据包自身完整一致，但伪造者也能用自己的密钥做出这样的证据包。请将下列指纹与由其他途径取得的指纹核对，并在上方填入。",
            "The package is complete and consistent in itself, but a forger can make such a package with keys of his "
            "own. Compare the fingerprints below with one that reached you another way, and enter it above.",
        ),
        "demo": (
            "演示：此证据包所用时钟经人为调整，其时间不真实。",
            "Demonstration: this package was made under a clock that people turned, so its times are not true.",
        ),
        "facts": ("证据包", "The package"),
        "file": ("文件", "File"),
        "size": ("大小", "Size"),
        "application": ("申请编号", "Application"),
        "organisation": ("签署单位（按证书所载）", "Organisation, by its certificate"),
        "madeAt": ("制作时间（按其自述）", "Made at, by its own statement"),
        "footage": ("录像", "Footage"),
        "footage-clear": ("在包内，可播放", "in the package, playable"),
        "footage-sealed": ("在包内，仍加密", "in the package, still encrypted"),
        "footage-hash": ("不在包内，仅有其 SHA-256", "not in the package, only its SHA-256"),
        "bytes": ("字节", "bytes"),
        "fingerprints": ("供核对的指纹（SHA-256）", "Fingerprints to compare (SHA-256)"),
        "confirmed": ("与所填一致", "the one that you entered"),
        "failures": ("不成立", "What does not hold"),
        "checked": ("核验内容", "What was checked"),
        "notes": ("说明", "Notes"),
        "all": ("逐项结果", "Every line"),
        "all-hint": (
            "与 verify.pyz 的输出逐行对应。结果一栏为核验程序的英文原文。",
            "The same lines as verify.pyz prints.",
        ),
        "status": ("结论", "Result"),
        "check": ("核验项目", "Check"),
        "of": ("对象", "Of"),
        "found": ("结果", "Found"),
        "count": ("{passed} 项成立，{failed} 项不成立，{noted} 项说明", "{passed} hold, {failed} do not, {noted} notes"),
        "more": ("另有 {count} 项，见逐项结果", "and {count} more, see every line below"),
    },
    "status": {
        "pass": ("成立", "PASS"),
        "fail": ("不成立", "FAIL"),
        "note": ("说明", "NOTE"),
    },
}
