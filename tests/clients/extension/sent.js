// What this session says that it sent: the rows that must land, in the columns' own names, written from its inputs.
//
// `ids` are as the wire has them; who compares makes their pseudonyms. `github` and `microsoft` say by which of the
// extension's two senders the event goes.
export const rows = [];

export function sent(dataset, ids, row, ...senders) {
  for (const sender of senders.length ? senders : ["github"]) rows.push({ sender, dataset, ids, row });
}
