// FluentServer of @fluent-org/logger as a process: `node fluent_server.js PORT FILE [OPTIONS]`, with NODE_PATH set.
// OPTIONS is JSON: key, users (passwords by name), cert (certificate and key in one file), ca (of clients).
// It writes each event as a JSON line and, as the package does, acks a chunk before its events are stored.
const fs = require("fs");
const { FluentServer, EventTime } = require("@fluent-org/logger");

const [port, path] = [Number(process.argv[2]), process.argv[3]];
const file = fs.openSync(path, "a");

class Server extends FluentServer {
  onEntry(tag, time, record) {
    const [second, rest] = time instanceof EventTime ? [time.epoch, time.nano] : [time, 0];
    const time_ns = String(BigInt(second) * 1000000000n + BigInt(rest));
    fs.writeSync(file, JSON.stringify({ tag, time_ns, record }) + "\n");
  }
}

const wanted = JSON.parse(process.argv[4] || "{}");
const options = { listenOptions: { port, host: "127.0.0.1" } };
if (wanted.key) {
  const userDict = wanted.users || {};
  options.security = { serverHostname: "npm", sharedKey: wanted.key, authorize: Boolean(wanted.users), userDict };
}
if (wanted.cert) {
  const pem = fs.readFileSync(wanted.cert);
  options.tlsOptions = { cert: pem, key: pem };
  if (wanted.ca) Object.assign(options.tlsOptions, { ca: fs.readFileSync(wanted.ca), requestCert: true });
}
const server = new Server(options);
process.on("SIGTERM", () => process.exit(0));
server.listen().then(() => console.log(server.port));
