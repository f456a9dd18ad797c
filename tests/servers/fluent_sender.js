// FluentClient of @fluent-org/logger as a process: `node fluent_sender.js OPTIONS`, with NODE_PATH set.
// OPTIONS is JSON: port, mode, count, and perhaps ack (ms), key, user, password, ca and milliseconds.
// It sends {"n": 0} to {"n": count - 1} with the tag "npm.t" and ends when every event was sent, or acked if it asks.
const fs = require("fs");
const { FluentClient } = require("@fluent-org/logger");

const wanted = JSON.parse(process.argv[2]);
const options = {
  socket: { host: "127.0.0.1", port: wanted.port, timeout: 20000 },
  eventMode: wanted.mode,
  milliseconds: Boolean(wanted.milliseconds),
  flushInterval: 5,
  disconnect: { waitForPending: true, waitForPendingDelay: 20000, socketDisconnectDelay: 100 },
};
if (wanted.ack) options.ack = { ackTimeout: wanted.ack };
if (wanted.key) {
  options.security = { clientHostname: "npm", sharedKey: wanted.key };
  if (wanted.user) Object.assign(options.security, { username: wanted.user, password: wanted.password });
}
if (wanted.ca) options.socket.tls = { ca: fs.readFileSync(wanted.ca), host: "127.0.0.1" };

async function main() {
  const client = new FluentClient("npm", options);
  client.socketOn("error", () => {});
  const sent = [];
  for (let n = 0; n < wanted.count; n++) sent.push(client.emit("t", { n }));
  await Promise.all(sent);
  await client.disconnect();
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(String(error));
    process.exit(1);
  }
);
