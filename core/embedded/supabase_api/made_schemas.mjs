// Loaded before the server, which would make its schemas at every start: `make_schemas.mjs` has done so, and its role may not.
import { changeModule } from "./module_changes.mjs";

changeModule("/@supabase/lite/dist/cli/index.js", [["i.hasEnabledSystemBaseSchema()&&await i.ensureSystemSchema(),", ""]]);
