// One script of this folder's session and the extension's source, as `@ext/…`, with `vscode` replaced.
"use strict";
const esbuild = require("esbuild");
const { builtinModules } = require("module");
const path = require("path");

// What this session never runs: packages that are not installed here, and the store of answers of the source's own tests.
const UNUSED = /\/test\/base\/(cache|salts)$/;
const ABSENT = "const made = () => it; const it = new Proxy(class {}, { get: (of, key) => key === '__esModule' ? false"
  + " : key === Symbol.toPrimitive ? () => '' : key === 'prototype' ? of.prototype : it, apply: made }); module.exports = it;";

function plugin(checkout) {
  const source = path.join(checkout, "src");
  return {
    name: "extension",
    setup(build) {
      build.onResolve({ filter: /^@ext\// }, (asked) =>
        build.resolve(path.join(source, asked.path.slice(5)), { resolveDir: source, kind: asked.kind }));
      build.onResolve({ filter: /^vscode$/ }, () => ({ path: path.join(__dirname, "vscode.js") }));
      build.onResolve({ filter: UNUSED }, ({ path: name }) => ({ path: name, namespace: "absent" }));
      build.onResolve({ filter: /^[^./]/ }, async (asked) => {
        const name = asked.path.replace(/^node:/, "");
        if (asked.pluginData === "installed" || (builtinModules.includes(name) && name !== "sqlite")) return undefined;
        const found = await build.resolve(asked.path, { resolveDir: __dirname, kind: asked.kind, pluginData: "installed" });
        return found.errors.length || name === "sqlite" ? { path: name, namespace: "absent" } : found;
      });
      build.onLoad({ filter: /.*/, namespace: "absent" }, () => ({ contents: ABSENT, loader: "js" }));
    },
  };
}

module.exports = (checkout, outfile) => esbuild.build({
  entryPoints: [path.join(__dirname, "session.js")], outfile, bundle: true, platform: "node", format: "cjs",
  mainFields: ["module", "main"], external: ["applicationinsights"], plugins: [plugin(checkout)], logLevel: "error",
  tsconfigRaw: { compilerOptions: {
    jsx: "react", jsxFactory: "vscpp", jsxFragmentFactory: "vscppf", experimentalDecorators: true,
    useDefineForClassFields: false, target: "ES2022",
  } },
});
