// Sends events with a real client: node send.js CLIENT URL COUNT EACH_MS; prints the ids that were given to it.
"use strict";
const crypto = require("crypto");
const { CLIENTS, sleep } = require("./real_clients.js");

const [name, url, count, eachMs] = process.argv.slice(2);
(async () => {
  const client = await CLIENTS[name](url);
  const ids = [];
  for (let n = 0; n < Number(count); n++) {
    const id = crypto.randomUUID();
    ids.push(id);
    client.send(id);
    if (Number(eachMs) > 0) {
      if (n % 5 === 4) client.flush();
      await sleep(Number(eachMs));
    }
  }
  client.flush();
  await sleep(Number(process.env.CLIENT_LINGER_MS || 1500));
  await client.end();
  console.log(JSON.stringify(ids));
  process.exit(0);
})().catch((error) => { console.error(error); process.exit(1); });
