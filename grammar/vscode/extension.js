// Starts `specc lsp` for every .spec file; all the knowledge is in the server.
const { workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

exports.activate = () => {
  const command = workspace.getConfiguration("specc").get("command");
  client = new LanguageClient(
    "specc",
    "specc",
    { command, args: ["lsp"] },
    { documentSelector: [{ language: "specc" }] }
  );
  return client.start();
};

exports.deactivate = () => client && client.stop();
