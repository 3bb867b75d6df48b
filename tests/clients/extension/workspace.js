// Documents that the session's edits are made in; who follows an edit hears of each change.
import { TestWorkspaceService } from "@ext/platform/test/node/testWorkspaceService";
import { applyEdits } from "@ext/platform/test/node/simulationWorkspace";
import { createTextDocumentData, setDocText } from "@ext/util/common/test/shims/textDocument";
import { URI } from "@ext/util/vs/base/common/uri";
import vscode from "vscode";

export class Workspace {
  constructor() { this.service = new TestWorkspaceService([URI.file("/workspace")], []); }

  document(path, language, text) {
    const data = createTextDocumentData(URI.file(path), text, language);
    this.service.textDocuments.push(data.document);
    return { data };
  }

  // A change of the whole text is told as the one span that differs.
  write(data, text) {
    const old = data.document.getText();
    let begin = 0;
    while (begin < Math.min(old.length, text.length) && old[begin] === text[begin]) begin++;
    let end = 0;
    while (end < Math.min(old.length, text.length) - begin && old.at(-1 - end) === text.at(-1 - end)) end++;
    setDocText(data, text);
    const change = { rangeOffset: begin, rangeLength: old.length - begin - end, text: text.slice(begin, text.length - end) };
    this.service.didChangeTextDocumentEmitter.fire({ document: data.document, contentChanges: [change], reason: undefined });
  }

  apply(data, edits) {
    const nowhere = new vscode.Range(0, 0, 0, 0);
    const copy = createTextDocumentData(data.document.uri, data.document.getText(), data.document.languageId);
    applyEdits(copy, edits, nowhere, nowhere);
    this.write(data, copy.document.getText());
  }
}
