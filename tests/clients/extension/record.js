// Records what the public extension's own telemetry code sends in a session that session.js drives.
//
//   npm install && node record.js <a checkout of microsoft/vscode-copilot-chat>
//
// It writes ../../data/clients/extension-*.json. Nothing leaves this machine. Needed only to record again.
"use strict";
const { execFileSync, spawn } = require("child_process");
const fs = require("fs");
const http = require("http");
const path = require("path");
const zlib = require("zlib");
const bundle = require("./bundle.js");

const OUT = path.join(__dirname, "..", "..", "data", "clients");
const PACKAGES = ["applicationinsights", "@vscode/extension-telemetry", "tas-client"];
const PARSERS = ["web-tree-sitter/tree-sitter.wasm", "@vscode/tree-sitter-wasm/wasm/tree-sitter-python.wasm"];
const LIBRARIES = ["applicationinsights", "extension-telemetry"];

async function loopback(answer) {
  const requests = [];
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const { "content-type": content_type = null, "content-encoding": content_encoding = null } = request.headers;
      requests.push({ content_type, content_encoding, body: Buffer.concat(chunks) });
      response.writeHead(200, { "Content-Type": "application/json" });
      response.end(JSON.stringify(answer));
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, requests, url: `http://127.0.0.1:${server.address().port}` };
}

const TAKEN = { itemsReceived: 1, itemsAccepted: 1, errors: [] };
const ASSIGNED = {
  Features: [], Flights: {}, ParameterGroups: [],
  Configs: [{ Id: "vscode", Parameters: { copilotcustomengine: "gpt-41-copilot", CopilotSuffixPercent: 0 } }],
  AssignmentContext: "vsliv368:30146709;nes-fast-model:31217401;secret-experiment:30999999;",
};

function session(script, servers, library) {
  const env = { ...process.env, SERVERS: JSON.stringify(servers), LIBRARY: library };
  const child = spawn(process.execPath, ["-r", path.join(__dirname, "before.js"), script], { env, stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  child.stdout.on("data", (data) => { said += data; });
  return new Promise((resolve, reject) =>
    child.on("exit", (code) => code ? reject(new Error(`the session ended with ${code}`)) : resolve(JSON.parse(said.slice(said.lastIndexOf("\n{") + 1)))));
}

// Bodies are kept as they came, byte for byte; those that came plain are packed for this file alone.
function keep(name, how, requests, said) {
  const kept = requests.map(({ body, ...head }) => ({ ...head, body_gzip_base64: zlib.gzipSync(body, { level: 9 }).toString("base64") }));
  fs.writeFileSync(path.join(OUT, `${name}.json`), JSON.stringify({ ...how, ...said, requests: kept }, null, 1) + "\n");
  console.log(`${name}: ${requests.length} requests, ${said.rows.length} rows said`);
}

async function record(checkout) {
  const commit = execFileSync("git", ["-C", checkout, "rev-parse", "HEAD"], { encoding: "utf8" }).trim();
  const folder = fs.mkdtempSync(path.join(__dirname, "session-"));
  try {
    const script = path.join(folder, "session.js");
    for (const name of PARSERS) fs.copyFileSync(path.join(__dirname, "node_modules", name), path.join(folder, path.basename(name)));
    await bundle(path.resolve(checkout), script);
    const packages = Object.fromEntries(PACKAGES.map((name) =>
      [name, JSON.parse(fs.readFileSync(path.join(__dirname, "node_modules", name, "package.json"))).version]));
    const how = { extension: "microsoft/vscode-copilot-chat", commit, packages };
    for (const library of LIBRARIES) {
      const [github, microsoft, flights] = await Promise.all([loopback(TAKEN), loopback(TAKEN), loopback(ASSIGNED)]);
      const { rows, ...said } = await session(script, { github: github.url, microsoft: microsoft.url, flights: flights.url }, library);
      const of = (sender) => ({ ...said, rows: rows.filter((row) => row.sender === sender).map(({ sender: _, ...row }) => row) });
      keep(`extension-${library}`, how, github.requests, of("github"));
      if (library === LIBRARIES[0]) keep("extension-1ds", how, microsoft.requests, of("microsoft"));
      for (const { server } of [github, microsoft, flights]) server.close();
    }
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

if (process.argv.length !== 3) {
  console.error("usage: node record.js <a checkout of microsoft/vscode-copilot-chat>");
  process.exit(2);
}
record(process.argv[2]);
