// Next edits, driven by the methods of the extension's provider that the editor calls as a suggestion's life ends.
import { ChatFetchResponseType } from "@ext/platform/chat/common/commonTypes";
import { IDiffService } from "@ext/platform/diff/common/diffService";
import { NoNextEditReason, StatelessNextEditTelemetryBuilder } from "@ext/platform/inlineEdits/common/statelessNextEditProvider";
import { IInstantiationService } from "@ext/util/vs/platform/instantiation/common/instantiation";
import { Result } from "@ext/util/common/result";
import { StringReplacement } from "@ext/util/vs/editor/common/core/edits/stringEdit";
import { OffsetRange } from "@ext/util/vs/editor/common/core/ranges/offsetRange";
import { StringText } from "@ext/util/vs/editor/common/core/text/abstractText";
import { NextEditProviderTelemetryBuilder, TelemetrySender } from "@ext/extension/inlineEdits/node/nextEditProviderTelemetry";
import { InlineCompletionProviderImpl } from "@ext/extension/inlineEdits/vscode-node/inlineCompletionProvider";
import vscode from "vscode";
import { sent } from "./sent.js";

const { InlineCompletionEndOfLifeReasonKind: End, InlineCompletionsDisposeReasonKind: Disposed } = vscode;
const PROVIDER = "XtabProvider";
const BEFORE = "let width = 3;\nlet height = 4;\n";
const MADE = "let depth = 5; // in metres\n";
const opportunity = (n) => `icr-88d30000-0000-4000-8000-00000000000${n}`;
const request = (n) => `6b1a7d2f-0000-4000-8000-00000000000${n}`;
export const DELAYS_S = [0, 5, 30, 120, 300, 600, 900];

const quiet = new Proxy({}, { get: () => () => quiet });

export class NextEdits {
  constructor(telemetry, services, workspace) {
    const made = services.get(IInstantiationService);
    this.telemetry = telemetry;
    this.workspace = workspace;
    this.provider = Object.assign(Object.create(InlineCompletionProviderImpl.prototype), {
      _logger: quiet, _telemetryService: telemetry, _instantiationService: made, _diffService: services.get(IDiffService),
      telemetrySender: made.createInstance(TelemetrySender, undefined), model: { nextEditProvider: quiet },
      expectedEditCaptureController: { isEnabled: false },
    });
  }

  after(name, timeDelayMs, then) {
    const { sendTelemetryEvent } = this.telemetry;
    this.telemetry.sendTelemetryEvent = (sentName, to, properties, measurements) => {
      sendTelemetryEvent.call(this.telemetry, sentName, to, properties, measurements);
      if (sentName === name && measurements.timeDelayMs === timeDelayMs) then();
    };
  }

  suggestion(n, document, result = undefined) {
    const builder = new NextEditProviderTelemetryBuilder(undefined, undefined, undefined, PROVIDER, undefined);
    builder.setOpportunityId(opportunity(n)).setHadLlmNES(true).setPickedNESType("llm");
    builder.nesBuilder.setHeaderRequestId(request(n)).setHasNextEdit(true);
    const edit = new StringReplacement(new OffsetRange(BEFORE.length, BEFORE.length), MADE);
    const info = {
      source: "provider", documentId: "made-up", requestUuid: opportunity(n), document,
      suggestion: { result: result ?? { edit, documentBeforeEdits: new StringText(BEFORE) } },
    };
    const item = { info, telemetryBuilder: builder, wasShown: false };
    return { builder, item, list: { requestUuid: opportunity(n), telemetryBuilder: builder, items: [item] }, n };
  }

  // What the request for it measured, in ms.
  asked(made, { debounce = 25, delay = 0, nothing = undefined } = {}) {
    const telemetry = new StatelessNextEditTelemetryBuilder(request(made.n));
    telemetry.setModelName("copilot-nes-oct").setDebounceTime(debounce).setArtificialDelay(delay).setNEditsSuggested(nothing ? 0 : 2);
    telemetry.setPrompt([]).setFetchStartedAt();
    const usage = { prompt_tokens: 1800, completion_tokens: 60, total_tokens: 1860 };
    telemetry.setResponse(Promise.resolve({ response: { type: ChatFetchResponseType.Success, usage, value: "made up" }, ttft: 120.5, fetchResult: "success" }));
    made.builder.nesBuilder.setStatelessNextEditTelemetry(telemetry.build(nothing ? Result.error(nothing) : Result.ok(undefined))).markEndTime();
  }

  release(made, disposed, row) {
    this.provider.handleListEndOfLifetime(made.list, { kind: disposed });
    const told = { event_name: "provideInlineEdit", kind: "next_edit", provider: PROVIDER };
    const ids = { opportunity: opportunity(made.n), request: request(made.n) };
    sent("outcomes", ids, {
      ...told, engine: "copilot-nes-oct", disposal_reason: Disposed[disposed], superseded_by: null, is_typed_over: null,
      time_to_first_token_ms: 120.5, prompt_tokens: 1800, response_tokens: 60, not_shown_reason: null,
      is_from_cache: false, was_rejected_before: false, edits_suggested: 2, ...row,
    }, "github", "microsoft");
    if (row.is_shown) sent("displays", ids, { ...told, time_to_first_token_ms: 120.5, is_from_cache: row.is_from_cache ?? false }, "github", "microsoft");
  }

  // Accepted; once the check after half a minute is sent, a user deletes it all.
  accepted() {
    const { data } = this.workspace.document("/workspace/next-edit.js", "javascript", BEFORE);
    const made = this.suggestion(1, data.document);
    this.asked(made, { delay: 50 });
    this.provider.handleDidShowCompletionItem(made.item, MADE);
    this.workspace.write(data, BEFORE + MADE);
    this.provider.handleEndOfLifetime(made.item, { kind: End.Accepted });
    this.release(made, Disposed.NotTaken, { outcome: "accepted", is_shown: true, debounce_ms: 25, artificial_delay_ms: 50 });
    this.after("reportInlineEditSurvivalRate", 30_000, () => this.workspace.write(data, BEFORE));
    for (const check_s of DELAYS_S) {
      const kept = check_s < 60;
      sent("persistence_checks", { opportunity: opportunity(1) }, {
        event_name: "reportInlineEditSurvivalRate", kind: "next_edit", method: "four_gram", check_s, time_delay_ms: check_s * 1000,
        retained_ratio: kept ? 1 : 0, retained_chars: kept ? MADE.length : 0, did_branch_change: false,
      }, "github", "microsoft");
    }
  }

  rejected() {
    const made = this.suggestion(2, undefined);
    this.asked(made);
    this.provider.handleDidShowCompletionItem(made.item, MADE);
    this.provider.handleEndOfLifetime(made.item, { kind: End.Rejected });
    this.release(made, Disposed.NotTaken, { outcome: "rejected", is_shown: true, debounce_ms: 25, artificial_delay_ms: 0 });
  }

  superseded() {
    const made = this.suggestion(3, undefined);
    const next = this.suggestion(4, undefined);
    made.builder.nesBuilder.setIsFromCache();
    made.builder.setUserTypingDisagreed(true);
    this.asked(made);
    this.provider.handleDidShowCompletionItem(made.item, MADE);
    this.provider.handleEndOfLifetime(made.item, { kind: End.Ignored, supersededBy: next.item });
    this.release(made, Disposed.LostRace, { outcome: "not_accepted", is_shown: true, superseded_by: opportunity(4), is_typed_over: true, is_from_cache: true });
  }

  notShown() {
    const made = this.suggestion(5, undefined);
    made.builder.nesBuilder.setWasPreviouslyRejected();
    this.asked(made, { nothing: new NoNextEditReason.NoSuggestions(new StringText(BEFORE), undefined) });
    this.release(made, Disposed.Empty, { outcome: "not_accepted", is_shown: false, not_shown_reason: "noSuggestions", was_rejected_before: true, edits_suggested: 0 });
  }

  // Two minutes after a display the prompt and more are sent under the same name to who consents to code.
  enhanced() {
    const made = this.suggestion(6, undefined);
    this.asked(made);
    this.provider.telemetrySender.scheduleSendingEnhancedTelemetry({ requestId: 6, result: undefined }, made.builder);
  }

  all() { for (const part of ["accepted", "rejected", "superseded", "notShown", "enhanced"]) this[part](); }
}
