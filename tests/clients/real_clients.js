// The real clients as extensions use them, each with `send(event)`, `flush()` and `end()`.
//
// They are made by their own constructors. Where a client has a fixed endpoint, only the
// host of its requests is changed, below everything that reads answers. Timers are
// shortened by the factor in CLIENT_HURRY, so that a retry after 10 s is seen in a test.
"use strict";
process.env.APPLICATION_INSIGHTS_NO_STATSBEAT = "1";
process.env.APPLICATION_INSIGHTS_NO_DIAGNOSTIC_CHANNEL = "1";
const fs = require("fs");
const http = require("http");
const https = require("https");
const Module = require("module");
const os = require("os");
const path = require("path");

const HURRY = Number(process.env.CLIENT_HURRY || 1);
const timeout = global.setTimeout;
global.setTimeout = (f, ms, ...rest) => timeout(f, (ms || 0) / HURRY, ...rest);
const sleep = (ms) => new Promise((resolve) => timeout(resolve, ms));

const modules = process.env.CLIENT_MODULES;
const client = (name) => require(require.resolve(name, { paths: [modules] }));
const ZERO_KEY = "00000000-0000-0000-0000-000000000000";
const TENANT_KEY = `${"0".repeat(32)}-${ZERO_KEY}-0000`;
const MACHINE = "6d".repeat(32);
const SESSION = "b4f0ad2b-0000-4000-8000-0000000000011774779232000";

// What the editor gives an extension: only what the client library calls.
class EventEmitter { constructor() { this.event = () => ({ dispose() {} }); } fire() {} dispose() {} }
class TelemetryTrustedValue { constructor(value) { this.value = value; } }
const vscode = {
  EventEmitter, TelemetryTrustedValue,
  workspace: { getConfiguration: () => ({ get: () => undefined }) },
  env: {
    machineId: MACHINE, sessionId: SESSION,
    createTelemetryLogger: (sender) => ({
      isErrorsEnabled: true, isUsageEnabled: true, onDidChangeEnableStates: () => ({ dispose() {} }),
      logUsage: (name, data) => sender.sendEventData(`GitHub.copilot-chat/${name}`, data),
      logError: (name, data) => sender.sendEventData(`GitHub.copilot-chat/${name}`, data),
      dispose() {},
    }),
  },
};
const load = Module._load;
Module._load = function (request, ...rest) { return request === "vscode" ? vscode : load.call(this, request, ...rest); };

// The extension's reporter speaks https only, 1DS to a fixed host: its requests keep path, headers and body, and go to
// the test's server, by https where that has it.
let target = null;
const overTls = https.request;
https.request = (url, options, callback) => {
  const { pathname, search } = new URL(url);
  const request = target.startsWith("https:") ? overTls : http.request;
  return request(`${target}${pathname}${search}`, options, callback);
};

const common = { copilot_trackingId: "0123456789abcdef0123456789abcdef", editor_version: "vscode/1.114.0", common_os: "linux", client_machineid: MACHINE, client_sessionid: SESSION };
function properties(id) {
  return { unique_id: id, clientCompletionId: id, headerRequestId: "5a0f6c1e-0000-4000-8000-000000000002", choiceIndex: "0", languageId: "python", reason: "network", ...common };
}
const measurements = { compCharLen: 65, numLines: 4, timeToProduceMs: 412.5 };

function applicationinsights(url, keepsOnDisk) {
  process.env.TMPDIR = fs.mkdtempSync(path.join(os.tmpdir(), "client-"));
  const { TelemetryClient } = client("applicationinsights");
  const made = new TelemetryClient(`InstrumentationKey=${ZERO_KEY};IngestionEndpoint=${url}`);
  if (keepsOnDisk) made.channel.setUseDiskRetryCaching(true, 1000);
  return {
    send: (id) => {
      made.config.instrumentationKey = id.startsWith("unknown-") ? `${ZERO_KEY.slice(1)}9` : ZERO_KEY;
      made.trackEvent({ name: "copilot/ghostText.shown", properties: properties(id), measurements });
    },
    flush: () => made.flush(),
    end: () => new Promise((resolve) => made.flush({ callback: resolve })),
  };
}

async function extension(url, key, tags, fetcher) {
  target = url;
  const { TelemetryReporter } = client("@vscode/extension-telemetry");
  const reporter = new TelemetryReporter(key, undefined, undefined, fetcher, { endpointUrl: `${url}/v2/track`, tagOverrides: tags });
  await sleep(300); // it makes its sender later
  return {
    send: (id) => reporter.sendTelemetryEvent("ghostText.shown", properties(id), measurements),
    flush: () => reporter.telemetrySender.flush(),
    end: () => Promise.race([reporter.dispose(), sleep(3000)]),
  };
}

const INSIGHTS = `InstrumentationKey=${ZERO_KEY}`;
const TAGS = { "ai.user.id": "0123456789abcdef0123456789abcdef", "ai.session.id": SESSION };
const fetcher = (url, init) => { const { pathname, search } = new URL(url); return fetch(`${target}${pathname}${search}`, init); };

module.exports = {
  sleep,
  CLIENTS: {
    "applicationinsights": async (url) => applicationinsights(url, false),
    "applicationinsights-disk": async (url) => applicationinsights(url, true),
    "extension-appinsights": (url) => extension(url, INSIGHTS, TAGS),
    "extension-1ds": (url) => extension(url, TENANT_KEY),
    "extension-1ds-fetch": (url) => extension(url, TENANT_KEY, undefined, fetcher),
  },
};
