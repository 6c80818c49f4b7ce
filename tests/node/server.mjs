// A certified OpenID Connect provider on a free port of this machine, for one portal: node server.mjs http://127.0.0.1:8080
// Whoever types a login is signed in under it. The first line printed is its issuer.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";

import Provider from "oidc-provider";

const [portal] = process.argv.slice(2);
const server = createServer();
const SUBJECT = "subject-of-";

const page = (uid) => `<!doctype html><html lang="en"><title>Organisation</title><main><h1>The organisation's sign-in</h1>
<form method="post" action="/interaction/${uid}"><label>Login <input name="login" required></label> <button>Sign in</button></form></main>`;

async function read(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return new URLSearchParams(text);
}

server.listen(0, "127.0.0.1", () => {
  const issuer = `http://localhost:${server.address().port}`;
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: "footage-desk",
        client_secret: "a secret: with+signs%",
        redirect_uris: [`${portal}/login/provider/callback`],
        post_logout_redirect_uris: [`${portal}/login`],
      },
    ],
    cookies: { keys: ["a key of the test's provider"] },
    jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256", kid: "of today" }] },
    pkce: { required: () => true },
    claims: { openid: ["sub"], profile: ["preferred_username"] },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, preferred_username: id.slice(SUBJECT.length) }),
    }),
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    async loadExistingGrant({ oidc }) {
      const grant = new provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
      grant.addOIDCScope("openid profile");
      await grant.save();
      return grant;
    },
  });
  const others = provider.callback();
  server.on("request", async (request, response) => {
    if (!request.url.startsWith("/interaction/")) return others(request, response);
    if (request.method === "POST") {
      const login = (await read(request)).get("login");
      return provider.interactionFinished(request, response, { login: { accountId: SUBJECT + login } });
    }
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(page((await provider.interactionDetails(request, response)).uid));
  });
  console.log(issuer);
});
