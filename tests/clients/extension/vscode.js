// What the extension's source imports as `vscode`: its own shim of the editor's types, and the little that telemetry
// needs beside them.
//
// The editor puts the extension's name before an event's, and takes values out of their wrappers. It also cleans values
// that are not wrapped; that is left out, so the bodies hold more than an editor would let through, and never less.
"use strict";

const EXTENSION = "GitHub.copilot-chat";
const ended = { dispose() {} };

class TelemetryTrustedValue { constructor(value) { this.value = value; this.isTrustedTelemetryValue = true; } }
class InlineCompletionList { constructor(items) { this.items = items; } }

const words = (...names) => Object.fromEntries(names.flatMap(([name, number]) => [[name, number], [number, name]]));
const plain = (properties) => Object.fromEntries(
  Object.entries(properties).map(([key, value]) => [key, value?.isTrustedTelemetryValue ? value.value : value]));

function createTelemetryLogger(sender, options = {}) {
  const common = options.ignoreBuiltInCommonProperties ? {} : {
    "common.extname": EXTENSION, "common.extversion": own.session.extensionVersion,
    "common.vscodemachineid": own.session.machineId, "common.vscodesessionid": own.session.sessionId,
    "common.vscodeversion": own.session.editorVersion, "common.isnewappinstall": false,
    "common.product": "desktop", "common.uikind": "desktop", "common.remotename": "ssh-remote",
  };
  const log = (name, data = {}) => {
    const properties = { ...plain(data.properties ?? data), ...options.additionalCommonProperties, ...common };
    sender.sendEventData(`${EXTENSION}/${name}`, data.properties ? { ...data, properties } : properties);
  };
  return {
    isUsageEnabled: true, isErrorsEnabled: true, onDidChangeEnableStates: () => ended, logUsage: log,
    logError: (nameOrError, data) => typeof nameOrError === "string" ? log(nameOrError, data) : sender.sendErrorData(nameOrError, data),
    dispose: () => sender.flush?.(),
  };
}

const own = {
  session: {},
  TelemetryTrustedValue,
  InlineCompletionList,
  InlineCompletionTriggerKind: words(["Invoke", 0], ["Automatic", 1]),
  InlineCompletionEndOfLifeReasonKind: words(["Accepted", 0], ["Rejected", 1], ["Ignored", 2]),
  InlineCompletionsDisposeReasonKind: words(["Other", 0], ["Empty", 1], ["TokenCancellation", 2], ["LostRace", 3], ["NotTaken", 4]),
  InlineCompletionDisplayLocationKind: words(["Code", 1], ["Label", 2]),
  ConfigurationTarget: words(["Global", 1], ["Workspace", 2], ["WorkspaceFolder", 3]),
  ChatEditingSessionActionOutcome: words(["Accepted", 1], ["Rejected", 2], ["Saved", 3]),
  env: {
    createTelemetryLogger, onDidChangeTelemetryEnabled: () => ended, isTelemetryEnabled: true,
    get machineId() { return own.session.machineId; }, get sessionId() { return own.session.sessionId; },
  },
  l10n: { t: (text) => text },
  window: { activeTextEditor: undefined, visibleTextEditors: [] },
  workspace: {
    getConfiguration: () => ({ get: (_name, otherwise) => otherwise }), onDidChangeConfiguration: () => ended,
    notebookDocuments: [], textDocuments: [],
  },
};

// One object with all names: a bundler copies the names that it finds. A getter stays one.
const vscode = { ...require("@ext/util/common/test/shims/vscodeTypesShim"), ...own };
module.exports = vscode;
