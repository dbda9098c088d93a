import ArgumentParser
import Compiler

struct SchemaCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "schema",
    abstract: "Print the JSON Schema of configsync.yaml or access.yaml, for editors.",
    discussion: """
      Example:
        configsync schema > configsync.schema.json
      and in configsync.yaml, on a line of its own:
        # yaml-language-server: $schema=configsync.schema.json
      """)

  enum File: String, ExpressibleByArgument, CaseIterable {
    case configuration = "configsync.yaml"
    case access = "access.yaml"
  }

  @Argument(
    help: "configsync.yaml or access.yaml; this version refuses the latter in a repository.")
  var file = File.configuration

  func run() {
    switch file {
    case .configuration: print(ConfigurationSchema.configuration, terminator: "")
    case .access: print(ConfigurationSchema.access, terminator: "")
    }
  }
}
