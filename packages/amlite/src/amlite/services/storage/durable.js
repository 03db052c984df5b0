// Loaded into Azurite before its own program: it answers a write after its tables are on the disk. Azurite alone keeps
// them in memory and saves them every five seconds, so a kill would lose blobs that it had already accepted.
const http = require("http");
const path = require("path");

const Loki = require(require.resolve("lokijs", { paths: [path.dirname(process.argv[1])] }));
const READS = ["GET", "HEAD"];
const databases = [];

const enable = Loki.prototype.autosaveEnable;
Loki.prototype.autosaveEnable = function (...options) {
  databases.push(this);
  return enable.apply(this, options);
};

// Saves that are asked for during another one share the next one.
function saved(database) {
  const waits = database.autosaveDirty() || database.throttledSavePending;
  return waits ? new Promise((resolve) => database.saveDatabase(resolve)) : undefined;
}

const end = http.ServerResponse.prototype.end;
http.ServerResponse.prototype.end = function (...content) {
  if (READS.includes(this.req.method)) {
    return end.apply(this, content);
  }
  Promise.all(databases.map(saved)).then(() => end.apply(this, content));
  return this;
};
