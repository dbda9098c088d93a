import ArgumentParser
import Compiler

struct SchemaCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "schema", abstract: "Print the JSON Schema of configsync.yaml, for editors.",
    discussion: """
      Example:
        configsync schema > configsync.schema.json
      and in configsync.yaml, on a line of its own:
        # yaml-language-server: $schema=configsync.schema.json
      """)

  func run() { print(ConfigurationSchema.configuration, terminator: "") }
}
