import ConfigModel
import JSONSchema
import Testing

@testable import Compiler

/// The schema for editors and the reader of configsync.yaml agree.
struct ConfigurationSchemaTests {
  private func program(
    _ schema: String = ConfigurationSchema.configuration
  ) throws -> SchemaProgram {
    var diagnostics: [Diagnostic] = []
    let text = try #require(
      SourceText.decode(
        Array(schema.utf8), file: "schema.json", &diagnostics))
    let root = try #require(JSONParser.parse(text, &diagnostics))
    let (program, problems) = SchemaProgram.compile(
      SchemaDocument(uri: "test:///schema.json", root: root)
    ) { _ in nil }
    #expect(problems.isEmpty)
    return try #require(program)
  }

  @Test(arguments: [
    ("apiVersion: configsync/v1", true),
    ("apiVersion: configsync/v2", false),
    ("name: a", false),
    ("{apiVersion: configsync/v1, name: a.b-c_1, root: config, prefix: /a, encode: raw}", true),
    ("{apiVersion: configsync/v1, name: ..}", false),
    ("{apiVersion: configsync/v1, root: /a}", false),
    ("{apiVersion: configsync/v1, prefix: a}", false),
    ("{apiVersion: configsync/v1, encode: leafs}", false),
    ("{apiVersion: configsync/v1, files: [{match: '*.yaml', encode: leaf, schema: a.json}]}", true),
    ("{apiVersion: configsync/v1, files: [{encode: leaf}]}", false),
    ("{apiVersion: configsync/v1, files: [{match: a, encod: leaf}]}", false),
    ("{apiVersion: configsync/v1, layers: {a: [b, c]}}", true),
    ("{apiVersion: configsync/v1, layers: {a: b}}", false),
    ("{apiVersion: configsync/v1, limits: {maxValueBytes: 512KiB, maxKeys: 10}}", true),
    ("{apiVersion: configsync/v1, limits: {maxValueBytes: 9000000}}", false),
    ("{apiVersion: configsync/v1, limits: {maxKeys: 0}}", false),
    ("{apiVersion: configsync/v1, polices: []}", false),
    ("{apiVersion: configsync/v1, signatures: none}", true),
    ("{apiVersion: configsync/v1, prune: {maxDeletes: 0}}", true),
    ("{apiVersion: configsync/v1, prune: {maxDeletes: 100, maxDeletePercent: 30}}", true),
    ("{apiVersion: configsync/v1, prune: {}}", false),
    ("{apiVersion: configsync/v1, prune: 100}", false),
    ("{apiVersion: configsync/v1, prune: {maxDeletes: -1}}", false),
    ("{apiVersion: configsync/v1, prune: {maxDeletes: many}}", false),
    ("{apiVersion: configsync/v1, prune: {maxDeletePercent: 101}}", false),
    ("{apiVersion: configsync/v1, prune: {maxDeletePercent: 1.5}}", false),
    ("{apiVersion: configsync/v1, prune: {maxDelete: 1}}", false),
    ("[]", false),
  ])
  func bothJudgeAlike(content: String, isValid: Bool) throws {
    var diagnostics: [Diagnostic] = []
    let text = try #require(
      SourceText.decode(Array(content.utf8), file: Settings.fileName, &diagnostics))
    let value = try #require(YAMLComposer.parse(text, &diagnostics))
    #expect(try program().check(value).findings.isEmpty == isValid)
    let tree = SourceTree(contents: [Settings.fileName: Array(content.utf8)])
    #expect((readSettings(tree) != nil) == isValid)
  }

  @Test(arguments: [
    ("apiVersion: configsync/v1", true), ("roles: {}", false),
    ("{apiVersion: configsync/v1, roles: {a: [{prefix: /p/, access: read}]}}", true),
    ("{apiVersion: configsync/v1, roles: {a: [{prefix: p, access: read}]}}", false),
    ("{apiVersion: configsync/v1, roles: {a: [{prefix: /p, access: own}]}}", false),
    ("{apiVersion: configsync/v1, roles: {a: []}}", false),
    ("{apiVersion: configsync/v1, bindings: [{role: a, identities: [ada@example.com]}]}", true),
    ("{apiVersion: configsync/v1, bindings: [{role: a}]}", false),
    ("{apiVersion: configsync/v1, users: []}", false),
  ])
  func accessHasRolesAndBindings(content: String, isValid: Bool) throws {
    var diagnostics: [Diagnostic] = []
    let text = try #require(
      SourceText.decode(Array(content.utf8), file: "access.yaml", &diagnostics))
    let value = try #require(YAMLComposer.parse(text, &diagnostics))
    #expect(try program(ConfigurationSchema.access).check(value).findings.isEmpty == isValid)
  }
}
