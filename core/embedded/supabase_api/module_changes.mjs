// Changes to modules of the server as they are loaded. Its version is pinned; where a change does not fit it, the server does
// not start.
import { registerHooks } from "node:module";

export function changeModule(file, changes) {
  registerHooks({
    load(url, context, nextLoad) {
      const module = nextLoad(url, context);
      if (!url.endsWith(file)) return module;
      let source = module.source.toString();
      for (const [before, after] of changes) {
        if (!source.includes(before)) throw new Error(`The change does not fit this version of ${url}: ${before}`);
        source = source.replaceAll(before, after);
      }
      return { ...module, source };
    },
  });
}
