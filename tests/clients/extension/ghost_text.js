// Ghost text, driven where the editor drives the extension: asked for, shown, accepted in full or in part, dismissed,
// left, and given up; its twin among the next edits with each.
import { ICopilotTokenStore } from "@ext/platform/authentication/common/copilotTokenStore";
import { IEndpointProvider } from "@ext/platform/endpoint/common/endpointProvider";
import { IEnvService } from "@ext/platform/env/common/envService";
import { IExperimentationService, NullExperimentationService } from "@ext/platform/telemetry/common/nullExperimentationService";
import { ITelemetryService } from "@ext/platform/telemetry/common/telemetry";
import { ILogService } from "@ext/platform/log/common/logService";
import { CancellationToken } from "@ext/util/vs/base/common/cancellation";
import { URI } from "@ext/util/vs/base/common/uri";
import { SyncDescriptor } from "@ext/util/vs/platform/instantiation/common/descriptors";
import { IInstantiationService } from "@ext/util/vs/platform/instantiation/common/instantiation";
import { createTextDocumentData } from "@ext/util/common/test/shims/textDocument";
import { GhostTextLogContext } from "@ext/extension/completions-core/common/ghostTextContext";
import { GhostTextProvider } from "@ext/extension/completions-core/vscode-node/extension/src/ghostText/ghostTextProvider";
import { CopilotInlineCompletionItemProvider } from "@ext/extension/completions-core/vscode-node/extension/src/vscodeInlineCompletionItemProvider";
import { ICompletionsEditorAndPluginInfo } from "@ext/extension/completions-core/vscode-node/lib/src/config";
import { rejectLastShown } from "@ext/extension/completions-core/vscode-node/lib/src/ghostText/last";
import { ICompletionsFetcherService } from "@ext/extension/completions-core/vscode-node/lib/src/networking";
import { ICompletionsOpenAIFetcherService, LiveOpenAIFetcher } from "@ext/extension/completions-core/vscode-node/lib/src/openai/fetch";
import { ICompletionsTelemetryUserConfigService } from "@ext/extension/completions-core/vscode-node/lib/src/telemetry/userConfig";
import { createLibTestingContext, LibTestsEditorInfo } from "@ext/extension/completions-core/vscode-node/lib/src/test/context";
import { createFakeCompletionResponse, createFakeResponse, StaticFetcher } from "@ext/extension/completions-core/vscode-node/lib/src/test/fetcher";
import { ICompletionsTextDocumentManagerService } from "@ext/extension/completions-core/vscode-node/lib/src/textDocumentManager";
import { ICompletionsPromiseQueueService } from "@ext/extension/completions-core/vscode-node/lib/src/util/promiseQueue";
import { NextEditProviderTelemetryBuilder, TelemetrySender } from "@ext/extension/inlineEdits/node/nextEditProviderTelemetry";
import vscode from "vscode";
import { sent } from "./sent.js";
import { Environment, FLIGHTS, MODELS, TOKEN, VERSIONS } from "./telemetry.js";

const { InlineCompletionEndOfLifeReasonKind: End, InlineCompletionsDisposeReasonKind: Disposed } = vscode;
const prefix = (n) => `def area_${n}(width, height):\n`;
const ACCEPTED = "    return width * height\n    # both in metres";
const CHECKS_S = [15, 30, 120, 300, 600];
const opportunity = (n) => `icr-77c20000-0000-4000-8000-${String(n).padStart(12, "0")}`;

class Flights extends NullExperimentationService {
  getTreatmentVariable(name) { return FLIGHTS.parameters[name]; }
}

export class GhostText {
  constructor(telemetry, tokens) {
    const services = createLibTestingContext();
    this.answer = () => createFakeCompletionResponse(ACCEPTED);
    services.define(ICompletionsFetcherService, new StaticFetcher((_url, { headers }) => {
      const answer = this.answer();
      answer.headers.set("x-request-id", headers["X-Request-Id"]);
      return answer;
    }));
    services.define(ICompletionsOpenAIFetcherService, new SyncDescriptor(LiveOpenAIFetcher));
    services.define(ICompletionsEditorAndPluginInfo, new LibTestsEditorInfo(
      { name: "copilot-chat", version: VERSIONS.extensionVersion }, { name: "vscode", version: VERSIONS.editorVersion }));
    services.define(ITelemetryService, telemetry);
    services.define(ICopilotTokenStore, tokens);
    services.define(IEnvService, new Environment());
    services.define(IEndpointProvider, MODELS);
    services.define(IExperimentationService, new Flights());
    this.services = services.createTestingAccessor();
    const made = this.services.get(IInstantiationService);
    this.services.get(ICompletionsTelemetryUserConfigService).updateFromToken(TOKEN);
    this.documents = this.services.get(ICompletionsTextDocumentManagerService);
    this.log = this.services.get(ILogService);
    this.provider = Object.assign(Object.create(CopilotInlineCompletionItemProvider.prototype), {
      instantiationService: made, ghostTextProvider: made.createInstance(GhostTextProvider),
      telemetrySender: made.createInstance(TelemetrySender, undefined), copilotCompletionFeedbackTracker: { trackItem() {} },
    });
  }

  // One opportunity; its items, and the builder of its twin, which is sent as the editor lets go of the list.
  async ask(n, { text = prefix(n), trigger = 1 } = {}) {
    const uri = URI.file(`/workspace/made-up-${n}.py`);
    const { document } = createTextDocumentData(uri, text, "python");
    this.documents.setTextDocument(uri.toString(), "python", text);
    const builder = new NextEditProviderTelemetryBuilder(undefined, undefined, undefined, "ghostText", undefined);
    builder.setOpportunityId(opportunity(n));
    const list = await this.provider.ghostTextProvider.provideInlineCompletionItems(
      document, new vscode.Position(text.split("\n").length - 1, 0), { requestUuid: opportunity(n), triggerKind: trigger },
      builder, new GhostTextLogContext(uri.toString(), 1, undefined), this.log, CancellationToken.None);
    const item = list?.items[0];
    const known = item?.copilotCompletion.telemetry.properties;
    sent("requests", { opportunity: opportunity(n) }, { event_name: "ghostText.issued", language: "python", engine: "gpt-41-copilot",
      is_cycling: trigger === 0, document_chars: text.length, document_lines: 2 });
    const ids = { opportunity: opportunity(n), request: known?.headerRequestId, completion: item?.copilotCompletion.clientCompletionId };
    return { n, uri: uri.toString(), text, builder, list: list ?? { items: [], telemetryBuilder: builder }, item, ids };
  }

  show(asked, row) {
    this.provider.handleDidShowCompletionItem(asked.item);
    sent("displays", asked.ids, { event_name: "ghostText.shown", kind: "ghost_text", language: "python", ...row });
  }

  end(asked, kind, reason = {}) { return this.provider.handleEndOfLifetime(asked.item, { kind, ...reason }); }

  // The list goes: the twin is sent, by both senders.
  release(asked, disposed, row) {
    this.provider.handleListEndOfLifetime(asked.list, { kind: disposed });
    sent("endings", { opportunity: opportunity(asked.n) }, {
      event_name: "provideInlineEdit", kind: "ghost_text", provider: "ghostText", disposal_reason: Disposed[disposed],
      superseded_by: null, is_typed_over: null, request_id: null, ...row,
    }, "github", "microsoft");
  }

  outcome(asked, event_name, row) {
    sent("outcomes", asked.ids, { event_name, kind: "ghost_text", language: "python", ...row });
  }

  checks(asked, row, accepted) {
    for (const check_s of CHECKS_S) {
      sent("persistence_checks", asked.ids, { event_name: "ghostText.stillInCode", kind: "ghost_text", method: "lexical_distance",
        check_s, insertion_offset_chars: prefix(1).length, completion_chars: accepted, ...row });
    }
    sent("snippets", asked.ids, { event_name: "ghostText.capturedAfterAccepted" });
  }

  async accepted() {
    const asked = await this.ask(1);
    this.show(asked, { display_source: "async", completion_chars: ACCEPTED.length, choice_index: 0 });
    this.documents.updateTextDocument(asked.uri, asked.text + ACCEPTED);
    await this.end(asked, End.Accepted);
    this.release(asked, Disposed.NotTaken, { is_shown: true });
    this.outcome(asked, "ghostText.accepted", { outcome: "accepted", completion_type: "full", accepted_chars: ACCEPTED.length, completion_lines: 2 });
    this.checks(asked, { relative_edit_distance: 0, lex_edit_distance_tokens: 0, edit_distance_chars: 0, is_still_in_code: true,
      tracked_offset_chars: prefix(1).length, completion_type: "full" }, ACCEPTED.length);
  }

  async acceptedInPart() {
    const asked = await this.ask(2);
    this.show(asked, { display_source: "async", completion_chars: ACCEPTED.length, choice_index: 0 });
    const part = "    return width";
    this.documents.updateTextDocument(asked.uri, "pass"); // nothing of it stays
    this.provider.handleDidPartiallyAcceptCompletionItem(asked.item, { kind: 1, acceptedLength: part.length });
    this.release(asked, Disposed.NotTaken, { is_shown: true });
    this.outcome(asked, "ghostText.accepted", { outcome: "partially_accepted", completion_type: "partial", accepted_chars: part.length });
    // With the next suggestion elsewhere, the client takes the rest for rejected. Its length is one too many.
    this.outcome(asked, "ghostText.rejected", { outcome: "rejected", completion_type: "partial", accepted_chars: ACCEPTED.length - part.length + 1 });
    sent("snippets", asked.ids, { event_name: "ghostText.capturedAfterRejected" });
    this.checks(asked, { is_still_in_code: false, completion_type: "partial" }, part.length);
  }

  async dismissed() {
    const asked = await this.ask(3);
    this.show(asked, { display_source: "async", completion_chars: ACCEPTED.length, choice_index: 0 });
    await this.end(asked, End.Rejected);
    this.release(asked, Disposed.NotTaken, { is_shown: true });
    this.outcome(asked, "ghostText.dismissed", { outcome: "dismissed" });
    // What was dismissed is reported once more as the next suggestion comes.
    this.outcome(asked, "ghostText.rejected", { outcome: "rejected" });
    sent("snippets", asked.ids, { event_name: "ghostText.capturedAfterRejected" });
  }

  async left() {
    const asked = await this.ask(4, { trigger: 0 });
    this.show(asked, { display_source: "cycling", completion_chars: ACCEPTED.length, choice_index: 0 });
    this.services.get(IInstantiationService).invokeFunction(rejectLastShown);
    const next = { opportunityId: opportunity(5) };
    await this.end(asked, End.Ignored, { supersededBy: next, userTypingDisagreed: true });
    this.release(asked, Disposed.LostRace, { is_shown: true, superseded_by: opportunity(5), is_typed_over: true });
    this.outcome(asked, "ghostText.rejected", { outcome: "rejected" });
    sent("snippets", asked.ids, { event_name: "ghostText.capturedAfterRejected" });
  }

  // Asked again at once, and again after another place: both show what the first request brought, and report it as of
  // the first opportunity. Only the twins name their own.
  async again() {
    const first = await this.ask(6);
    this.release(first, Disposed.TokenCancellation, { is_shown: false });
    const same = await this.ask(7, { text: prefix(6) });
    same.ids.opportunity = first.ids.opportunity;
    this.show(same, { display_source: "typingAsSuggested", completion_chars: ACCEPTED.length, choice_index: 0 });
    this.release(same, Disposed.Other, { is_shown: true });
    this.outcome(same, "ghostText.rejected", { outcome: "rejected" }); // as the next one comes
    sent("snippets", same.ids, { event_name: "ghostText.capturedAfterRejected" });
    this.release(await this.ask(8), Disposed.Other, { is_shown: false });
    const cached = await this.ask(9, { text: prefix(6) });
    cached.ids.opportunity = first.ids.opportunity;
    this.show(cached, { display_source: "cache", completion_chars: ACCEPTED.length, choice_index: 0 });
    this.release(cached, Disposed.Other, { is_shown: true });
  }

  // The client says the same of a server that holds all choices back and of one that fails.
  async nothing() {
    for (const [n, answer, not_shown_reason] of [[10, createFakeCompletionResponse([]), "noSuggestions"], [11, createFakeResponse(500, "no"), "uncategorized"]]) {
      this.answer = () => answer;
      this.release(await this.ask(n), Disposed.Empty, { is_shown: false, not_shown_reason });
      sent("requests", { opportunity: opportunity(n) }, { event_name: "ghostText.empty", reason: "received no results from async completions" });
    }
  }

  async all() {
    for (const part of ["accepted", "acceptedInPart", "dismissed", "left", "again", "nothing"]) await this[part]();
    await this.services.get(ICompletionsPromiseQueueService).flush();
  }
}
