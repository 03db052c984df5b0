// Prints, one JSON array on a line, [group, operation, arguments] of every call that Microsoft's samples make.
// Usage: node samples.js FOLDER. No sample reaches a network: client and credential only write down what they are asked.
const fs = require("node:fs");
const path = require("node:path");

const record = (group) =>
  new Proxy({}, { get: (_, operation) => (...args) => console.log(JSON.stringify([group, operation, args])) });
class Client {
  constructor() {
    return new Proxy(this, { get: (_, group) => record(group) });
  }
}
// The samples are compiled to generators; none of them needs what a call returns.
const awaiter = (self, _args, _promise, body) => {
  const steps = body.call(self);
  while (!steps.next().done);
  return { catch: () => undefined };
};

const folder = process.argv[2];
for (const name of fs.readdirSync(folder).filter((name) => /CreateOrUpdateSample\.js$/.test(name)).sort()) {
  const source = fs.readFileSync(path.join(folder, name), "utf8").replace(/^import .*$/gm, "");
  const quiet = { log: () => undefined, error: () => undefined };
  new Function("__awaiter", "AzureMachineLearningWorkspaces", "DefaultAzureCredential", "console", source)(
    awaiter, Client, class {}, quiet,
  );
}
