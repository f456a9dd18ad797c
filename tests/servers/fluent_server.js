// FluentServer of @fluent-org/logger as a process: `node fluent_server.js PORT FILE`, with NODE_PATH set.
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

const server = new Server({ listenOptions: { port, host: "127.0.0.1" } });
process.on("SIGTERM", () => process.exit(0));
server.listen().then(() => console.log(server.port));
