// What a client does on an answer: node answers.js CLIENT ANSWER
//
// The first request is answered with ANSWER (a JSON object: status, body), every later one
// with success. Three events are sent at once, then three others by themselves. Prints how
// often each of the first three arrived, and how many of the others did.
"use strict";
const http = require("http");
const zlib = require("zlib");
const { CLIENTS, sleep } = require("./real_clients.js");

const [name, text] = process.argv.slice(2);
const scripted = JSON.parse(text);
const FIRST = ["first-0", "first-1", "first-2"];
const LATER = ["later-0", "later-1", "later-2"];
const seen = {};
let requests = 0;

function success(request, count) {
  return request.url.startsWith("/OneCollector") ? { acc: count } : { itemsReceived: count, itemsAccepted: count, errors: [] };
}

const server = http.createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const raw = Buffer.concat(chunks);
    const body = (request.headers["content-encoding"] === "gzip" ? zlib.gunzipSync(raw) : raw).toString();
    const found = [...FIRST, ...LATER].filter((id) => body.includes(id));
    for (const id of found) seen[id] = (seen[id] || 0) + 1;
    const isScripted = scripted.always || requests === 0;
    requests += 1;
    if (isScripted && scripted.status === 0) return request.socket.destroy();
    response.writeHead(isScripted ? scripted.status : 200);
    return response.end(isScripted ? scripted.body : JSON.stringify(success(request, found.length)));
  });
});

server.listen(0, "127.0.0.1", async () => {
  const client = await CLIENTS[name](`http://127.0.0.1:${server.address().port}`);
  FIRST.forEach((id) => client.send(id));
  client.flush();
  await sleep(500);
  for (const id of LATER) {
    client.send(id);
    client.flush();
    await sleep(300);
  }
  await sleep(900);
  console.log(JSON.stringify({ first: FIRST.map((id) => seen[id] || 0), later: LATER.filter((id) => seen[id]).length, requests }));
  process.exit(0);
});
