// A passkey signs what its person was shown: the server says what the act is, the dialog shows it, the passkey signs its hash.
{
  const zh = document.documentElement.lang.startsWith("zh");
  const usable = document.currentScript.dataset.origin === location.origin && window.PublicKeyCredential;
  const toBytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
  const toText = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const toHex = (buffer) => [...new Uint8Array(buffer)].map((one) => one.toString(16).padStart(2, "0")).join("");

  function element(name, text = "", attributes = {}) {
    const made = document.createElement(name);
    made.textContent = text;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  // What was refused stands in a whole page; its sentence is shown here, so that nothing typed is lost.
  async function refusalOf(answer) {
    const body = await answer.text();
    if (answer.headers.get("content-type")?.startsWith("application/json")) {
      const told = JSON.parse(body);
      return zh ? told.zh : told.en;
    }
    const page = new DOMParser().parseFromString(body, "text/html");
    return (page.querySelector("#refusal") || page.querySelector(".callout.refused, main p"))?.textContent.trim() || (zh ? "未能办理，请刷新页面。" : "It was refused: reload the page.");
  }

  function show(told, sha256) {
    const dialog = element("dialog", "", { class: "signing", "aria-labelledby": "signing-title" });
    dialog.append(element("h2", zh ? "用通行密钥签字" : "Sign with your passkey", { id: "signing-title" }));
    dialog.append(element("p", zh ? "请逐项核对：您签署的正是以下内容。" : "Read it item by item: this is exactly what you sign."));
    const list = element("dl", "", { class: "facts" });
    for (const line of told.words) list.append(element("dt", zh ? line.nameZh : line.nameEn), element("dd", zh ? line.zh : line.en));
    dialog.append(list);
    const raw = element("details");
    raw.append(element("summary", zh ? "签署内容原文与 SHA-256" : "As it is signed, with its SHA-256"), element("pre", told.statement), element("code", sha256, { class: "whole-hash" }));
    const acts = element("p", "", { class: "acts" });
    const yes = element("button", zh ? "用通行密钥签字" : "Sign with the passkey", { type: "button" });
    const no = element("button", zh ? "返回修改" : "Back", { type: "button", class: "quiet" });
    acts.append(yes, no);
    dialog.append(raw, acts);
    document.body.append(dialog);
    dialog.showModal();
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => { dialog.remove(); resolve(false); });
      no.addEventListener("click", () => dialog.close());
      yes.addEventListener("click", () => { resolve(true); dialog.close(); });
    });
  }

  async function sign(form, submitter) {
    const action = submitter?.hasAttribute("formaction") ? submitter.formAction : form.action;
    const fields = new URLSearchParams(new FormData(form));
    if (submitter?.name) fields.append(submitter.name, submitter.value);
    fields.set("prepare", "true");
    const answer = await fetch(action, { method: "POST", body: fields });
    if (answer.redirected) return location.assign(answer.url);
    if (answer.status !== 202) throw new Error(await refusalOf(answer));
    const told = await answer.json();
    const sha256 = toHex(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(told.statement)));
    const { options } = told;
    options.challenge = toBytes(options.challenge);
    if (sha256 !== told.sha256 || sha256 !== toHex(options.challenge)) {
      throw new Error(zh ? "服务器给出的内容与其校验值不符，未签字。" : "What the server gave does not have its hash: nothing was signed.");
    }
    if (!await show(told, sha256)) return undefined;
    for (const one of options.allowCredentials || []) one.id = toBytes(one.id);
    let got;
    try {
      got = await navigator.credentials.get({ publicKey: options });
    } catch {
      throw new Error(zh ? "未签字：操作已取消、超时，或此设备上没有您的通行密钥。" : "Nothing was signed: it was called off, took too long, or this device has no passkey of yours.");
    }
    const given = {
      "passkey-pending": told.pending,
      "passkey-credentialId": toText(got.rawId),
      "passkey-authenticatorData": toText(got.response.authenticatorData),
      "passkey-clientDataJSON": toText(got.response.clientDataJSON),
      "passkey-signature": toText(got.response.signature),
    };
    if (submitter?.name) given[submitter.name] = submitter.value;
    for (const [name, value] of Object.entries(given)) form.append(element("input", "", { type: "hidden", name, value }));
    form.action = action;
    return HTMLFormElement.prototype.submit.call(form);
  }

  for (const secrets of usable ? document.querySelectorAll("[data-secrets]") : []) {
    const form = secrets.closest("form");
    const inputs = secrets.querySelectorAll("input");
    const callout = element("p", "", { class: "callout refused", role: "alert", hidden: "" });
    const label = element("label", zh ? " 用通行密钥签字" : " Sign with my passkey", { class: "with-passkey" });
    const choice = element("input", "", { type: "checkbox" });
    choice.checked = ![...inputs].some((one) => one.getAttribute("aria-invalid"));
    label.prepend(choice);
    secrets.before(label, callout);
    const turn = () => {
      secrets.hidden = choice.checked;
      for (const one of inputs) one.disabled = choice.checked;
    };
    choice.addEventListener("change", turn);
    turn();
    form.addEventListener("submit", (event) => {
      if (!choice.checked) return;
      event.preventDefault();
      if (form.dataset.signing) return;
      form.dataset.signing = "yes";
      callout.hidden = true;
      sign(form, event.submitter).catch((error) => {
        callout.textContent = error.message;
        callout.hidden = false;
        callout.scrollIntoView({ block: "center" });
      }).finally(() => { delete form.dataset.signing; });
    });
  }
}
