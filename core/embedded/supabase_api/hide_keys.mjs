// Loaded before the server, which prints the secret key when it starts: keep secrets out of the log.
const secrets = ["SUPABASE_SECRET_KEY", "SUPABASE_JWT_SECRET", "SUPABASE_API_DB_URL"]
  .map((name) => process.env[name])
  .filter(Boolean);
for (const stream of [process.stdout, process.stderr]) {
  const write = stream.write.bind(stream);
  stream.write = (chunk, ...rest) =>
    write(typeof chunk === "string" ? secrets.reduce((text, secret) => text.replaceAll(secret, "(hidden)"), chunk) : chunk, ...rest);
}
