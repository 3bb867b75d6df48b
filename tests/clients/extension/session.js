// A session of a made-up person, from the first suggestion to the last check a quarter of an hour after it.
//
// It is bundled with the extension's source and started by record.js, which shortens its timers.
import "vscode"; // first: what it shows of the editor must be there before anything asks for it
import { ICopilotTokenStore } from "@ext/platform/authentication/common/copilotTokenStore";
import { IConfigurationService } from "@ext/platform/configuration/common/configurationService";
import { DefaultsOnlyConfigurationService } from "@ext/platform/configuration/common/defaultsOnlyConfigurationService";
import { IDiffService } from "@ext/platform/diff/common/diffService";
import { DiffServiceImpl } from "@ext/platform/diff/node/diffServiceImpl";
import { IEditSurvivalTrackerService, EditSurvivalTrackerService } from "@ext/platform/editSurvivalTracking/common/editSurvivalTrackerService";
import { IEndpointProvider } from "@ext/platform/endpoint/common/endpointProvider";
import { IEnvService } from "@ext/platform/env/common/envService";
import { IGitService } from "@ext/platform/git/common/gitService";
import { IEditLogService } from "@ext/platform/multiFileEdit/common/editLogService";
import { ITelemetryService } from "@ext/platform/telemetry/common/telemetry";
import { IWorkspaceService } from "@ext/platform/workspace/common/workspaceService";
import { SyncDescriptor } from "@ext/util/vs/platform/instantiation/common/descriptors";
import { IConversationStore, ConversationStore } from "@ext/extension/conversationStore/node/conversationStore";
import { createExtensionUnitTestingServices } from "@ext/extension/test/node/services";
import { Edits } from "./edits.js";
import { GhostText } from "./ghost_text.js";
import { NextEdits } from "./next_edits.js";
import { rows } from "./sent.js";
import { Environment, FLIGHTS, MODELS, PERSON, telemetryOf } from "./telemetry.js";
import { Workspace } from "./workspace.js";

const sleep = (s) => new Promise((resolve) => setTimeout(resolve, s * 1000));

async function main() {
  const configuration = new DefaultsOnlyConfigurationService();
  const { telemetry, tokens, flights } = await telemetryOf(configuration, JSON.parse(process.env.SERVERS), process.env.LIBRARY);
  const workspace = new Workspace();
  const services = createExtensionUnitTestingServices();
  services.define(ITelemetryService, telemetry);
  services.define(ICopilotTokenStore, tokens);
  services.define(IConfigurationService, configuration);
  services.define(IEnvService, new Environment());
  services.define(IEndpointProvider, MODELS);
  services.define(IGitService, { activeRepository: { get: () => ({ headBranchName: "main" }) } });
  services.define(IDiffService, new DiffServiceImpl(false));
  services.define(IEditLogService, { logEditChatRequest: async () => {}, getEditLog: async () => undefined, markCompleted() {} });
  services.define(IWorkspaceService, workspace.service);
  services.define(IEditSurvivalTrackerService, new SyncDescriptor(EditSurvivalTrackerService));
  services.define(IConversationStore, new SyncDescriptor(ConversationStore));
  const accessor = services.createTestingAccessor();
  await new GhostText(telemetry, tokens).all();
  new NextEdits(telemetry, accessor, workspace).all();
  await new Edits(accessor, workspace).all();
  await sleep(1200); // the last check comes after 15 minutes
  telemetry.dispose();
  await sleep(300);
  flights.polling?.StopPolling?.();
  process.stdout.write(JSON.stringify({ person: PERSON, flights: FLIGHTS, rows }), () => process.exit(0));
}

main().catch((error) => { console.error(error); process.exit(1); });
