// Records what the real clients send, byte for byte, into ../data/clients/*.json.
//
//   npm install && npm run record
//
// Needed only to re-record: the tests read the recorded files. Nothing leaves
// this machine: every client is pointed at a server on 127.0.0.1 and the keys
// are zeros.
"use strict";
process.env.APPLICATION_INSIGHTS_NO_STATSBEAT = "1";
process.env.APPLICATION_INSIGHTS_NO_DIAGNOSTIC_CHANNEL = "1";
// The recording machine is nobody's business: its kernel version becomes a fixed one.
require("os").release = () => "6.8.0";
const fs = require("fs");
const http = require("http");
const Module = require("module");
const path = require("path");

const OUT = path.join(__dirname, "..", "data", "clients");
const ZERO_KEY = "00000000-0000-0000-0000-000000000000";
const MACHINE = "6d".repeat(32);
const SESSION = "b4f0ad2b-0000-4000-8000-0000000000011774779232000";
const USER = "0123456789abcdef0123456789abcdef";
const LONG_CODE = "def area(width, height):\n    return width * height\n".repeat(400).slice(0, 19001);

const life = {
  headerRequestId: "5a0f6c1e-0000-4000-8000-000000000002",
  opportunityId: "icr-77c20000-0000-4000-8000-000000000003",
  clientCompletionId: "d2b10000-0000-4000-8000-000000000004",
  choiceIndex: "0", languageId: "python", engineName: "gpt-41-copilot", compType: "full",
};
let counter = 0;
const uniqueId = () => `8f1d7a52-0000-4000-8000-${String(++counter).padStart(12, "0")}`;

// The suggestion client's own rule: a value longer than 8,192 is cut over key, key_02, key_03, ...
function split(properties) {
  const out = {};
  for (const [key, value] of Object.entries(properties)) {
    for (let at = 0, part = 1; at < value.length || part === 1; at += 8192, part++) {
      out[part === 1 ? key : `${key}_${String(part).padStart(2, "0")}`] = value.slice(at, at + 8192);
    }
  }
  return out;
}

// Events of one life: [name, properties, measurements]
function events() {
  return [
    ["ghostText.issued", { ...life, isCycling: "false", isMultiline: "true" }, { promptCharLen: 900, promptSuffixCharLen: 120, promptComputeTimeMs: 3.25, documentLength: 1290, documentLineCount: 41 }],
    ["ghostText.shown", { ...life, reason: "network" }, { compCharLen: 65, numLines: 4, timeToProduceMs: 412.5, timeSinceIssuedMs: 430.5, meanLogProb: -0.25 }],
    ["ghostText.accepted", life, { compCharLen: 65, numLines: 4, timeSinceDisplayedMs: 1820.25 }],
    ["ghostText.stillInCode", life, { timeout: 30, insertionOffset: 1204, trackedOffset: 1204, foundOffset: 1204, relativeLexEditDistance: 0.15, lexEditDistance: 3, completionLexLength: 20, charEditDistance: 19, stillInCodeHeuristic: 1 }],
    ["engine.prompt", split({ ...life, promptJson: JSON.stringify({ prefix: LONG_CODE }).slice(0, 19001) }), {}],
    ["ghostText.empty", { ...life, reason: "all choices redacted" }, {}],
    ["auth.new_token", {}, { expires_at: 1795520000, adjusted_expires_at: 1795516400 }],
    ["something.unheard.of", { secret: "never kept" }, {}],
  ].map(([name, properties, measurements]) => [name, { unique_id: uniqueId(), ...properties }, measurements]);
}

async function loopback() {
  const requests = [];
  const server = http.createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      requests.push({
        content_type: request.headers["content-type"] || null,
        content_encoding: request.headers["content-encoding"] || null,
        body_base64: Buffer.concat(chunks).toString("base64"),
      });
      response.writeHead(200, { "Content-Type": "application/json" });
      response.end(JSON.stringify({ itemsReceived: 1, itemsAccepted: 1, errors: [] }));
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, requests, url: `http://127.0.0.1:${server.address().port}` };
}

async function until(requests, count) {
  for (let waited = 0; requests.length < count && waited < 20000; waited += 100) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  if (requests.length < count) throw new Error(`only ${requests.length} of ${count} requests came`);
}

function keep(name, requests) {
  fs.writeFileSync(path.join(OUT, `${name}.json`), JSON.stringify({ client: name, requests }, null, 1) + "\n");
  console.log(`${name}: ${requests.length} request(s)`);
}

async function applicationInsights() {
  const { server, requests, url } = await loopback();
  const { TelemetryClient } = require("applicationinsights");
  const client = new TelemetryClient(`InstrumentationKey=${ZERO_KEY};IngestionEndpoint=${url}`);
  const tags = client.context.tags;
  Object.assign(tags, {
    "ai.cloud.roleInstance": "REDACTED", "ai.session.id": SESSION, "ai.user.id": USER, "ai.device.id": "",
    "ai.device.osVersion": "Linux 6.8.0", "ai.device.osArchitecture": "x64", "ai.device.osPlatform": "linux", "ai.application.ver": "1.0.0",
  });
  client.commonProperties = {
    copilot_trackingId: USER, editor_version: "vscode/1.114.0", editor_plugin_version: "copilot-chat/0.42.0",
    common_os: "linux", client_machineid: MACHINE, client_sessionid: SESSION,
  };
  for (const [name, properties, measurements] of events()) {
    client.trackEvent({ name: `copilot/${name}`, properties, measurements });
  }
  const error = new Error("cannot read /home/alice/project/main.py");
  error.stack = "Error: cannot read /home/alice/project/main.py\n    at load (/home/alice/project/node_modules/loader/index.js:10:5)";
  client.trackException({ exception: error, properties: { unique_id: uniqueId() } });
  client.flush();
  await until(requests, 1);
  keep("applicationinsights", requests);
  server.close();
}

// What the editor gives an extension: only what the client library calls.
class EventEmitter { constructor() { this.event = () => ({ dispose() {} }); } fire() {} dispose() {} }
class TelemetryTrustedValue { constructor(value) { this.value = value; } }
const COMMON = {
  "common.extname": "GitHub.copilot-chat", "common.extversion": "0.42.0", "common.vscodemachineid": MACHINE,
  "common.vscodesessionid": SESSION, "common.vscodeversion": "1.114.0", "common.uikind": "desktop", "common.remotename": "ssh-remote",
};
function withCommon(data, options) {
  const all = { ...(data.properties || data), ...COMMON, ...options.additionalCommonProperties };
  const properties = {};
  for (const [key, value] of Object.entries(all)) properties[key] = value instanceof TelemetryTrustedValue ? value.value : value;
  return data.properties ? { ...data, properties } : properties;
}
const vscode = {
  EventEmitter, TelemetryTrustedValue,
  workspace: { getConfiguration: () => ({ get: () => undefined }) },
  env: {
    machineId: MACHINE, sessionId: SESSION,
    createTelemetryLogger: (sender, options) => ({
      isErrorsEnabled: true, isUsageEnabled: true, onDidChangeEnableStates: () => ({ dispose() {} }),
      logUsage: (name, data) => sender.sendEventData(`GitHub.copilot-chat/${name}`, withCommon(data, options)),
      logError: (nameOrError, data) => typeof nameOrError === "string"
        ? sender.sendEventData(`GitHub.copilot-chat/${nameOrError}`, withCommon(data || {}, options))
        : sender.sendErrorData(nameOrError, withCommon(data || {}, options)),
      dispose() {},
    }),
  },
};
const load = Module._load;
Module._load = function (request, ...rest) { return request === "vscode" ? vscode : load.call(this, request, ...rest); };

async function extensionTelemetry(name, key) {
  const { server, requests, url } = await loopback();
  const { TelemetryReporter } = require("@vscode/extension-telemetry");
  const fetcher = (_, init) => fetch(url, init);
  const reporter = new TelemetryReporter(key, undefined, { additionalCommonProperties: { "common.os": "linux", "common.arch": "x64" } }, fetcher,
    { endpointUrl: url, tagOverrides: { "ai.user.id": USER, "ai.session.id": SESSION, "ai.cloud.roleInstance": "REDACTED" } });
  for (const [event, properties, measurements] of events()) reporter.sendTelemetryEvent(event, properties, measurements);
  const error = new Error("cannot read /home/alice/project/main.py");
  error.stack = "Error: cannot read /home/alice/project/main.py\n    at load (/home/alice/project/node_modules/loader/index.js:10:5)";
  reporter.telemetryLogger.logError(error, { properties: { unique_id: uniqueId() }, measurements: {} });
  await new Promise((resolve) => setTimeout(resolve, 500));
  await Promise.race([reporter.dispose(), new Promise((resolve) => setTimeout(resolve, 3000))]);
  await until(requests, 1);
  keep(name, requests);
  server.close();
}

(async () => {
  fs.mkdirSync(OUT, { recursive: true });
  await applicationInsights();
  await extensionTelemetry("extension-telemetry-appinsights", `InstrumentationKey=${ZERO_KEY}`);
  await extensionTelemetry("extension-telemetry-1ds", "0".repeat(32) + "-" + ZERO_KEY + "-0000");
  process.exit(0);
})().catch((error) => { console.error(error); process.exit(1); });
