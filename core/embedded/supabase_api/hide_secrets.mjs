// Loaded before the server: keeps secrets out of its log. It prints the secret key when it starts, and the text of every
// e-mail that it cannot send, with the code or link that opens the account; an error may quote a token.
import { changeModule } from "./module_changes.mjs";

const secrets = ["SUPABASE_SECRET_KEY", "SUPABASE_JWT_SECRET", "PGPASSWORD"].map((name) => process.env[name]).filter(Boolean);
const tokens = /\beyJ[\w-]+\.[\w-]+\.[\w-]*|\bsb_secret_[\w-]+|(?<=\b(?:access_token|refresh_token|token|token_hash|password)["']?\s*[=:]\s*["']?)[^\s"'&,}]+/g;

function hide(text) {
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, "(hidden)"), text).replace(tokens, "(hidden)");
}

for (const stream of [process.stdout, process.stderr]) {
  const write = stream.write.bind(stream);
  stream.write = (chunk, ...rest) => write(typeof chunk === "string" ? hide(chunk) : chunk, ...rest);
}

changeModule("/@supabase/lite/dist/index.js", [
  ['let n=e.text?e.text:"(html-only email, body omitted)";', 'let n="(the text is not shown: it holds a code)";'],
]);
