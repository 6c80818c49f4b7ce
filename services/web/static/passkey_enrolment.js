// Adds a passkey: the server gives the options, the browser makes the key, the server keeps its public half.
{
  const zh = document.documentElement.lang.startsWith("zh");
  const toBytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
  const toText = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  for (const callout of document.querySelectorAll("[data-elsewhere]")) callout.hidden = callout.dataset.elsewhere === location.origin;

  const form = document.getElementById("add-passkey");
  const callout = form?.querySelector(".callout");
  const say = (sentence) => {
    callout.textContent = sentence;
    callout.hidden = false;
    delete form.dataset.sent;
  };

  async function ask(path, body) {
    const headers = { "Content-Type": "application/json", "X-CSRF-Token": form.elements.csrf_token.value };
    const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
    const told = await answer.json();
    if (!answer.ok) throw new Error(zh ? told.zh : told.en);
    return told;
  }

  async function add() {
    if (location.origin !== form.dataset.origin || !window.PublicKeyCredential) {
      throw new Error(zh ? `请通过 ${form.dataset.origin} 打开本系统后再添加。` : `Open the portal at ${form.dataset.origin} to add a passkey.`);
    }
    const proof = { password: form.elements.password.value };
    if (form.elements.code) proof.code = form.elements.code.value;
    const { id, options } = await ask("/api/account/passkeys/begin", proof);
    options.challenge = toBytes(options.challenge);
    options.user.id = toBytes(options.user.id);
    for (const one of options.excludeCredentials || []) one.id = toBytes(one.id);
    let made;
    try {
      made = await navigator.credentials.create({ publicKey: options });
    } catch (error) {
      const there = error.name === "InvalidStateError";
      if (there) throw new Error(zh ? "此设备上已有您的通行密钥。" : "This device has a passkey of yours already.");
      throw new Error(zh ? "未添加：操作已取消、超时或设备不支持。" : "Nothing was added: it was called off, took too long, or the device cannot do it.");
    }
    await ask("/api/account/passkeys", {
      id,
      name: form.elements.name.value,
      credentialId: toText(made.rawId),
      clientDataJSON: toText(made.response.clientDataJSON),
      attestationObject: toText(made.response.attestationObject),
    });
    location.assign("/account/passkeys");
  }

  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    callout.hidden = true;
    add().catch((error) => say(error.message));
  });
}
