// Sends events with a real client: node send.js CLIENT URL COUNT EACH_MS [UNKNOWN]; prints the ids that were given to it.
// With UNKNOWN every third event bears a key that no collector knows, and an id that says so.
"use strict";
const crypto = require("crypto");
const { CLIENTS, sleep } = require("./real_clients.js");

const [name, url, count, eachMs, unknown] = process.argv.slice(2);
(async () => {
  const client = await CLIENTS[name](url);
  const ids = [];
  for (let n = 0; n < Number(count); n++) {
    const id = `${unknown && n % 3 === 2 ? "unknown-" : ""}${crypto.randomUUID()}`;
    ids.push(id);
    client.send(id);
    if (Number(eachMs) > 0) {
      if (n % 5 === 4 && !name.startsWith("extension-1ds")) client.flush(); // 1DS counts it as a try, and has six
      await sleep(Number(eachMs));
    }
  }
  client.flush();
  await sleep(Number(process.env.CLIENT_LINGER_MS || 1500));
  await client.end();
  console.log(JSON.stringify(ids));
  process.exit(0);
})().catch((error) => { console.error(error); process.exit(1); });
