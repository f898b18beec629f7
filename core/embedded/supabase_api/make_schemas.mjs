// Makes the schemas `auth` and `storage` as the server needs them, with the superuser's rights, so that the server's own role
// owns nothing: `node make_schemas.mjs NODE_MODULES`, address and password from PGHOST and its like.
import { pathToFileURL } from "node:url";

const server = `${pathToFileURL(process.argv[2])}/@supabase/lite/dist`;
const { App } = await import(`${server}/index.js`);
const { createPostgresConnection } = await import(`${server}/db/postgres/PostgresConnection.js`);

const connection = createPostgresConnection({});
const app = new App({
  connection,
  auth: { enabled: true, jwt_secret: process.env.SUPABASE_JWT_SECRET },
  storage: { enabled: true },
  db: { migrations: { enabled: false } },
});
app._storageAdapter = {}; // Without one there is no schema for it; it is not used here.
await app.ensureSystemSchema();
await connection.close();
