// Edits of an agent and of inline chat: made by the extension's own tools, kept or undone by a user, and followed.
import { EditSurvivalTrackerService } from "@ext/platform/editSurvivalTracking/common/editSurvivalTrackerService";
import { CancellationToken } from "@ext/util/vs/base/common/cancellation";
import { IInstantiationService } from "@ext/util/vs/platform/instantiation/common/instantiation";
import { CopilotInteractiveEditorResponse } from "@ext/extension/inlineChat/node/promptCraftingTypes";
import { InteractionOutcome } from "@ext/extension/inlineChat/node/promptCraftingTypes";
import { UserFeedbackService } from "@ext/extension/conversation/vscode-node/userActions";
import { IConversationStore } from "@ext/extension/conversationStore/node/conversationStore";
import { Conversation, Turn } from "@ext/extension/prompt/common/conversation";
import { CodeMapperService } from "@ext/extension/prompts/node/codeMapper/codeMapperService";
import { CodeMapper } from "@ext/extension/prompts/node/codeMapper/codeMapper";
import { ApplyPatchTool } from "@ext/extension/tools/node/applyPatchTool";
import { ReplaceStringTool } from "@ext/extension/tools/node/replaceStringTool";
import vscode from "vscode";
import { DELAYS_S } from "./next_edits.js";
import { sent } from "./sent.js";

const { ChatEditingSessionActionOutcome: Decision } = vscode;
const request = (n) => `7c2b8e30-0000-4000-8000-00000000000${n}`;
const BEFORE = "one = 1\ntwo = 2\nthree = 3\n";
const AFTER = "one = 1\nsecond_number = 2  # of three\nthree = 3\n";

// An agent's edit: what the tool asks of the editor is written into the document at once.
function stream(workspace, data) {
  const edits = [];
  const textEdit = (_uri, edit) => {
    if (edit === true) workspace.apply(data, edits.splice(0));
    else edits.push(...[edit].flat());
  };
  const push = (part) => {
    if (part instanceof vscode.ChatResponseTextEditPart) textEdit(part.uri, part.isDone || part.edits);
  };
  return { markdown() {}, codeblockUri() {}, notebookEdit() {}, push, textEdit };
}

export class Edits {
  constructor(services, workspace) {
    this.services = services;
    this.workspace = workspace;
    this.made = services.get(IInstantiationService);
    this.feedback = this.made.createInstance(UserFeedbackService);
  }

  survival(ids, row, senders) {
    for (const check_s of DELAYS_S) {
      sent("persistence_checks", ids, { method: "four_gram", check_s, time_delay_ms: check_s * 1000, retained_ratio: 1, no_revert_ratio: 1, retained_chars: null, ...row }, ...senders);
    }
  }

  async invoke(tool, input, data) {
    const result = await tool.invoke({ input, toolInvocationToken: undefined }, CancellationToken.None);
    if (data.document.getText() !== AFTER) throw new Error(`the tool did not make its edit: ${JSON.stringify(result)}`);
  }

  async patched() {
    const { data } = this.workspace.document("/workspace/patched.py", "python", BEFORE);
    const tool = this.made.createInstance(ApplyPatchTool);
    const input = {
      explanation: "made up",
      input: "*** Begin Patch\n*** Update File: /workspace/patched.py\n@@\n one = 1\n-two = 2\n+second_number = 2  # of three\n three = 3\n*** End Patch",
    };
    await tool.resolveInput(input, { stream: stream(this.workspace, data), requestId: request(1) });
    await this.invoke(tool, input, data);
    const row = { kind: "agent_edit", provider: "applyPatchTool", request_source: "agent", did_branch_change: false };
    this.survival({ request: request(1) }, { ...row, event_name: "applyPatch/trackEditSurvival" }, ["github"]);
    this.survival({ request: request(1) }, { ...row, event_name: "applyPatch.trackEditSurvival" }, ["microsoft"]);
  }

  async replaced() {
    const { data } = this.workspace.document("/workspace/replaced.py", "python", BEFORE);
    const tool = this.made.createInstance(ReplaceStringTool);
    const input = { explanation: "made up", filePath: "/workspace/replaced.py", oldString: "two = 2", newString: "second_number = 2  # of three" };
    await tool.resolveInput(input, { stream: stream(this.workspace, data), requestId: request(2) });
    await this.invoke(tool, input, data);
    const row = { kind: "agent_edit", provider: "stringReplaceTool", request_source: "agent", did_branch_change: false };
    this.survival({ request: request(2) }, { ...row, event_name: "replaceString/trackEditSurvival" }, ["github"]);
    this.survival({ request: request(2) }, { ...row, event_name: "codeMapper.trackEditSurvival" }, ["microsoft"]);
  }

  // A code block of a chat that a model of its own writes into the file; here the answer of that model is made up.
  async mapped() {
    const { data } = this.workspace.document("/workspace/mapped.py", "python", BEFORE);
    const edit = vscode.TextEdit.replace(new vscode.Range(1, 0, 1, 7), "second_number = 2  # of three");
    const real = CodeMapper.prototype.mapCode;
    CodeMapper.prototype.mapCode = async (input, to) => {
      to.textEdit(input.uri, edit);
      this.workspace.apply(data, [edit]);
      return { annotations: [], telemetry: { requestId: request(3), speculationRequestId: request(4), requestSource: "edit_editingSession", mapper: "fast", chatRequestModel: "gpt-4.1" } };
    };
    try {
      const codeBlock = { resource: data.document.uri, code: "second_number = 2  # of three", markdownBeforeBlock: "" };
      await this.made.createInstance(CodeMapperService).mapCode({ codeBlock }, { textEdit() {}, notebookEdit() {} }, undefined, CancellationToken.None);
    } finally {
      CodeMapper.prototype.mapCode = real;
    }
    const row = { kind: "agent_edit", provider: "fast", request_source: "edit_editingSession" };
    this.survival({ request: request(4) }, { ...row, event_name: "fastApply/trackEditSurvival", did_branch_change: null }, ["github"]);
    this.survival({ request: request(3) }, { ...row, event_name: "codeMapper.trackEditSurvival", did_branch_change: false }, ["microsoft"]);
  }

  decide(n, action, row, ...senders) {
    this.feedback.handleUserAction({ action, result: { metadata: { responseId: request(n), sessionId: "made-up" } } }, "github.copilot.editsAgent");
    sent("outcomes", { request: request(n) }, { kind: "agent_edit", language: "python", ...row }, ...senders);
  }

  decided() {
    const { data } = this.workspace.document("/workspace/decided.py", "python", BEFORE);
    const { uri } = data.document;
    vscode.window.activeTextEditor = { document: data.document, selection: undefined };
    this.services.get(IConversationStore).addConversation(request(5), new Conversation("made-up", [new Turn(request(5), { message: "made up", type: "user" })]));
    for (const [outcome, hasRemainingEdits, word] of [[Decision.Accepted, true, "accepted"], [Decision.Rejected, false, "rejected"], [Decision.Saved, false, "saved"]]) {
      this.decide(5, { kind: "chatEditingSessionAction", uri, outcome, hasRemainingEdits },
        { event_name: "panel.edit.feedback", outcome: word, has_remaining_edits: hasRemainingEdits }, "github", "microsoft");
      this.decide(6, { kind: "chatEditingHunkAction", uri, outcome, hasRemainingEdits, lineCount: 3, linesAdded: 2, linesRemoved: 1 },
        { event_name: "edit.hunk.action", outcome: word, has_remaining_edits: hasRemainingEdits, lines_suggested: 3, lines_added: 2, lines_removed: 1 });
    }
  }

  inline(n, accepted) {
    const { data } = this.workspace.document(`/workspace/inline-${n}.py`, "python", BEFORE);
    const tracker = this.made.createInstance(EditSurvivalTrackerService).initialize(data.document);
    const edit = vscode.TextEdit.replace(new vscode.Range(1, 0, 1, 7), "second_number = 2  # of three");
    tracker.collectAIEdits([edit]);
    this.workspace.apply(data, [edit]);
    const turn = new Turn(request(n), { message: "made up", type: "user" });
    const query = { document: { languageId: "python", uri: data.document.uri, getText: () => BEFORE }, selection: new vscode.Range(1, 0, 1, 7), intent: { id: "edit" }, query: "made up" };
    turn.setMetadata(new CopilotInteractiveEditorResponse(undefined, query, "made-up", { editCount: 1, editLineCount: 4 }, tracker));
    turn.setMetadata(new InteractionOutcome("inlineEdit", []));
    this.services.get(IConversationStore).addConversation(request(n), new Conversation("made-up", [turn]));
    this.feedback.handleUserAction({ action: { kind: "editor", accepted }, result: { metadata: { responseId: request(n), sessionId: "made-up" } } }, "github.copilot.editor");
    const row = { kind: "inline_chat", language: "python" };
    sent("outcomes", { request: request(n) }, { ...row, event_name: "inline.done", outcome: accepted ? "accepted" : "rejected", edits_suggested: 1, lines_suggested: 4 }, "github", "microsoft");
    if (accepted) this.survival({ request: request(n) }, { ...row, event_name: "inline.trackEditSurvival", did_branch_change: false }, ["github", "microsoft"]);
  }

  async all() {
    await this.patched();
    await this.replaced();
    await this.mapped();
    this.decided();
    this.inline(7, true);
    this.inline(8, false);
  }
}
