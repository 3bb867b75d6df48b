// The extension's telemetry service with its three senders, as its start makes them, for a person who is made up.
//
// Nothing leaves this machine: both endpoints are a server on 127.0.0.1, and the keys are zeros.
import { CopilotToken, createTestExtendedTokenInfo } from "@ext/platform/authentication/common/copilotToken";
import { CopilotTokenStore } from "@ext/platform/authentication/common/copilotTokenStore";
import { NameAndVersion } from "@ext/platform/env/common/envService";
import { NullNativeEnvService } from "@ext/platform/env/common/nullEnvService";
import { BaseTelemetryService } from "@ext/platform/telemetry/common/baseTelemetryService";
import { GitHubTelemetrySender } from "@ext/platform/telemetry/vscode-node/githubTelemetrySender";
import { MicrosoftTelemetrySender } from "@ext/platform/telemetry/vscode-node/microsoftTelemetrySender";
import { ExperimentationService } from "tas-client";
import vscode from "vscode";

const ZERO_KEY = "00000000-0000-0000-0000-000000000000";
const TENANT_KEY = `${"0".repeat(32)}-${ZERO_KEY}-0000`;
export const PERSON = {
  user: "0123456789abcdef0123456789abcdef",
  machineId: "6d".repeat(32),
  sessionId: "b4f0ad2b-0000-4000-8000-0000000000011774779232000",
};
export const VERSIONS = { editorVersion: "1.114.0", extensionVersion: "0.42.0" };
Object.assign(vscode.session, PERSON, VERSIONS);

export const TOKEN = new CopilotToken(createTestExtendedTokenInfo({
  token: `tid=${PERSON.user};rt=1;sku=monthly_subscriber_quota`, sku: "monthly_subscriber_quota", username: "nobody",
  expires_at: Math.floor(Date.now() / 1000) + 3600, refresh_in: 1500, organization_list: ["0".repeat(32)],
}));

export class Environment extends NullNativeEnvService {
  get machineId() { return PERSON.machineId; }
  get sessionId() { return PERSON.sessionId; }
  get devDeviceId() { return "00000000-0000-4000-8000-00000000dddd"; }
  get remoteName() { return "ssh-remote"; }
  get vscodeVersion() { return VERSIONS.editorVersion; }
  getVersion() { return VERSIONS.extensionVersion; }
  getBuild() { return "1"; }
  getBuildType() { return "prod"; }
  getEditorInfo() { return new NameAndVersion("vscode", VERSIONS.editorVersion); }
  getEditorPluginInfo() { return new NameAndVersion("copilot-chat", VERSIONS.extensionVersion); }
}

export const MODELS = {
  getChatEndpoint: async () => ({ model: "gpt-4.1", family: "gpt-4.1" }), getAllChatEndpoints: async () => [],
  getAllCompletionModels: async () => [], getEmbeddingsEndpoint: async () => undefined,
};

const never = () => ({ dispose() {} });
const posts = (server) => async (url, init) => {
  const { pathname, search } = new URL(url);
  return fetch(`${server}${pathname}${search}`, init);
};

// What the service of assignments answers: the flights of the person, and the parameters that they set.
export const FLIGHTS = {
  assignmentContext: "vsliv368:30146709;nes-fast-model:31217401;secret-experiment:30999999;",
  parameters: { copilotcustomengine: "gpt-41-copilot", CopilotSuffixPercent: 0 },
};

async function assignedFlights(telemetry, server) {
  const service = new ExperimentationService({
    filterProviders: [], telemetry, storageKey: "flights", featuresTelemetryPropertyName: "",
    assignmentContextTelemetryPropertyName: "abexp.assignmentcontext", telemetryEventName: "query-expfeature",
    endpoint: `${server}/flights`, refetchInterval: 0,
  });
  await service.initialFetch;
  return service;
}

// `library` names who sends GitHub's part: `applicationinsights`, which is the default, or `extension-telemetry`, a
// setting that is off by default.
export async function telemetryOf(configuration, urls, library) {
  const tokens = new CopilotTokenStore();
  tokens.copilotToken = TOKEN;
  const api = { copilotTelemetryURL: `${urls.github}/telemetry`, abExpContext: undefined };
  const user = { trackingId: PERSON.user, organizationsList: "0".repeat(32), enterpriseList: "0", optedIn: true };
  const github = new GitHubTelemetrySender(
    configuration, new Environment(), user, { onDidChangeDomains: never }, api, "copilot-chat", ZERO_KEY,
    ZERO_KEY, tokens, () => library === "extension-telemetry", posts(urls.github));
  const microsoft = new MicrosoftTelemetrySender(TENANT_KEY, TENANT_KEY, TENANT_KEY, tokens, posts(urls.microsoft));
  const telemetry = new BaseTelemetryService(tokens, api, microsoft, github);
  const flights = await assignedFlights(telemetry, urls.flights);
  return { telemetry, tokens, flights };
}
