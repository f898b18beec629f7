// Loaded before the server: only what the product asks for reaches it.
//
// The server has more doors than those of Supabase: `/_system` shows its configuration and the database's to anybody, and
// `/auth/v1/authorize`, public files and a studio need no key. It is for programs of this machine, so a foreign `Host` (a
// name that was made to point here) and whatever a browser sends for another site are refused.
import { Attempts } from "./attempts.mjs";
import { changeModule } from "./module_changes.mjs";

const OWN_HOST = /^(127\.0\.0\.1|localhost)(:\d+)?$/;
const LARGEST_BODY_BYTES = 64 * 2 ** 20;
const LARGEST_SIGN_IN_BYTES = 64 * 2 ** 10;
const PATHS = [
  [["POST"], /^\/auth\/v1\/(signup|token|logout|recover|verify)$/],
  [["GET"], /^\/auth\/v1\/(settings|user)$/],
  [["GET"], /^\/rest\/v1\/$/],
  [["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE"], /^\/rest\/v1\/(rpc\/)?\w+$/],
  [["POST"], /^\/storage\/v1\/object\/list\/[\w-]+$/],
  [["DELETE"], /^\/storage\/v1\/object\/[\w-]+$/],
  // Not those that need no key: public and signed files.
  [["GET", "HEAD", "POST", "PUT"], /^\/storage\/v1\/object\/(?!(public|sign|upload)\/)[\w-]+(\/[\w-][\w.-]*)+$/],
];

function refuse(status, code, message, headers = {}) {
  // The words of each of the three services in one body, so that every client shows the message.
  return Response.json({ code, error_code: code, msg: message, message }, { status, headers });
}

function findRefusal(request) {
  const url = new URL(request.url);
  // Both: a request may name its address in full, and then they may differ.
  if (![url.host, request.headers.get("host") ?? ""].every((host) => OWN_HOST.test(host))) {
    return refuse(421, "foreign_host", "This API answers to 127.0.0.1 alone.");
  }
  if (request.headers.has("origin") || request.headers.has("sec-fetch-site")) {
    return refuse(403, "no_browsers", "This API is for programs of this machine, not for pages in a browser.");
  }
  if (!PATHS.some(([methods, path]) => methods.includes(request.method) && path.test(url.pathname))) {
    return refuse(404, "not_found", "This API has no such path.");
  }
  if (request.headers.has("transfer-encoding")) {
    return refuse(411, "length_required", "Send the length of the body (Content-Length).");
  }
  const largest = url.pathname.startsWith("/auth/") ? LARGEST_SIGN_IN_BYTES : LARGEST_BODY_BYTES;
  return Number(request.headers.get("content-length") ?? 0) > largest ? refuse(413, "too_large", `At most ${largest} bytes.`) : null;
}

const attempts = new Attempts();

// Which account a request tries to get into, and whether a good answer forgives earlier failures; null if nothing is guessed.
function readAttempt(request, body) {
  const { pathname, search } = new URL(request.url);
  const fields = readFields(body);
  const address = typeof fields.email === "string" ? fields.email.toLowerCase() : "";
  switch (pathname) {
    case "/auth/v1/token":
      return search === "?grant_type=refresh_token" ? null : { account: `password ${address}`, successForgives: true };
    case "/auth/v1/verify":
      // A hash of address and code names no account, so there is one count for all of them.
      return fields.token_hash
        ? { account: "code", successForgives: false }
        : { account: `code ${address}`, successForgives: true };
    case "/auth/v1/recover":
      // Each new code is a new chance to guess one.
      return { account: `recovery ${address}`, successForgives: false };
    default:
      return null;
  }
}

function readFields(body) {
  try {
    return JSON.parse(body) ?? {};
  } catch {
    return {};
  }
}

async function answer(request, forward) {
  const refusal = findRefusal(request);
  if (refusal !== null) return refusal;
  if (request.method !== "POST" || !new URL(request.url).pathname.startsWith("/auth/")) return forward(request);
  const body = await request.text();
  const send = () => forward(new Request(request.url, { method: "POST", headers: request.headers, body: body || null }));
  const attempt = readAttempt(request, body);
  if (attempt === null) return send();
  const outcome = await attempts.run(attempt.account, send, attempt.successForgives);
  if (typeof outcome !== "number") return outcome;
  const message = `Too many attempts for this account. Wait ${outcome} s, then try again`;
  return refuse(429, "over_request_rate_limit", message, { "Retry-After": String(outcome) });
}

globalThis[Symbol.for("brightrun.guard")] = (app) => ({
  fetch: (request, environment) => answer(request, (passed) => app.fetch(passed, environment)),
});

changeModule("/@supabase/lite/dist/cli/index.js", [
  ["a=kp(e,n,o),l=i({fetch", 'a=globalThis[Symbol.for("brightrun.guard")](kp(e,n,o)),l=i({fetch'],
]);
